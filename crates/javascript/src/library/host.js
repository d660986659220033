// What hosts of JavaScript give besides the language: console, timers, text, URLs, copies; and the hatch.

// [indentation, counts, times, last timer's number]: made when first needed.
%define("hostState", function () {
  let state = @CONSOLE;
  if (state === undefined) {
    state = ["", %newHash(@MAP_PROTOTYPE, 0), %newHash(@MAP_PROTOTYPE, 0), 0];
    %keepConsole(state);
  }
  return state;
});

// --- Console ---
%define("printLine", function (text, error) {
  const state = @CONSOLE;
  if (state !== undefined && state[0] !== "") text = state[0] + %replaceLines(text, state[0]);
  %log(text, error);
});
%define("text", function (x) { return typeof x === "symbol" ? %symbolText(x) : %toString(x); });
%define("showNumber", function (n) { return n === 0 && 1 / n < 0 ? "-0" : `${n}`; });
// Objects that show themselves are asked, round after round, since what they answer may hold further ones.
%define("inspect", function (x, depth, hidden, entries, wide) {
  let text = %inspectWith(x, depth, hidden, entries, wide, undefined);
  const answers = [];
  for (let round = 0; typeof text !== "string"; round++) {
    if (round === 64) return "[Object]";
    for (let i = 0; i < text.length; i += 3) {
      const left = text[i + 2];
      const options = {
        depth: left, showHidden: hidden === true, colors: false, customInspect: true, showProxy: false, maxArrayLength: 100,
        maxStringLength: 10000, breakLength: 80, compact: 3, sorted: false, getters: false, numericSeparator: false,
        stylize(part) { return %toString(part); },
      };
      const inspect = (value, given) => {
        let deep = %isObject(given) ? given.depth : undefined;
        if (deep === null || deep === 1 / 0) deep = 64;
        return %inspect(value, deep, %isObject(given) && given.showHidden === true);
      };
      %push(answers, text[i]);
      %push(answers, %call(text[i + 1], text[i], left, options, inspect));
    }
    text = %inspectWith(x, depth, hidden, entries, wide, answers);
  }
  return text;
});
%define("formatOne", function (kind, x) {
  if (kind === "c") return "";
  if (kind === "O") return %inspect(x);
  if (kind === "o") return %inspect(x, 4, true);
  if (kind === "j") {
    try { return `${@GLOBAL.JSON.stringify(x)}`; } catch (e) {
      if (%isObject(e) && e.name === "TypeError" && e.message === "Converting circular structure to JSON") return "[Circular]";
      throw e;
    }
  }
  if (kind === "s") {
    if (typeof x === "number") return %showNumber(x);
    if (typeof x === "bigint") return `${x}n`;
    if (typeof x !== "object" || x === null) return %text(x);
    if (!%isProxy(x) && %isCallable(x.toString) && (!%isLibrary(x.toString) || %isTypedArray(x))) return %toString(x);
    return %inspect(x, 0);
  }
  if (typeof x === "bigint" && kind !== "f") return `${x}n`;
  if (typeof x === "symbol") return "NaN";
  if (kind === "d") return %showNumber(typeof x === "object" && x !== null ? +%toPrimitive(x, "number") : +x);
  return %showNumber(kind === "i" ? @GLOBAL.parseInt(x) : @GLOBAL.parseFloat(x));
});
%define("format", function (list) {
  const first = list[0];
  let text = "", at = 0, separator = "";
  if (typeof first === "string") {
    if (list.length === 1) return first;
    let last = 0, used = 0;
    for (let i = 0; i < first.length - 1; i++) {
      if (first[i] !== "%") continue;
      const kind = first[++i];
      if (kind === "%") {
        text += %slice(first, last, i);
        last = i + 1;
      } else if (used + 1 !== list.length && %includes(["s", "j", "d", "O", "o", "i", "f", "c"], kind)) {
        text += %slice(first, last, i - 1) + %formatOne(kind, list[++used]);
        last = i + 1;
      }
    }
    at = used;
    if (last !== 0) {
      at++;
      separator = " ";
      if (last < first.length) text += %slice(first, last, first.length);
    }
  }
  for (; at < list.length; at++) {
    text += separator + (typeof list[at] === "string" ? list[at] : %inspect(list[at]));
    separator = " ";
  }
  return text;
});
%define("padTo", function (text, width, fill) {
  for (let n = width - %width(text); n > 0; n--) text += fill;
  return text;
});
%define("renderTable", function (head, columns) {
  const widths = [];
  let rows = 0;
  for (let i = 0; i < head.length; i++) {
    widths[i] = %width(head[i]);
    if (columns[i].length > rows) rows = columns[i].length;
    for (let j = 0; j < columns[i].length; j++) {
      const width = %width(columns[i][j] === undefined ? "" : columns[i][j]);
      if (width > widths[i]) widths[i] = width;
    }
  }
  const rule = (left, middle, right) => {
    let line = left;
    for (let i = 0; i < widths.length; i++) line += (i > 0 ? middle : "") + %padTo("", widths[i] + 2, "─");
    return line + right;
  };
  const row = (cells) => {
    let line = "│ ";
    for (let i = 0; i < widths.length; i++) line += (i > 0 ? " │ " : "") + %padTo(cells(i), widths[i], " ");
    return line + " │";
  };
  let text = rule("┌", "┬", "┐") + "\n" + row((i) => head[i]) + "\n" + rule("├", "┼", "┤") + "\n";
  for (let j = 0; j < rows; j++) text += row((i) => (columns[i][j] === undefined ? "" : columns[i][j])) + "\n";
  return text + rule("└", "┴", "┘");
});
%define("tableCell", function (x) {
  const deep = typeof x === "object" && x !== null && !%isArray(x) && @GLOBAL.Object.keys(x).length > 2 ? -1 : 0;
  return %inspect(x, deep, false, 3, true);
});
%define("table", function (data, properties) {
  const numbers = (length) => { const list = []; for (let i = 0; i < length; i++) %push(list, `${i}`); return list; };
  if (%isHash(data, 0)) {
    const keys = [], values = [];
    for (const entry of data) { %push(keys, %tableCell(entry[0])); %push(values, %tableCell(entry[1])); }
    return %renderTable(["(iteration index)", "Key", "Values"], [numbers(keys.length), keys, values]);
  }
  if (%isHash(data, 1)) {
    const values = [];
    for (const value of data) %push(values, %tableCell(value));
    return %renderTable(["(iteration index)", "Values"], [numbers(values.length), values]);
  }
  const rows = @GLOBAL.Object.keys(data), head = ["(index)"], columns = [rows], plain = [];
  let primitives = false;
  for (let i = 0; i < rows.length; i++) {
    const item = data[rows[i]];
    const simple = item === null || (typeof item !== "object" && typeof item !== "function");
    if (simple && properties === undefined) { primitives = true; plain[i] = %tableCell(item); continue; }
    const keys = properties !== undefined ? properties : @GLOBAL.Object.keys(item);
    for (let k = 0; k < keys.length; k++) {
      const key = %text(keys[k]);
      let at = 1;
      while (at < head.length && head[at] !== key) at++;
      if (at === head.length) { %push(head, key); %push(columns, []); }
      columns[at][i] = simple || !%hasOwn(item, key) ? "" : %tableCell(item[key]);
    }
  }
  if (primitives) { %push(head, "Values"); %push(columns, plain); }
  return %renderTable(head, columns);
});
%define("duration", function (ms) {
  if (ms < 1000) return `${+%fixed(ms, 3)}ms`;
  if (ms < 60000) return `${%fixed(ms / 1000, 3)}s`;
  const seconds = %fixed((ms % 60000) / 1000, 3);
  const two = (x) => (%slice(x, 1, 2) === "." || x.length < 2 ? "0" + x : x);
  const hours = %trunc(ms / 3600000), minutes = `${%trunc(ms / 60000) % 60}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)} (h:mm:ss.mmm)` : `${minutes}:${two(seconds)} (m:ss.mmm)`;
});
%define("timeShow", function (label, list, ends) {
  const times = %hostState()[2];
  label = %toString(label);
  const start = %hashGet(times, label);
  if (start === undefined) return %printLine(`Warning: No such label '${label}' for console.time${ends ? "End" : "Log"}()`, true);
  let text = `${label}: ${%duration(%elapsed() - start)}`;
  if (list.length > 0) text += " " + %format(list);
  %printLine(text, false);
  if (ends) %hashDelete(times, label);
});
%install(@GLOBAL, { print(...list) { %printLine(%format(list), false); } });
%constant(@GLOBAL, "console", %namespace(), 5);
%install(@GLOBAL.console, {
  log(...list) { %printLine(%format(list), false); },
  info(...list) { %printLine(%format(list), false); },
  debug(...list) { %printLine(%format(list), false); },
  dirxml(...list) { %printLine(%format(list), false); },
  warn(...list) { %printLine(%format(list), true); },
  error(...list) { %printLine(%format(list), true); },
  trace(...list) {
    const error = %newError(@ERROR_PROTOTYPE, %format(list));
    %constant(error, "name", "Trace", 5);
    %printLine(%stackText(error), true);
  },
  assert(condition, ...list) {
    if (condition) return;
    if (list.length === 0) %push(list, "Assertion failed");
    else if (typeof list[0] === "string") list[0] = `Assertion failed: ${list[0]}`;
    else list = ["Assertion failed:", ...list];
    %printLine(%format(list), true);
  },
  dir(x, options) {
    let depth = 2, hidden = false;
    if (%isObject(options)) {
      if (options.depth === null || options.depth === Infinity) depth = 64;
      else if (typeof options.depth === "number") depth = %trunc(options.depth);
      hidden = !!options.showHidden;
    }
    %printLine(%inspect(x, depth, hidden), false);
  },
  table(data, properties) {
    if (typeof data !== "object" || data === null) return %printLine(%format([data]), false);
    %printLine(%table(data, properties), false);
  },
  group(...list) {
    if (list.length > 0) %printLine(%format(list), false);
    %hostState()[0] += "  ";
  },
  groupCollapsed(...list) {
    if (list.length > 0) %printLine(%format(list), false);
    %hostState()[0] += "  ";
  },
  groupEnd() {
    const state = %hostState();
    if (state[0].length > 1) state[0] = %slice(state[0], 2, state[0].length);
  },
  count(label = "default") {
    const counts = %hostState()[1];
    label = %toString(label);
    const count = (%hashGet(counts, label) ?? 0) + 1;
    %hashSet(counts, label, count);
    %printLine(`${label}: ${count}`, false);
  },
  countReset(label = "default") { %hashDelete(%hostState()[1], %toString(label)); },
  time(label = "default") { %hashSet(%hostState()[2], %toString(label), %elapsed()); },
  timeLog(label = "default", ...list) { %timeShow(label, list, false); },
  timeEnd(label = "default") { %timeShow(label, [], true); },
  clear() {},
  // Without a line's end.
  write(...list) { for (let i = 0; i < list.length; i++) %log(%text(list[i]), false, true); },
});
%constant(@GLOBAL.console, @@toStringTag, "console", 4);

// --- Time ---
%define("addTimer", function (f, delay, list, repeats) {
  if (!%isCallable(f)) %typeError("The callback of a timer must be a function");
  const state = %hostState(), id = state[3] + 1;
  state[3] = id;
  %push(%timers(), [id, %timerNow() + delay, f, list, repeats ? delay : 0]);
  return id;
});
%define("timerDelay", function (delay) {
  delay = %trunc(+delay);
  return delay >= 1 && delay <= 2147483647 ? delay : 1;
});
%define("dropTimer", function (id) {
  const timers = %timers();
  for (let i = 0; i < timers.length; i++) if (timers[i][0] === id) return %removeAt(timers, i);
});
%define("removeAt", function (list, at) {
  for (let i = at + 1; i < list.length; i++) list[i - 1] = list[i];
  list.length = list.length - 1;
});
// Calls the timer that is due first; time goes on to when it is due.
%define("runTimer", function (timers) {
  let first = 0;
  for (let i = 1; i < timers.length; i++) if (timers[i][1] < timers[first][1]) first = i;
  const timer = timers[first];
  %removeAt(timers, first);
  %skipTo(timer[1]);
  if (timer[4] > 0) {
    timer[1] += timer[4];
    %push(timers, timer);
  }
  timer[2](...timer[3]);
});
%install(@GLOBAL, {
  setTimeout(f, delay, ...list) { return %addTimer(f, %timerDelay(delay), list, false); },
  setInterval(f, delay, ...list) { return %addTimer(f, %timerDelay(delay), list, true); },
  setImmediate(f, ...list) { return %addTimer(f, 0, list, false); },
  clearTimeout(id) { %dropTimer(id); },
  clearInterval(id) { %dropTimer(id); },
  clearImmediate(id) { %dropTimer(id); },
});
%constant(@GLOBAL, "performance", %namespace(), 5);
%install(@GLOBAL.performance, {
  now() { return %elapsed(); },
  get timeOrigin() { return %wallClock() - %elapsed(); },
});

// --- Text ---
%install(@GLOBAL, {
  btoa(text) {
    const out = %base64(%toString(text));
    if (out === undefined) %throwNamed("InvalidCharacterError", "The string to be encoded contains characters outside of the Latin1 range.");
    return out;
  },
  atob(text) {
    const out = %unbase64(%toString(text));
    if (out === undefined) %throwNamed("InvalidCharacterError", "The string to be decoded is not correctly encoded.");
    return out;
  },
});
%define("throwNamed", function (name, message) {
  const error = %newError(@ERROR_PROTOTYPE, message);
  %constant(error, "name", name, 5);
  throw error;
});
%constructor("TextEncoder", function TextEncoder() {
  if (new.target === undefined) %typeError("Constructor TextEncoder requires 'new'");
  return %createFrom(%prototypeFor(new.target, @TEXT_ENCODER_PROTOTYPE));
}, @TEXT_ENCODER_PROTOTYPE);
%install(@TEXT_ENCODER_PROTOTYPE, {
  get encoding() { return "utf-8"; },
  encode(text = "") {
    text = %toString(text);
    const out = new (@UINT8_PROTOTYPE.constructor)(%utf8Length(text));
    %utf8Write(text, out);
    return out;
  },
  encodeInto(text, target) {
    text = %toString(text);
    if (!%isTypedArray(target)) %typeError("encodeInto needs a Uint8Array");
    const written = %utf8Write(text, target);
    return { read: %utf8Units(target, written), written };
  },
});
%constant(@TEXT_ENCODER_PROTOTYPE, @@toStringTag, "TextEncoder", 4);
%constructor("TextDecoder", function TextDecoder(label = "utf-8", options = undefined) {
  if (new.target === undefined) %typeError("Constructor TextDecoder requires 'new'");
  const encoding = %encodingOf(%toString(label));
  if (encoding < 0) %rangeError(`The encoding label provided ('${label}') is invalid.`);
  const fatal = %isObject(options) && !!options.fatal, bom = %isObject(options) && !!options.ignoreBOM;
  return %newIterator(%prototypeFor(new.target, @TEXT_DECODER_PROTOTYPE), encoding, fatal, [bom, ""], "decoder");
}, @TEXT_DECODER_PROTOTYPE);
%define("thisDecoder", function (x) { if (!%isIterator(x, "decoder")) %typeError("not a TextDecoder"); return x; });
%install(@TEXT_DECODER_PROTOTYPE, {
  get encoding() { return ["utf-8", "utf-16le", "windows-1252"][%field(%thisDecoder(this), 0)]; },
  get fatal() { return %field(%thisDecoder(this), 1); },
  get ignoreBOM() { return %field(%thisDecoder(this), 2)[0]; },
  decode(bytes, options = undefined) {
    %thisDecoder(this);
    const state = %field(this, 2);
    const more = %isObject(options) && !!options.stream;
    if (bytes === undefined) bytes = new (@UINT8_PROTOTYPE.constructor)(0);
    else if (%isBuffer(bytes)) bytes = new (@UINT8_PROTOTYPE.constructor)(bytes);
    else if (%isView(bytes)) bytes = new (@UINT8_PROTOTYPE.constructor)(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    else if (!%isTypedArray(bytes)) %typeError("decode needs an ArrayBuffer or a view of one");
    // What was left of the last piece, one character a byte, goes before.
    const out = %decode(bytes, %field(this, 0), %field(this, 1), state[1], more);
    if (out === undefined) { state[1] = ""; %typeError("The encoded data was not valid"); }
    state[1] = out[1];
    return !state[0] && out[0][0] === "\uFEFF" ? %slice(out[0], 1, out[0].length) : out[0];
  },
});
%constant(@TEXT_DECODER_PROTOTYPE, @@toStringTag, "TextDecoder", 4);

// --- URLs: fields of a URL are its text and its searchParams, of URLSearchParams the list of names and values and the URL ---
%constructor("URL", function URL(text, base = undefined) {
  if (new.target === undefined) %typeError("Constructor URL requires 'new'");
  const href = %urlParse(%toString(text), base === undefined ? "" : %toString(base), base !== undefined);
  if (href === undefined) {
    const error = %newError(@TYPE_ERROR_PROTOTYPE, "Invalid URL");
    error.code = "ERR_INVALID_URL";
    error.input = %toString(text);
    throw error;
  }
  return %newIterator(%prototypeFor(new.target, @URL_PROTOTYPE), href, undefined, undefined, "URL");
}, @URL_PROTOTYPE);
%define("thisURL", function (x) { if (!%isIterator(x, "URL")) %typeError("not a URL"); return %field(x, 0); });
%define("urlChange", function (url, part, value) {
  const href = %urlSet(%thisURL(url), part, %toString(value));
  if (href === undefined) return part === 0 ? %typeError("Invalid URL") : undefined;
  %setField(url, 0, href);
  const params = %field(url, 1);
  if (params !== undefined) %setField(params, 0, %formDecode(%urlPart(href, 8)));
});
%install(@URL_PROTOTYPE, {
  get href() { return %thisURL(this); },
  set href(x) { %urlChange(this, 0, x); },
  get origin() { return %urlPart(%thisURL(this), 10); },
  get protocol() { return %urlPart(%thisURL(this), 1); },
  set protocol(x) { %urlChange(this, 1, x); },
  get username() { return %urlPart(%thisURL(this), 2); },
  set username(x) { %urlChange(this, 2, x); },
  get password() { return %urlPart(%thisURL(this), 3); },
  set password(x) { %urlChange(this, 3, x); },
  get host() { return %urlPart(%thisURL(this), 4); },
  set host(x) { %urlChange(this, 4, x); },
  get hostname() { return %urlPart(%thisURL(this), 5); },
  set hostname(x) { %urlChange(this, 5, x); },
  get port() { return %urlPart(%thisURL(this), 6); },
  set port(x) { %urlChange(this, 6, x); },
  get pathname() { return %urlPart(%thisURL(this), 7); },
  set pathname(x) { %urlChange(this, 7, x); },
  get search() { return %urlPart(%thisURL(this), 8); },
  set search(x) { %urlChange(this, 8, x); },
  get hash() { return %urlPart(%thisURL(this), 9); },
  set hash(x) { %urlChange(this, 9, x); },
  get searchParams() {
    const href = %thisURL(this);
    let params = %field(this, 1);
    if (params === undefined) {
      params = %newIterator(@URL_SEARCH_PARAMS_PROTOTYPE, %formDecode(%urlPart(href, 8)), this, undefined, "params");
      %setField(this, 1, params);
    }
    return params;
  },
  toString() { return %thisURL(this); },
  toJSON() { return %thisURL(this); },
});
%constant(@URL_PROTOTYPE, @@toStringTag, "URL", 4);
%install(@URL_PROTOTYPE.constructor, {
  canParse(text, base = undefined) { return %urlParse(%toString(text), base === undefined ? "" : %toString(base), base !== undefined) !== undefined; },
});
%constructor("URLSearchParams", function URLSearchParams(from = undefined) {
  if (new.target === undefined) %typeError("Constructor URLSearchParams requires 'new'");
  let list = [];
  if (%isIterator(from, "params")) { for (const x of %field(from, 0)) %push(list, x); }
  else if (%isObject(from)) {
    if (%isCallable(from[@@iterator])) {
      for (const pair of from) {
        const both = [...pair];
        if (both.length !== 2) %typeError("Each query pair must be an iterable [name, value] tuple");
        %push(list, %toString(both[0]));
        %push(list, %toString(both[1]));
      }
    } else for (const name of @GLOBAL.Object.keys(from)) { %push(list, name); %push(list, %toString(from[name])); }
  } else if (from !== undefined) list = %formDecode(%toString(from));
  return %newIterator(%prototypeFor(new.target, @URL_SEARCH_PARAMS_PROTOTYPE), list, undefined, undefined, "params");
}, @URL_SEARCH_PARAMS_PROTOTYPE);
%define("thisParams", function (x) { if (!%isIterator(x, "params")) %typeError("not a URLSearchParams"); return %field(x, 0); });
%define("paramsChanged", function (params, list) {
  %setField(params, 0, list);
  const url = %field(params, 1);
  if (url === undefined) return;
  const href = %urlSet(%field(url, 0), 8, list.length === 0 ? "" : "?" + %formEncode(list));
  if (href !== undefined) %setField(url, 0, href);
});
%install(@URL_SEARCH_PARAMS_PROTOTYPE, {
  append(name, value) {
    const list = %thisParams(this);
    %push(list, %toString(name));
    %push(list, %toString(value));
    %paramsChanged(this, list);
  },
  delete(name, value = undefined) {
    const list = %thisParams(this), out = [];
    name = %toString(name);
    if (value !== undefined) value = %toString(value);
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === name && (value === undefined || list[i + 1] === value)) continue;
      %push(out, list[i]);
      %push(out, list[i + 1]);
    }
    %paramsChanged(this, out);
  },
  get(name) {
    const list = %thisParams(this);
    name = %toString(name);
    for (let i = 0; i < list.length; i += 2) if (list[i] === name) return list[i + 1];
    return null;
  },
  getAll(name) {
    const list = %thisParams(this), out = [];
    name = %toString(name);
    for (let i = 0; i < list.length; i += 2) if (list[i] === name) %push(out, list[i + 1]);
    return out;
  },
  has(name, value = undefined) {
    const list = %thisParams(this);
    name = %toString(name);
    if (value !== undefined) value = %toString(value);
    for (let i = 0; i < list.length; i += 2) if (list[i] === name && (value === undefined || list[i + 1] === value)) return true;
    return false;
  },
  set(name, value) {
    const list = %thisParams(this), out = [];
    name = %toString(name);
    value = %toString(value);
    let found = false;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] !== name) { %push(out, list[i]); %push(out, list[i + 1]); }
      else if (!found) { found = true; %push(out, name); %push(out, value); }
    }
    if (!found) { %push(out, name); %push(out, value); }
    %paramsChanged(this, out);
  },
  sort() {
    const list = %thisParams(this), pairs = [], out = [];
    for (let i = 0; i < list.length; i += 2) %push(pairs, [list[i], list[i + 1]]);
    pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    for (const pair of pairs) { %push(out, pair[0]); %push(out, pair[1]); }
    %paramsChanged(this, out);
  },
  forEach(f, self = undefined) {
    const list = %thisParams(this);
    for (let i = 0; i < list.length; i += 2) %call(f, self, list[i + 1], list[i], this);
  },
  keys() { return %paramsList(this, 0)[@@iterator](); },
  values() { return %paramsList(this, 1)[@@iterator](); },
  entries() { return %paramsList(this, 2)[@@iterator](); },
  [@@iterator]() { return %paramsList(this, 2)[@@iterator](); },
  get size() { return %thisParams(this).length / 2; },
  toString() { return %formEncode(%thisParams(this)); },
});
%define("paramsList", function (params, kind) {
  const list = %thisParams(params), out = [];
  for (let i = 0; i < list.length; i += 2) %push(out, kind === 2 ? [list[i], list[i + 1]] : list[i + kind]);
  return out;
});
%constant(@URL_SEARCH_PARAMS_PROTOTYPE, @@toStringTag, "URLSearchParams", 4);

// --- Random bytes: from where Math.random has its numbers ---
%constant(@GLOBAL, "crypto", %namespace(), 5);
%define("fillRandom", function (array) {
  const length = %typedLength(array) * %elementSize(%typedType(array)), from = %typedOffset(array);
  for (let at = 0; at < length; at += 8) %randomFill(%newTyped(@UINT8_PROTOTYPE, 1, %typedBuffer(array), from + at, length - at));
});
%install(@GLOBAL.crypto, {
  getRandomValues(array) {
    const type = %typedType(array);
    if (type < 0 || type === 7 || type === 8) %throwNamed("TypeMismatchError", "The data argument must be an integer-type TypedArray");
    if (%typedLength(array) * %elementSize(type) > 65536) %throwNamed("QuotaExceededError", `The requested length exceeds 65,536 bytes`);
    %fillRandom(array);
    return array;
  },
  randomUUID() {
    const bytes = %typedNew(@UINT8_PROTOTYPE, 1, 16);
    %fillRandom(bytes);
    bytes[6] = bytes[6] & 15 | 64;
    bytes[8] = bytes[8] & 63 | 128;
    let text = "";
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
      text += "0123456789abcdef"[bytes[i] >> 4] + "0123456789abcdef"[bytes[i] & 15];
    }
    return text;
  },
});
%constant(@GLOBAL.crypto, @@toStringTag, "Crypto", 4);

// --- structuredClone ---
%define("cloneError", function (x) { %throwNamed("DataCloneError", `${typeof x === "symbol" ? %symbolText(x) : %inspect(x, 0)} could not be cloned.`); });
%define("clone", function (x, seen) {
  if (!%isObject(x)) return typeof x === "symbol" ? %cloneError(x) : x;
  const known = %hashGet(seen, x);
  if (known !== undefined) return known;
  if (%isCallable(x) || %isProxy(x)) return %cloneError(x);
  let out;
  const inner = %wrapped(x);
  if (%isArray(x)) {
    out = [];
    out.length = x.length;
  } else if (inner !== %hole()) return typeof inner === "symbol" ? %cloneError(x) : %remember(seen, x, %toObject(inner));
  else if (%isDate(x)) return %remember(seen, x, new (@DATE_PROTOTYPE.constructor)(%thisTime(x)));
  else if (%isPattern(x)) return %remember(seen, x, new (@REGEXP_PROTOTYPE.constructor)(x.source, x.flags));
  else if (%isBuffer(x)) return %remember(seen, x, @ARRAY_BUFFER_PROTOTYPE.slice.call(x, 0));
  else if (%isTypedArray(x)) {
    const buffer = %clone(x.buffer, seen);
    return %remember(seen, x, new (%typedClass(x))(buffer, x.byteOffset, x.length));
  } else if (%isView(x)) {
    return %remember(seen, x, new (@DATA_VIEW_PROTOTYPE.constructor)(%clone(x.buffer, seen), x.byteOffset, x.byteLength));
  } else if (%isHash(x, 0)) {
    out = %remember(seen, x, %newHash(@MAP_PROTOTYPE, 0));
    const entries = [...@MAP_PROTOTYPE.entries.call(x)];
    for (const entry of entries) %hashSet(out, %clone(entry[0], seen), %clone(entry[1], seen));
    return out;
  } else if (%isHash(x, 1)) {
    out = %remember(seen, x, %newHash(@SET_PROTOTYPE, 1));
    const entries = [...@SET_PROTOTYPE.values.call(x)];
    for (const entry of entries) { const key = %clone(entry, seen); %hashSet(out, key, key); }
    return out;
  } else if (%errorKind(x)) {
    const name = x.name;
    let proto = @ERROR_PROTOTYPE;
    if (name === "TypeError") proto = @TYPE_ERROR_PROTOTYPE;
    else if (name === "RangeError") proto = @RANGE_ERROR_PROTOTYPE;
    else if (name === "SyntaxError") proto = @SYNTAX_ERROR_PROTOTYPE;
    else if (name === "ReferenceError") proto = @REFERENCE_ERROR_PROTOTYPE;
    else if (name === "EvalError") proto = @EVAL_ERROR_PROTOTYPE;
    else if (name === "URIError") proto = @URI_ERROR_PROTOTYPE;
    const message = x.message;
    out = %remember(seen, x, %newError(proto, message === undefined ? undefined : %toString(message)));
    if (%hasOwn(x, "cause")) %constant(out, "cause", %clone(x.cause, seen), 5);
    return out;
  } else if (%isPlain(x)) out = {};
  else return %cloneError(x);
  %hashSet(seen, x, out);
  const keys = @GLOBAL.Object.keys(x);
  for (let i = 0; i < keys.length; i++) out[keys[i]] = %clone(x[keys[i]], seen);
  return out;
});
%define("remember", function (seen, from, to) { %hashSet(seen, from, to); return to; });
%install(@GLOBAL, {
  structuredClone(x, options = undefined) { return %clone(x, %newHash(@MAP_PROTOTYPE, 0)); },
});

// --- The hatch ---
%install(@PROXY_PROTOTYPE, {
  get(target, key) {
    if (typeof key === "symbol") return undefined;
    if (%hasOwn(target, key)) return target[key];
    if (!%hostIsKnown(target)) {
      %operateHost(target, 2);
      if (%hasOwn(target, key)) return target[key];
    }
    if (key === "then" || key === "toJSON") return undefined;
    if (key in @OBJECT_PROTOTYPE) return @OBJECT_PROTOTYPE[key];
    return %operateHost(target, 0, key);
  },
  set(target, key, value) {
    if (typeof key === "symbol") return false;
    %operateHost(target, 1, key, value);
    return true;
  },
  has(target, key) {
    if (typeof key === "symbol") return false;
    if (!%hostIsKnown(target)) %operateHost(target, 2);
    return %hasOwn(target, key);
  },
  ownKeys(target) {
    if (!%hostIsKnown(target)) %operateHost(target, 2);
    return @GLOBAL.Reflect.ownKeys(target);
  },
  deleteProperty() { return false; },
  defineProperty() { return false; },
  setPrototypeOf() { return false; },
  preventExtensions() { return false; },
});
// What the host does with an object of the guest's: 0 construct, 1 call a method, 2 read, 3 write, 4 list.
%define("operate", function (what, x, name, list) {
  if (what === 0) return new x(...list);
  if (what === 1) {
    // Where the asker's language calls functions by a method, as Ruby does.
    if (name === "call" && %isCallable(x)) return x(...list);
    const method = x[name];
    if (!%isCallable(method)) {
      // Where the asker's language has no properties, this is how one is read.
      if (list.length === 0 && method !== undefined) return method;
      %typeError(`${name} is not a function`);
    }
    return @GLOBAL.Reflect.apply(method, x, list);
  }
  if (what === 2) return x[name];
  if (what === 3) { x[name] = list[0]; return undefined; }
  if (what === 4) return @GLOBAL.Object.keys(x);
  return undefined;
});

// --- What the run was given, and what it gives back ---
%constant(@GLOBAL, "cell", %namespace(), 5);
%install(@GLOBAL.cell, {
  get inputs() { return %inputNames(); },
  text(name) {
    const text = %inputText(%toString(name));
    if (text === undefined) %typeError(`there is no input called ${name}`);
    return text;
  },
  bytes(name) { return %toBytes((target) => %inputBytes(%toString(name), target), `there is no input called ${name}`); },
  get state() { return %inputText(); },
  get stateBytes() { return %toBytes((target) => %inputBytes(undefined, target), undefined); },
  output(data) { %give(0, %isObject(data) ? %viewOf(data) : %toString(data)); },
  keep(data) { %give(1, %isObject(data) ? %viewOf(data) : %toString(data)); },
});
%define("viewOf", function (data) {
  if (%isBuffer(data)) return new (@UINT8_PROTOTYPE.constructor)(data);
  if (%isTypedArray(data)) return data;
  return %toString(data);
});
%define("toBytes", function (fill, missing) {
  const length = fill(undefined);
  if (length === undefined) return missing === undefined ? undefined : %typeError(missing);
  const out = new (@UINT8_PROTOTYPE.constructor)(length);
  fill(out);
  return out;
});
