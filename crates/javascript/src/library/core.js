// Conversions and what instructions fall back to.

%define("toPrimitive", function (x, hint) {
  if (!%isObject(x)) return x;
  const exotic = x[@@toPrimitive];
  if (exotic !== undefined && exotic !== null) {
    if (!%isCallable(exotic)) %typeError("Symbol.toPrimitive is not a function");
    const result = %call(exotic, x, hint);
    if (!%isObject(result)) return result;
    %typeError("Cannot convert object to primitive value");
  }
  return %ordinaryToPrimitive(x, hint === "string");
});

%define("ordinaryToPrimitive", function (x, text) {
  for (let i = 0; i < 2; i++) {
    const method = (i === 0) === text ? x.toString : x.valueOf;
    if (%isCallable(method)) {
      const result = %call(method, x);
      if (!%isObject(result)) return result;
    }
  }
  %typeError("Cannot convert object to primitive value");
});

%define("add", function (x, y) { x = %toPrimitive(x, "default"); y = %toPrimitive(y, "default"); return x + y; });
%define("subtract", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x - y; });
%define("multiply", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x * y; });
%define("divide", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x / y; });
%define("remainder", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x % y; });
%define("power", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x ** y; });
%define("bitAnd", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x & y; });
%define("bitOr", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x | y; });
%define("bitXor", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x ^ y; });
%define("shiftLeft", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x << y; });
%define("shiftRight", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x >> y; });
%define("shiftRightUnsigned", function (x, y) { x = %toNumeric(x); y = %toNumeric(y); return x >>> y; });
%define("increment", function (x) { x = %toNumeric(x); return ++x; });
%define("decrement", function (x) { x = %toNumeric(x); return --x; });
%define("negate", function (x) { x = %toNumeric(x); return -x; });
%define("bitNot", function (x) { x = %toNumeric(x); return ~x; });
%define("toNumber", function (x) { return +%toPrimitive(x, "number"); });
%define("toNumeric", function (x) { x = %toPrimitive(x, "number"); return typeof x === "bigint" ? x : +x; });
%define("toString", function (x) { x = %toPrimitive(x, "string"); return `${x}`; });
%define("toPropertyKey", function (x) { x = %toPrimitive(x, "string"); return typeof x === "symbol" ? x : `${x}`; });
%define("toIntegerOrInfinity", function (x) {
  x = +x;
  if (x !== x) return 0;
  return %trunc(x);
});
%define("toLength", function (x) {
  x = %toIntegerOrInfinity(x);
  return x <= 0 ? 0 : x > 9007199254740991 ? 9007199254740991 : x;
});
%define("lengthOf", function (x) { return %toLength(x.length); });
%define("toIndex", function (x) {
  if (x === undefined) return 0;
  x = %toIntegerOrInfinity(x);
  if (x < 0 || x > 9007199254740991) %rangeError("Invalid index");
  return x;
});
// A relative index clamped to 0..length.
%define("relative", function (x, length, missing) {
  if (x === undefined) return missing;
  x = %toIntegerOrInfinity(x);
  return x < 0 ? (x + length < 0 ? 0 : x + length) : x > length ? length : x;
});

%define("less", function (x, y) { x = %toPrimitive(x, "number"); y = %toPrimitive(y, "number"); return x < y; });
%define("lessEqual", function (x, y) { x = %toPrimitive(x, "number"); y = %toPrimitive(y, "number"); return x <= y; });
%define("greater", function (x, y) { x = %toPrimitive(x, "number"); y = %toPrimitive(y, "number"); return x > y; });
%define("greaterEqual", function (x, y) { x = %toPrimitive(x, "number"); y = %toPrimitive(y, "number"); return x >= y; });
%define("equal", function (x, y) {
  x = %toPrimitive(x, "default");
  y = %toPrimitive(y, "default");
  return x == y;
});
%define("in", function (key, object) { return %has(object, %toPropertyKey(key)); });
%define("instanceOf", function (x, target) {
  const method = target[@@hasInstance];
  if (method !== undefined && method !== null) {
    if (!%isCallable(method)) %typeError("Symbol.hasInstance is not a function");
    return !!%call(method, target, x);
  }
  if (!%isCallable(target)) %typeError("Right-hand side of 'instanceof' is not callable");
  return %ordinaryHasInstance(target, x);
});
%define("ordinaryHasInstance", function (target, x) {
  if (!%isCallable(target)) return false;
  const bound = %boundTarget(target);
  if (bound !== undefined) return x instanceof bound;
  if (!%isObject(x)) return false;
  const prototype = target.prototype;
  if (!%isObject(prototype)) %typeError(`Function has non-object prototype '${%show(prototype)}' in instanceof check`);
  for (;;) {
    x = %getPrototypeOf(x);
    if (x === null) return false;
    if (x === prototype) return true;
  }
});
%define("getElement", function (base, key) {
  key = %toPropertyKey(key);
  return base[key];
});
%define("setElement", function (base, key, value, strict) {
  key = %toPropertyKey(key);
  if (!%setFrom(base, key, value, base) && strict) %cannotSet(base, key);
});
%define("delete", function (base, key, strict) {
  if (base === undefined || base === null) %typeError("Cannot convert undefined or null to object");
  key = %toPropertyKey(key);
  base = %toObject(base);
  const result = %isProxy(base) ? %proxyDelete(base, key) : %deleteOwn(base, key);
  if (!result && strict) %typeError(`Cannot delete property '${typeof key === "symbol" ? %show(key) : key}' of ${%brief(base)}`);
  return result;
});
%define("getSuper", function (start, key, receiver) { return %getFrom(start, %toPropertyKey(key), receiver); });
%define("setSuper", function (start, key, value, receiver, strict) {
  key = %toPropertyKey(key);
  if (!%setFrom(start, key, value, receiver) && strict) %cannotSet(receiver, key);
});
%define("setArrayLength", function (array, value) {
  const length = value >>> 0;
  if (length !== +value) %rangeError("Invalid array length");
  array.length = length;
});
%define("getMethod", function (object, key) {
  const method = object[key];
  if (method === undefined || method === null) return undefined;
  if (!%isCallable(method)) %typeError("method is not a function");
  return method;
});
%define("prototypeFor", function (newTarget, fallback) {
  const prototype = newTarget.prototype;
  return %isObject(prototype) ? prototype : fallback;
});
%define("construct", function (callee, list, newTarget) {
  if (%isDerived(callee)) return %constructWith(callee, undefined, list, newTarget);
  return %constructWith(callee, %objectFrom(%prototypeFor(newTarget, @OBJECT_PROTOTYPE)), list, newTarget);
});
%define("defineOnReceiver", function (receiver, key, value) {
  if (!%isObject(receiver)) return false;
  const old = %getOwnPropertyDescriptor(receiver, key);
  if (old !== undefined) {
    if (old.get !== undefined || old.set !== undefined || old.writable === false) return false;
    return %defineProperty(receiver, key, { __proto__: null, value });
  }
  return %defineProperty(receiver, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
});
%define("typedSet", function (array, key, value) { array[key] = %typedConvert(array, %toPrimitive(value, "number")); });
%define("arraySpread", function (target, source) { for (const value of source) %push(target, value); });
%define("copyProperties", function (target, source, excluded) {
  const keys = %ownKeys(source);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    let skip = false;
    for (let j = 0; j < excluded.length; j++) if (`${typeof excluded[j] === "symbol" ? "" : excluded[j]}` === key || excluded[j] === key) skip = true;
    if (skip) continue;
    const descriptor = %getOwnPropertyDescriptor(source, key);
    if (descriptor !== undefined && descriptor.enumerable) %createDataProperty(target, key, source[key]);
  }
});
%define("inScope", function (object, key) {
  if (!(key in object)) return false;
  const unscopables = object[@@unscopables];
  if (%isObject(unscopables) && unscopables[key]) return false;
  return true;
});
// Converts `this` and arguments as a native's row says, then calls it.
%define("coerce", function (number, self, list) {
  const kinds = %conversion(number);
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i];
    if (kind === "*" || (i > list.length && kind !== "k")) continue;
    let x = i === 0 ? self : list[i - 1];
    if (kind === "S") {
      if (x === undefined || x === null) %typeError(`String.prototype.${%nativeName(number)} called on null or undefined`);
      x = %toString(x);
    } else if (kind === "s") x = %toString(x);
    else if (kind === "k") x = %toPropertyKey(x);
    else if (x !== undefined) x = +x;
    if (i === 0) self = x;
    else list[i - 1] = x;
  }
  return %callLeaf(number, self, list);
});
%define("createDataProperty", function (target, key, value) {
  if (typeof key === "number") key = `${key}`;
  if (!%defineProperty(target, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true })) %typeError("Cannot create property");
});

// --- Iteration ---
%define("getIterator", function (source) {
  const method = source[@@iterator];
  if (!%isCallable(method)) %notIterable(source);
  const iterator = %call(method, source);
  if (!%isObject(iterator)) %typeError("Result of the Symbol.iterator method is not an object");
  return [iterator, iterator.next];
});
%define("iteratorStep", function (iterator, next) {
  const result = %call(next, iterator);
  if (!%isObject(result)) %typeError(`Iterator result ${%show(result)} is not an object`);
  if (result.done) return %hole();
  return result.value;
});
%define("iteratorRest", function (iterator, next) {
  const list = [];
  for (;;) {
    const result = %call(next, iterator);
    if (!%isObject(result)) %typeError(`Iterator result ${%show(result)} is not an object`);
    if (result.done) return list;
    %push(list, result.value);
  }
});
// The rest of an array that is iterated by index.
%define("arrayRest", function (array, first) {
  const list = [];
  for (let i = first; i < array.length; i++) %push(list, array[i]);
  return list;
});
%define("iteratorClose", function (iterator) {
  const method = iterator.return;
  if (method === undefined || method === null) return;
  const result = %call(method, iterator);
  if (!%isObject(result)) %typeError("iterator.return() did not return an object");
});
%define("iteratorCloseQuietly", function (iterator) {
  try {
    const method = iterator.return;
    if (method !== undefined && method !== null) %call(method, iterator);
  } catch {}
});
%define("arrayIteratorClose", function (array) {
  %iteratorClose(%newIterator(@ARRAY_ITERATOR_PROTOTYPE, array, 0, 0, "array"));
});
%define("show", function (x) {
  if (%isObject(x)) return %isCallable(x) ? "function" : "object";
  if (typeof x === "symbol") return %brief(x);
  return typeof x === "string" ? `"${x}"` : `${x}`;
});
%define("forIn", function (object) {
  const names = [];
  const seen = %newHash(@SET_PROTOTYPE, 1);
  while (object !== null) {
    const keys = %ownKeys(object);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (typeof key === "symbol") continue;
      const descriptor = %getOwnPropertyDescriptor(object, key);
      if (descriptor === undefined || %hashHas(seen, key)) continue;
      %hashSet(seen, key, key);
      if (descriptor.enumerable) %push(names, key);
    }
    object = %getPrototypeOf(object);
  }
  return names;
});
%define("includes", function (list, x) {
  for (let i = 0; i < list.length; i++) if (list[i] === x) return true;
  return false;
});
%throwTypeErrorFunction(%define("throwTypeError", function () { %typeError("'caller', 'callee', and 'arguments' properties may not be accessed on strict mode functions"); }));

// --- Errors ---
%define("initError", function (error, options) {
  if (%isObject(options) && "cause" in options) %constant(error, "cause", options.cause, 5);
  return error;
});
%constant(@ERROR_PROTOTYPE, "name", "Error", 5);
%constant(@ERROR_PROTOTYPE, "message", "", 5);
%install(@ERROR_PROTOTYPE, {
  toString() {
    if (!%isObject(this)) %typeError("Error.prototype.toString requires that 'this' be an Object");
    const name = this.name === undefined ? "Error" : %toString(this.name);
    const message = this.message === undefined ? "" : %toString(this.message);
    return name === "" ? message : message === "" ? name : `${name}: ${message}`;
  },
});
