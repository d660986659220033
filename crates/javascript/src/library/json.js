// JSON.
%constant(@GLOBAL, "JSON", %namespace(), 5);
%constant(@GLOBAL.JSON, @@toStringTag, "JSON", 4);
%install(@GLOBAL.JSON, {
  parse(text, reviver) {
    const value = %jsonParse(%toString(text));
    return %isCallable(reviver) ? %jsonRevive({ "": value }, "", reviver) : value;
  },
  stringify(value, replacer, space) {
    let f = undefined, list = undefined;
    if (%isCallable(replacer)) f = replacer;
    else if (%isObject(replacer) && %isArrayLike(replacer)) {
      list = [];
      const length = %lengthOf(replacer);
      for (let i = 0; i < length; i++) {
        let item = replacer[i];
        const inner = %wrapped(item);
        if (typeof item === "number" || typeof inner === "number" || typeof inner === "string") item = %toString(item);
        if (typeof item === "string" && !%includes(list, item)) %push(list, item);
      }
    }
    const inner = %wrapped(space);
    if (typeof inner === "number") space = +space;
    else if (typeof inner === "string") space = %toString(space);
    let gap = "";
    if (typeof space === "number") {
      const n = %toIntegerOrInfinity(space);
      gap = " ".repeat(n < 0 ? 0 : n > 10 ? 10 : n);
    } else if (typeof space === "string") gap = space.length <= 10 ? space : space.slice(0, 10);
    return %jsonWrite(f === undefined ? undefined : { "": value }, "", value, f, list, gap, "", %newHash(@SET_PROTOTYPE, 1));
  },
});
%define("jsonRevive", function (holder, key, reviver) {
  const value = holder[key];
  if (%isObject(value)) {
    if (%isArrayLike(value)) {
      const length = %lengthOf(value);
      for (let i = 0; i < length; i++) %jsonReviveOne(value, `${i}`, reviver);
    } else {
      const keys = %keyList(value, 0);
      for (let i = 0; i < keys.length; i++) %jsonReviveOne(value, keys[i], reviver);
    }
  }
  return %call(reviver, holder, key, value);
});
%define("jsonReviveOne", function (value, key, reviver) {
  const item = %jsonRevive(value, key, reviver);
  if (item === undefined) { if (%isProxy(value)) %proxyDelete(value, key); else %deleteOwn(value, key); }
  else %defineProperty(value, key, { __proto__: null, value: item, writable: true, enumerable: true, configurable: true });
});
%define("jsonWrite", function (holder, key, value, f, list, gap, indent, stack) {
  if (%isObject(value) || typeof value === "bigint") {
    const method = value.toJSON;
    if (%isCallable(method)) value = %call(method, value, key);
  }
  if (f !== undefined) value = %call(f, holder, key, value);
  if (%isObject(value)) {
    const inner = %wrapped(value);
    if (typeof inner === "number") value = %toNumber(value);
    else if (typeof inner === "string") value = %toString(value);
    else if (typeof inner === "boolean" || typeof inner === "bigint") value = inner;
  }
  if (value === null) return "null";
  if (value === true) return "true";
  if (value === false) return "false";
  if (typeof value === "string") return %jsonQuote(value);
  if (typeof value === "number") return value - value === 0 ? `${value}` : "null";
  if (typeof value === "bigint") %typeError("Do not know how to serialize a BigInt");
  if (!%isObject(value) || %isCallable(value)) return undefined;
  if (%hashHas(stack, value)) %typeError("Converting circular structure to JSON");
  %hashSet(stack, value, value);
  const inside = indent + gap;
  const separator = gap === "" ? "," : ",\n" + inside;
  let text = "", some = false;
  if (%isArrayLike(value)) {
    const length = %lengthOf(value);
    for (let i = 0; i < length; i++) {
      const item = %jsonWrite(value, `${i}`, value[i], f, list, gap, inside, stack);
      text += (some ? separator : "") + (item === undefined ? "null" : item);
      some = true;
    }
    text = !some ? "[]" : gap === "" ? "[" + text + "]" : "[\n" + inside + text + "\n" + indent + "]";
  } else {
    const keys = list === undefined ? %keyList(value, 0) : list;
    for (let i = 0; i < keys.length; i++) {
      const name = keys[i];
      const item = %jsonWrite(value, name, value[name], f, list, gap, inside, stack);
      if (item === undefined) continue;
      text += (some ? separator : "") + %jsonQuote(name) + (gap === "" ? ":" : ": ") + item;
      some = true;
    }
    text = !some ? "{}" : gap === "" ? "{" + text + "}" : "{\n" + inside + text + "\n" + indent + "}";
  }
  %hashDelete(stack, value);
  return text;
});
