// RegExp.
%constructor("RegExp", function RegExp(pattern, flags) {
  const is = %isRegExp(pattern);
  let newTarget = new.target;
  if (newTarget === undefined) {
    newTarget = @REGEXP_PROTOTYPE.constructor;
    if (is && flags === undefined && pattern.constructor === newTarget) return pattern;
  }
  let source = pattern, given = flags;
  if (%isPattern(pattern)) {
    source = %field(pattern, 0);
    if (flags === undefined) given = %field(pattern, 1);
  } else if (is) {
    source = pattern.source;
    if (flags === undefined) given = pattern.flags;
  }
  const proto = %prototypeFor(newTarget, @REGEXP_PROTOTYPE);
  source = source === undefined ? "" : %toString(source);
  given = given === undefined ? "" : %toString(given);
  return %newPattern(proto, source, given);
}, @REGEXP_PROTOTYPE);
%install(@REGEXP_PROTOTYPE.constructor, {
  get [@@species]() { return this; },
  // What older programs ask for after a match.
  get $1() { return %lastMatch(1); }, get $2() { return %lastMatch(2); }, get $3() { return %lastMatch(3); },
  get $4() { return %lastMatch(4); }, get $5() { return %lastMatch(5); }, get $6() { return %lastMatch(6); },
  get $7() { return %lastMatch(7); }, get $8() { return %lastMatch(8); }, get $9() { return %lastMatch(9); },
  get lastMatch() { return %lastMatch(0); }, get "$&"() { return %lastMatch(0); },
  get lastParen() { return %lastMatch(10); }, get "$+"() { return %lastMatch(10); },
  get input() { return %lastMatch(11); }, set input(text) {}, get $_() { return %lastMatch(11); }, set $_(text) {},
  get leftContext() { return %lastMatch(12); }, get "$`"() { return %lastMatch(12); },
  get rightContext() { return %lastMatch(13); }, get "$'"() { return %lastMatch(13); },
});
%define("setLastIndex", function (r, n) { r.lastIndex = n; });
%define("patternBuiltinExec", function (r, text) {
  const lastIndex = %toLength(r.lastIndex);
  const flags = %field(r, 1);
  const global = %stringIncludes(flags, "g", 0), sticky = %stringIncludes(flags, "y", 0);
  const from = global || sticky ? lastIndex : 0;
  const found = from > text.length ? null : %patternMatch(r, text, from, sticky);
  if (found === null) {
    if (global || sticky) %setLastIndex(r, 0);
    return null;
  }
  if (global || sticky) %setLastIndex(r, found[1]);
  const result = [];
  for (let i = 0; i < found.length; i += 2) %push(result, found[i] < 0 ? undefined : %stringPart(text, found[i], found[i + 1]));
  %createDataProperty(result, "index", found[0]);
  %createDataProperty(result, "input", text);
  const names = %patternNames(r);
  let groups = undefined;
  if (names.length > 0) {
    groups = %createFrom(null);
    for (let i = 0; i < names.length; i += 2) {
      const value = result[names[i]];
      if (value !== undefined || !(names[i + 1] in groups)) %createDataProperty(groups, names[i + 1], value);
    }
  }
  %createDataProperty(result, "groups", groups);
  if (%stringIncludes(flags, "d", 0)) {
    const indices = [];
    for (let i = 0; i < found.length; i += 2) %push(indices, found[i] < 0 ? undefined : [found[i], found[i + 1]]);
    let named = undefined;
    if (groups !== undefined) {
      named = %createFrom(null);
      for (let i = 0; i < names.length; i += 2) {
        const value = indices[names[i]];
        if (value !== undefined || !(names[i + 1] in named)) %createDataProperty(named, names[i + 1], value);
      }
    }
    %createDataProperty(indices, "groups", named);
    %createDataProperty(result, "indices", indices);
  }
  return result;
});
%define("patternExec", function (r, text) {
  const exec = r.exec;
  if (%isCallable(exec)) {
    const result = %call(exec, r, text);
    if (result !== null && !%isObject(result)) %typeError("exec result is neither object nor null");
    return result;
  }
  if (!%isPattern(r)) %typeError("RegExp.prototype.exec called on incompatible receiver");
  return %patternBuiltinExec(r, text);
});
%define("advance", function (text, at, unicode) {
  if (!unicode || at + 1 >= text.length) return at + 1;
  return at + (text.codePointAt(at) > 65535 ? 2 : 1);
});
%define("needObject", function (x) { if (!%isObject(x)) %typeError("RegExp method called on incompatible receiver"); });
%define("flagGetter", function (r, letter) {
  %needObject(r);
  if (!%isPattern(r)) {
    if (r === @REGEXP_PROTOTYPE) return undefined;
    %typeError("RegExp flag getter called on incompatible receiver");
  }
  return %stringIncludes(%field(r, 1), letter, 0);
});
%install(@REGEXP_PROTOTYPE, {
  exec(text) {
    if (!%isPattern(this)) %typeError("RegExp.prototype.exec called on incompatible receiver");
    return %patternBuiltinExec(this, %toString(text));
  },
  test(text) {
    %needObject(this);
    return %patternExec(this, %toString(text)) !== null;
  },
  toString() {
    %needObject(this);
    return `/${%toString(this.source)}/${%toString(this.flags)}`;
  },
  compile(pattern, flags) {
    if (!%isPattern(this)) %typeError("RegExp.prototype.compile called on incompatible receiver");
    if (%isPattern(pattern)) {
      if (flags !== undefined) %typeError("flags must be undefined");
      %patternInit(this, %field(pattern, 0), %field(pattern, 1));
    } else %patternInit(this, pattern === undefined ? "" : %toString(pattern), flags === undefined ? "" : %toString(flags));
    this.lastIndex = 0;
    return this;
  },
  get source() {
    %needObject(this);
    if (!%isPattern(this)) {
      if (this === @REGEXP_PROTOTYPE) return "(?:)";
      %typeError("RegExp.prototype.source getter called on incompatible receiver");
    }
    return %patternSource(%field(this, 0));
  },
  get flags() {
    %needObject(this);
    let text = "";
    if (this.hasIndices) text += "d";
    if (this.global) text += "g";
    if (this.ignoreCase) text += "i";
    if (this.multiline) text += "m";
    if (this.dotAll) text += "s";
    if (this.unicode) text += "u";
    if (this.unicodeSets) text += "v";
    if (this.sticky) text += "y";
    return text;
  },
  get hasIndices() { return %flagGetter(this, "d"); },
  get global() { return %flagGetter(this, "g"); },
  get ignoreCase() { return %flagGetter(this, "i"); },
  get multiline() { return %flagGetter(this, "m"); },
  get dotAll() { return %flagGetter(this, "s"); },
  get unicode() { return %flagGetter(this, "u"); },
  get unicodeSets() { return %flagGetter(this, "v"); },
  get sticky() { return %flagGetter(this, "y"); },
  [@@match](text) {
    %needObject(this);
    text = %toString(text);
    const flags = %toString(this.flags);
    if (!%stringIncludes(flags, "g", 0)) return %patternExec(this, text);
    const unicode = %stringIncludes(flags, "u", 0) || %stringIncludes(flags, "v", 0);
    this.lastIndex = 0;
    const list = [];
    for (;;) {
      const result = %patternExec(this, text);
      if (result === null) return list.length === 0 ? null : list;
      const matched = %toString(result[0]);
      %push(list, matched);
      if (matched === "") this.lastIndex = %advance(text, %toLength(this.lastIndex), unicode);
    }
  },
  [@@matchAll](text) {
    %needObject(this);
    text = %toString(text);
    const C = %speciesConstructor(this, @REGEXP_PROTOTYPE.constructor);
    const flags = %toString(this.flags);
    const matcher = new C(this, flags);
    matcher.lastIndex = %toLength(this.lastIndex);
    const mode = (%stringIncludes(flags, "g", 0) ? 1 : 0) + (%stringIncludes(flags, "u", 0) || %stringIncludes(flags, "v", 0) ? 2 : 0);
    return %newIterator(@REGEXP_STRING_ITERATOR_PROTOTYPE, matcher, text, mode, "pattern");
  },
  [@@replace](text, replacement) {
    %needObject(this);
    text = %toString(text);
    const functional = %isCallable(replacement);
    if (!functional) replacement = %toString(replacement);
    const flags = %toString(this.flags);
    const global = %stringIncludes(flags, "g", 0);
    const unicode = %stringIncludes(flags, "u", 0) || %stringIncludes(flags, "v", 0);
    if (global) this.lastIndex = 0;
    const results = [];
    for (;;) {
      const result = %patternExec(this, text);
      if (result === null) break;
      %push(results, result);
      if (!global) break;
      if (%toString(result[0]) === "") this.lastIndex = %advance(text, %toLength(this.lastIndex), unicode);
    }
    let out = "", next = 0;
    for (let i = 0; i < results.length; i++) {
      const result = results[i];
      let count = %lengthOf(result) - 1;
      if (count < 0) count = 0;
      const matched = %toString(result[0]);
      let position = %toIntegerOrInfinity(result.index);
      if (position < 0) position = 0;
      if (position > text.length) position = text.length;
      const captures = [];
      for (let n = 1; n <= count; n++) {
        const capture = result[n];
        %push(captures, capture === undefined ? undefined : %toString(capture));
      }
      let groups = result.groups, part;
      if (functional) {
        const list = [matched, ...captures, position, text];
        if (groups !== undefined) %push(list, groups);
        part = %toString(%apply(replacement, undefined, list));
      } else {
        if (groups !== undefined) groups = %toObject(groups);
        part = %substitution(matched, text, position, captures, groups, replacement);
      }
      if (position >= next) {
        out += %stringPart(text, next, position) + part;
        next = position + matched.length;
      }
    }
    return next >= text.length ? out : out + %stringPart(text, next);
  },
  [@@search](text) {
    %needObject(this);
    text = %toString(text);
    const before = this.lastIndex;
    if (!%sameValue(before, 0)) this.lastIndex = 0;
    const result = %patternExec(this, text);
    const after = this.lastIndex;
    if (!%sameValue(after, before)) this.lastIndex = before;
    return result === null ? -1 : result.index;
  },
  [@@split](text, limit) {
    %needObject(this);
    text = %toString(text);
    const C = %speciesConstructor(this, @REGEXP_PROTOTYPE.constructor);
    const flags = %toString(this.flags);
    const unicode = %stringIncludes(flags, "u", 0) || %stringIncludes(flags, "v", 0);
    const splitter = new C(this, %stringIncludes(flags, "y", 0) ? flags : flags + "y");
    const list = [];
    const most = limit === undefined ? 4294967295 : limit >>> 0;
    if (most === 0) return list;
    if (text.length === 0) {
      if (%patternExec(splitter, text) !== null) return list;
      return [text];
    }
    let p = 0, q = 0;
    while (q < text.length) {
      splitter.lastIndex = q;
      const result = %patternExec(splitter, text);
      if (result === null) { q = %advance(text, q, unicode); continue; }
      let e = %toLength(splitter.lastIndex);
      if (e > text.length) e = text.length;
      if (e === p) { q = %advance(text, q, unicode); continue; }
      %push(list, %stringPart(text, p, q));
      if (list.length === most) return list;
      p = e;
      let count = %lengthOf(result) - 1;
      for (let i = 1; i <= count; i++) {
        %push(list, result[i]);
        if (list.length === most) return list;
      }
      q = p;
    }
    %push(list, %stringPart(text, p));
    return list;
  },
});
%install(@REGEXP_STRING_ITERATOR_PROTOTYPE, {
  next() {
    if (!%isIterator(this, "pattern")) %typeError("next method called on incompatible receiver");
    const r = %field(this, 0), text = %field(this, 1), mode = %field(this, 2);
    if (r === undefined) return %iteratorResult(undefined, true);
    const result = %patternExec(r, text);
    if (result === null || (mode & 1) === 0) %setField(this, 0, undefined);
    if (result === null) return %iteratorResult(undefined, true);
    if ((mode & 1) === 1 && %toString(result[0]) === "") r.lastIndex = %advance(text, %toLength(r.lastIndex), (mode & 2) === 2);
    return %iteratorResult(result, false);
  },
});
%constant(@REGEXP_STRING_ITERATOR_PROTOTYPE, @@toStringTag, "RegExp String Iterator", 4);
