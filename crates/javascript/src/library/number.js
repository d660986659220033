// Number, BigInt, Boolean, Math's constants, global functions.
%define("thisNumber", function (x) {
  if (typeof x === "number") return x;
  const inner = %wrapped(x);
  if (typeof inner !== "number") %typeError(`Number.prototype.${%callerName()} requires that 'this' be a Number`);
  return inner;
});
// As en-US writes numbers: groups of three digits, three digits behind the point at most.
%define("grouped", function (digits) {
  let text = "", end = digits.length;
  for (; end > 3; end -= 3) text = "," + %slice(digits, end - 3, end) + text;
  return %slice(digits, 0, end) + text;
});
%define("localNumber", function (n, options) {
  if (n !== n) return "NaN";
  let least, most, before = "", behind = "";
  if (%isObject(options)) {
    const style = options.style;
    if (style === "percent") { n *= 100; behind = "%"; least = most = 0; }
    if (style === "currency") {
      const currency = %toString(options.currency);
      before = currency === "USD" ? "$" : currency === "EUR" ? "€" : currency === "GBP" ? "£" : currency === "JPY" ? "¥" : currency + "\xa0";
      least = most = currency === "JPY" ? 0 : 2;
    }
    const from = options.minimumFractionDigits, to = options.maximumFractionDigits;
    if (from !== undefined) least = %trunc(+from);
    if (to !== undefined) most = %trunc(+to);
  }
  if (least === undefined) least = most === undefined || most > 0 ? 0 : most;
  if (most === undefined || most < least) most = least > 3 ? least : 3;
  if (!(least >= 0 && most <= 100)) %rangeError("minimumFractionDigits value is out of range.");
  const sign = n < 0 || 1 / n < 0 ? "-" : "";
  if (n < 0) n = -n;
  if (n === 1 / 0) return sign + before + "∞" + behind;
  let text = n >= 1e21 ? %bigintText(%numberToBigInt(n), 10) : n < 1e-6 ? %numberFixed(n, most) : `${n}`;
  let point = 0;
  while (point < text.length && text[point] !== ".") point++;
  if (point === text.length) text += ".";
  if (text.length > point + 1 + most) {
    // Rounded as it is written, not as it is.
    const up = text[point + 1 + most] >= "5" ? 1n : 0n;
    let digits = %bigintText(%toBigInt(%slice(text, 0, point) + %slice(text, point + 1, point + 1 + most)) + up, 10);
    while (digits.length <= most) digits = "0" + digits;
    point = digits.length - most;
    text = %slice(digits, 0, point) + "." + %slice(digits, point, digits.length);
  }
  while (text.length < point + 1 + least) text += "0";
  let end = text.length;
  while (end > point + 1 + least && text[end - 1] === "0") end--;
  if (end === point + 1) end = point;
  return sign + before + %grouped(%slice(text, 0, point)) + %slice(text, point, end) + behind;
});
%constructor("Number", function Number(value) {
  let n = 0;
  if (arguments.length > 0) {
    n = %toNumeric(value);
    if (typeof n === "bigint") n = %bigintNumber(n);
  }
  return new.target === undefined ? n : %newPrimitiveWrapper(n, %prototypeFor(new.target, @NUMBER_PROTOTYPE));
}, @NUMBER_PROTOTYPE);
%constant(@NUMBER_PROTOTYPE.constructor, "MAX_SAFE_INTEGER", 9007199254740991, 0);
%constant(@NUMBER_PROTOTYPE.constructor, "MIN_SAFE_INTEGER", -9007199254740991, 0);
%constant(@NUMBER_PROTOTYPE.constructor, "MAX_VALUE", 1.7976931348623157e308, 0);
%constant(@NUMBER_PROTOTYPE.constructor, "MIN_VALUE", 5e-324, 0);
%constant(@NUMBER_PROTOTYPE.constructor, "EPSILON", 2.220446049250313e-16, 0);
%constant(@NUMBER_PROTOTYPE.constructor, "POSITIVE_INFINITY", 1 / 0, 0);
%constant(@NUMBER_PROTOTYPE.constructor, "NEGATIVE_INFINITY", -1 / 0, 0);
%constant(@NUMBER_PROTOTYPE.constructor, "NaN", 0 / 0, 0);
%constant(@GLOBAL, "NaN", 0 / 0, 0);
%constant(@GLOBAL, "Infinity", 1 / 0, 0);
%constant(@GLOBAL, "undefined", undefined, 0);
%constant(@GLOBAL, "globalThis", @GLOBAL, 5);
%install(@NUMBER_PROTOTYPE.constructor, {
  isFinite(x) { return typeof x === "number" && x - x === 0; },
  isNaN(x) { return typeof x === "number" && x !== x; },
  isInteger(x) { return typeof x === "number" && x - x === 0 && %trunc(x) === x; },
  isSafeInteger(x) { return typeof x === "number" && x - x === 0 && %trunc(x) === x && x <= 9007199254740991 && x >= -9007199254740991; },
});
%install(@GLOBAL, {
  parseFloat(text) { return %parseFloat(%toString(text)); },
  parseInt(text, radix) { text = %toString(text); return %parseInt(text, radix | 0); },
  isNaN(x) { x = +x; return x !== x; },
  isFinite(x) { x = +x; return x - x === 0; },
  encodeURI(text) { return %uri(%toString(text), 0); },
  encodeURIComponent(text) { return %uri(%toString(text), 1); },
  decodeURI(text) { return %uri(%toString(text), 2); },
  decodeURIComponent(text) { return %uri(%toString(text), 3); },
  escape(text) { return %uri(%toString(text), 4); },
  unescape(text) { return %uri(%toString(text), 5); },
});
%alias(@NUMBER_PROTOTYPE.constructor, "parseFloat", @GLOBAL, "parseFloat");
%alias(@NUMBER_PROTOTYPE.constructor, "parseInt", @GLOBAL, "parseInt");
%install(@NUMBER_PROTOTYPE, {
  toString(radix = undefined) {
    const n = %thisNumber(this);
    const r = radix === undefined ? 10 : %toIntegerOrInfinity(radix);
    if (r < 2 || r > 36) %rangeError("toString() radix argument must be between 2 and 36");
    return %numberText(n, r);
  },
  toLocaleString(locales = undefined, options = undefined) { return %localNumber(%thisNumber(this), options); },
  valueOf() { return %thisNumber(this); },
  toFixed(digits) {
    const n = %thisNumber(this), d = %toIntegerOrInfinity(digits);
    if (!(d >= 0 && d <= 100)) %rangeError("toFixed() digits argument must be between 0 and 100");
    if (n - n !== 0 || n >= 1e21 || n <= -1e21) return `${n}`;
    return %numberFixed(n, d);
  },
  toExponential(digits) {
    const n = %thisNumber(this), d = %toIntegerOrInfinity(digits);
    if (n - n !== 0) return `${n}`;
    if (!(d >= 0 && d <= 100)) %rangeError("toExponential() argument must be between 0 and 100");
    return %numberExponential(n, digits === undefined ? undefined : d);
  },
  toPrecision(digits) {
    const n = %thisNumber(this);
    if (digits === undefined) return `${n}`;
    const d = %toIntegerOrInfinity(digits);
    if (n - n !== 0) return `${n}`;
    if (!(d >= 1 && d <= 100)) %rangeError("toPrecision() argument must be between 1 and 100");
    return %numberPrecision(n, d);
  },
});
%setLength(@NUMBER_PROTOTYPE, "toString", 1);
%define("thisBoolean", function (x) {
  if (typeof x === "boolean") return x;
  const inner = %wrapped(x);
  if (typeof inner !== "boolean") %typeError(`Boolean.prototype.${%callerName()} requires that 'this' be a Boolean`);
  return inner;
});
%constructor("Boolean", function Boolean(value) {
  return new.target === undefined ? !!value : %newPrimitiveWrapper(!!value, %prototypeFor(new.target, @BOOLEAN_PROTOTYPE));
}, @BOOLEAN_PROTOTYPE);
%install(@BOOLEAN_PROTOTYPE, {
  toString() { return %thisBoolean(this) ? "true" : "false"; },
  valueOf() { return %thisBoolean(this); },
});
%define("thisBigInt", function (x) {
  if (typeof x === "bigint") return x;
  const inner = %wrapped(x);
  if (typeof inner !== "bigint") %typeError("not a BigInt");
  return inner;
});
%constructor("BigInt", function BigInt(value) {
  if (new.target !== undefined) %typeError("BigInt is not a constructor");
  const p = %toPrimitive(value, "number");
  return typeof p === "number" ? %numberToBigInt(p) : %toBigInt(p);
}, @BIGINT_PROTOTYPE);
%install(@BIGINT_PROTOTYPE.constructor, {
  asIntN(bits, x) { bits = %toIndex(bits); return %bigintWrap(bits, %toBigInt(%toPrimitive(x, "number")), true); },
  asUintN(bits, x) { bits = %toIndex(bits); return %bigintWrap(bits, %toBigInt(%toPrimitive(x, "number")), false); },
});
%install(@BIGINT_PROTOTYPE, {
  toString(radix = undefined) {
    const n = %thisBigInt(this);
    const r = radix === undefined ? 10 : %toIntegerOrInfinity(radix);
    if (r < 2 || r > 36) %rangeError("toString() radix argument must be between 2 and 36");
    return %bigintText(n, r);
  },
  toLocaleString() {
    const text = %bigintText(%thisBigInt(this), 10);
    return text[0] === "-" ? "-" + %grouped(%slice(text, 1, text.length)) : %grouped(text);
  },
  valueOf() { return %thisBigInt(this); },
});
%constant(@BIGINT_PROTOTYPE, @@toStringTag, "BigInt", 4);
%constant(@GLOBAL.Math, "E", 2.718281828459045, 0);
%constant(@GLOBAL.Math, "LN10", 2.302585092994046, 0);
%constant(@GLOBAL.Math, "LN2", 0.6931471805599453, 0);
%constant(@GLOBAL.Math, "LOG10E", 0.4342944819032518, 0);
%constant(@GLOBAL.Math, "LOG2E", 1.4426950408889634, 0);
%constant(@GLOBAL.Math, "PI", 3.141592653589793, 0);
%constant(@GLOBAL.Math, "SQRT1_2", 0.7071067811865476, 0);
%constant(@GLOBAL.Math, "SQRT2", 1.4142135623730951, 0);
%constant(@GLOBAL.Math, @@toStringTag, "Math", 4);
