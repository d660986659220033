// String and Symbol.
%constructor("String", function String(value) {
  let text = arguments.length === 0 ? "" : new.target === undefined && typeof value === "symbol" ? %symbolText(value) : %toString(value);
  if (new.target === undefined) return text;
  return %newPrimitiveWrapper(text, %prototypeFor(new.target, @STRING_PROTOTYPE));
}, @STRING_PROTOTYPE);
%install(@STRING_PROTOTYPE.constructor, {
  fromCharCode(...units) {
    let text = %textOf(units, false);
    if (text !== undefined) return text;
    text = "";
    for (let i = 0; i < units.length; i++) text += %fromUnit(+units[i]);
    return text;
  },
  fromCodePoint(...points) {
    let text = %textOf(points, true);
    if (text !== undefined) return text;
    text = "";
    for (let i = 0; i < points.length; i++) text += %fromCodePoint(+points[i]);
    return text;
  },
  raw(template, ...values) {
    const cooked = %toObject(template), raw = %toObject(cooked.raw), length = %lengthOf(raw);
    let text = "";
    for (let i = 0; i < length; i++) {
      text += %toString(raw[i]);
      if (i + 1 < length && i < values.length) text += %toString(values[i]);
    }
    return text;
  },
});
%define("thisString", function (x) {
  if (x === undefined || x === null) %typeError(`String.prototype.${%callerName()} called on null or undefined`);
  return %toString(x);
});
%define("isRegExp", function (x) {
  if (!%isObject(x)) return false;
  const m = x[@@match];
  return m === undefined ? %isPattern(x) : !!m;
});
%define("notRegExp", function (x) {
  if (%isRegExp(x)) %typeError("First argument must not be a regular expression");
  return %toString(x);
});
%setLength(@STRING_PROTOTYPE.constructor, "fromCharCode", 1);
%install(@STRING_PROTOTYPE, {
  localeCompare(other) {
    const text = %thisString(this);
    return %stringOrder(%normalize(text, "NFC"), %normalize(%toString(other), "NFC"));
  },
  concat(...parts) {
    let text = %thisString(this);
    for (let i = 0; i < parts.length; i++) text += %toString(parts[i]);
    return text;
  },
});
%setLength(@STRING_PROTOTYPE, "concat", 1);
%setLength(@STRING_PROTOTYPE.constructor, "fromCodePoint", 1);
%install(@STRING_PROTOTYPE, {
  toString() {
    if (typeof this === "string") return this;
    const inner = %wrapped(this);
    if (typeof inner !== "string") %typeError("String.prototype.toString requires that 'this' be a String");
    return inner;
  },
  valueOf() {
    if (typeof this === "string") return this;
    const inner = %wrapped(this);
    if (typeof inner !== "string") %typeError("String.prototype.valueOf requires that 'this' be a String");
    return inner;
  },
  includes(search, position = undefined) {
    const text = %thisString(this), needle = %notRegExp(search);
    return %stringIncludes(text, needle, %toIntegerOrInfinity(position));
  },
  startsWith(search, position = undefined) {
    const text = %thisString(this), needle = %notRegExp(search);
    return %stringMatchesAt(text, needle, %relativeStart(position, text.length));
  },
  endsWith(search, end = undefined) {
    const text = %thisString(this), needle = %notRegExp(search);
    const last = end === undefined ? text.length : %relativeStart(end, text.length);
    return %stringMatchesAt(text, needle, last - needle.length);
  },
  padStart(length, fill = undefined) { return %pad(%thisString(this), length, fill, true); },
  padEnd(length, fill = undefined) { return %pad(%thisString(this), length, fill, false); },
  normalize(form = undefined) {
    const text = %thisString(this);
    form = form === undefined ? "NFC" : %toString(form);
    if (form !== "NFC" && form !== "NFD" && form !== "NFKC" && form !== "NFKD") %rangeError("The normalization form should be one of NFC, NFD, NFKC, NFKD.");
    return %normalize(text, form);
  },
  match(pattern) {
    if (this === undefined || this === null) %typeError("String.prototype.match called on null or undefined");
    if (%isObject(pattern)) {
      const method = pattern[@@match];
      if (method !== undefined && method !== null) return %call(method, pattern, this);
    }
    const text = %toString(this);
    return (new (@REGEXP_PROTOTYPE.constructor)(pattern))[@@match](text);
  },
  matchAll(pattern) {
    if (this === undefined || this === null) %typeError("String.prototype.matchAll called on null or undefined");
    if (%isObject(pattern)) {
      if (%isRegExp(pattern)) {
        const flags = pattern.flags;
        if (flags === undefined || flags === null || !%stringIncludes(%toString(flags), "g", 0)) %typeError("String.prototype.matchAll called with a non-global RegExp argument");
      }
      const method = pattern[@@matchAll];
      if (method !== undefined && method !== null) return %call(method, pattern, this);
    }
    const text = %toString(this);
    return (new (@REGEXP_PROTOTYPE.constructor)(pattern, "g"))[@@matchAll](text);
  },
  search(pattern) {
    if (this === undefined || this === null) %typeError("String.prototype.search called on null or undefined");
    if (%isObject(pattern)) {
      const method = pattern[@@search];
      if (method !== undefined && method !== null) return %call(method, pattern, this);
    }
    const text = %toString(this);
    return (new (@REGEXP_PROTOTYPE.constructor)(pattern))[@@search](text);
  },
  replace(pattern, replacement) { return %replaceIn(this, pattern, replacement, false); },
  replaceAll(pattern, replacement) { return %replaceIn(this, pattern, replacement, true); },
  split(separator, limit) {
    if (this === undefined || this === null) %typeError("String.prototype.split called on null or undefined");
    if (%isObject(separator)) {
      const method = separator[@@split];
      if (method !== undefined && method !== null) return %call(method, separator, this, limit);
    }
    const text = %toString(this);
    const most = limit === undefined ? 4294967295 : limit >>> 0;
    const by = %toString(separator);
    if (most === 0) return [];
    if (separator === undefined) return [text];
    return %splitString(text, by, most);
  },
  [@@iterator]() { return %newIterator(@STRING_ITERATOR_PROTOTYPE, %thisString(this), 0, 0, "string"); },
});
%define("relativeStart", function (x, length) {
  x = %toIntegerOrInfinity(x);
  return x < 0 ? 0 : x > length ? length : x;
});
%define("pad", function (text, length, fill, before) {
  const wanted = %toLength(length);
  if (wanted <= text.length) return text;
  const by = fill === undefined ? " " : %toString(fill);
  if (by === "") return text;
  const missing = wanted - text.length;
  if (wanted > 536870888) %rangeError("Invalid string length");
  let padding = by.repeat(%trunc(missing / by.length) + 1).slice(0, missing);
  return before ? padding + text : text + padding;
});
%define("replaceIn", function (self, pattern, replacement, all) {
  if (self === undefined || self === null) %typeError("String.prototype.replace called on null or undefined");
  if (%isObject(pattern)) {
    if (all && %isRegExp(pattern)) {
      const flags = pattern.flags;
      if (flags === undefined || flags === null || !%stringIncludes(%toString(flags), "g", 0)) %typeError("String.prototype.replaceAll called with a non-global RegExp argument");
    }
    const method = pattern[@@replace];
    if (method !== undefined && method !== null) return %call(method, pattern, self, replacement);
  }
  const text = %toString(self), search = %toString(pattern);
  const functional = %isCallable(replacement);
  if (!functional) replacement = %toString(replacement);
  let at = %stringIndexOf(text, search, 0), end = 0, result = "";
  if (at < 0) return text;
  const step = search.length > 0 ? search.length : 1;
  while (at >= 0) {
    const part = functional ? %toString(replacement(search, at, text)) : %substitution(search, text, at, [], undefined, replacement);
    result += %stringPart(text, end, at) + part;
    end = at + search.length;
    if (!all || at + step > text.length) break;
    at = %stringIndexOf(text, search, at + step);
  }
  return result + %stringPart(text, end);
});
// GetSubstitution.
%define("substitution", function (matched, text, position, captures, groups, template) {
  let out = "", at = 0;
  for (;;) {
    const next = %stringIndexOf(template, "$", at);
    if (next < 0 || next + 1 >= template.length) return out + template.slice(at);
    out += template.slice(at, next);
    const c = template[next + 1];
    at = next + 2;
    if (c === "$") out += "$";
    else if (c === "&") out += matched;
    else if (c === "`") out += %stringPart(text, 0, position);
    else if (c === "'") {
      const tail = position + matched.length;
      out += tail >= text.length ? "" : %stringPart(text, tail);
    } else if (c >= "0" && c <= "9") {
      let n = +c, used = 1;
      const d = template[next + 2];
      if (d !== undefined && d >= "0" && d <= "9" && n * 10 + +d >= 1 && n * 10 + +d <= captures.length) { n = n * 10 + +d; used = 2; }
      if (n >= 1 && n <= captures.length) {
        if (captures[n - 1] !== undefined) out += captures[n - 1];
        at = next + 1 + used;
      } else out += "$" + c;
    } else if (c === "<") {
      const close = groups === undefined ? -1 : %stringIndexOf(template, ">", next + 2);
      if (close < 0) out += "$<";
      else {
        const value = groups[template.slice(next + 2, close)];
        if (value !== undefined) out += %toString(value);
        at = close + 1;
      }
    } else out += "$" + c;
  }
});
%install(@STRING_ITERATOR_PROTOTYPE, {
  next() {
    if (!%isIterator(this, "string")) %typeError("next method called on incompatible receiver");
    const text = %field(this, 0), at = %field(this, 1);
    if (at >= text.length) return %iteratorResult(undefined, true);
    const n = text.codePointAt(at), size = n > 65535 ? 2 : 1;
    %setField(this, 1, at + size);
    return %iteratorResult(%stringPart(text, at, at + size), false);
  },
});
%constant(@STRING_ITERATOR_PROTOTYPE, @@toStringTag, "String Iterator", 4);
// Annex B.2.2: a string in an element of HTML.
%define("html", function (text, tag, attribute = undefined, value = undefined) {
  const set = attribute === undefined ? "" : ` ${attribute}="${%replaceIn(%toString(value), '"', "&quot;", true)}"`;
  return `<${tag}${set}>${text}</${tag}>`;
});
%install(@STRING_PROTOTYPE, {
  anchor(name) { return %html(%thisString(this), "a", "name", name); },
  big() { return %html(%thisString(this), "big"); },
  blink() { return %html(%thisString(this), "blink"); },
  bold() { return %html(%thisString(this), "b"); },
  fixed() { return %html(%thisString(this), "tt"); },
  fontcolor(color) { return %html(%thisString(this), "font", "color", color); },
  fontsize(size) { return %html(%thisString(this), "font", "size", size); },
  italics() { return %html(%thisString(this), "i"); },
  link(url) { return %html(%thisString(this), "a", "href", url); },
  small() { return %html(%thisString(this), "small"); },
  strike() { return %html(%thisString(this), "strike"); },
  sub() { return %html(%thisString(this), "sub"); },
  sup() { return %html(%thisString(this), "sup"); },
});

%alias(@STRING_PROTOTYPE, "trimLeft", @STRING_PROTOTYPE, "trimStart");
%alias(@STRING_PROTOTYPE, "trimRight", @STRING_PROTOTYPE, "trimEnd");

// --- Symbol ---
%define("symbolText", function (s) {
  const d = %symbolDescription(s);
  return `Symbol(${d === undefined ? "" : d})`;
});
%define("thisSymbol", function (x) {
  if (typeof x === "symbol") return x;
  const inner = %wrapped(x);
  if (typeof inner !== "symbol") %typeError(`Symbol.prototype.${%callerName()} requires that 'this' be a Symbol`);
  return inner;
});
%constructor("Symbol", function Symbol(description = undefined) {
  if (new.target !== undefined) %typeError("Symbol is not a constructor");
  return %newSymbol(description === undefined ? undefined : %toString(description));
}, @SYMBOL_PROTOTYPE);
%install(@SYMBOL_PROTOTYPE.constructor, {
  for(key) { return %symbolFor(%toString(key)); },
  keyFor(symbol) {
    if (typeof symbol !== "symbol") %typeError(`${%brief(symbol)} is not a symbol`);
    return %symbolIsRegistered(symbol) ? %symbolDescription(symbol) : undefined;
  },
});
%wellKnownSymbols(@SYMBOL_PROTOTYPE.constructor);
%install(@SYMBOL_PROTOTYPE, {
  toString() { return %symbolText(%thisSymbol(this)); },
  valueOf() { return %thisSymbol(this); },
  get description() { return %symbolDescription(%thisSymbol(this)); },
  [@@toPrimitive](hint) { return %thisSymbol(this); },
});
%constant(@SYMBOL_PROTOTYPE, @@toPrimitive, @SYMBOL_PROTOTYPE[@@toPrimitive], 4);
%constant(@SYMBOL_PROTOTYPE, @@toStringTag, "Symbol", 4);
