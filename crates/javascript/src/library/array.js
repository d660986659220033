// Array.
%define("newArray", function (length) {
  if (length > 4294967295) %rangeError("Invalid array length");
  const array = [];
  array.length = length;
  return array;
});
%define("arrayCreate", function (length, proto) {
  const array = %newArray(length);
  if (proto !== @ARRAY_PROTOTYPE) %setPrototypeOf(array, proto);
  return array;
});
%define("arraySpecies", function (original, length) {
  if (!%isArrayLike(original)) return %newArray(length);
  let C = original.constructor;
  if (%isObject(C)) {
    C = C[@@species];
    if (C === null) C = undefined;
  }
  if (C === undefined || C === @ARRAY_PROTOTYPE.constructor) return %newArray(length);
  if (!%isConstructor(C)) %typeError("object.constructor[Symbol.species] is not a constructor");
  return new C(length);
});
%constructor("Array", function Array(length) {
  const proto = new.target === undefined ? @ARRAY_PROTOTYPE : %prototypeFor(new.target, @ARRAY_PROTOTYPE);
  const count = arguments.length;
  if (count === 1) {
    if (typeof length !== "number") {
      const array = %arrayCreate(0, proto);
      %createDataProperty(array, "0", length);
      return array;
    }
    if (length >>> 0 !== length) %rangeError("Invalid array length");
    return %arrayCreate(length, proto);
  }
  const array = %arrayCreate(count, proto);
  for (let i = 0; i < count; i++) array[i] = arguments[i];
  return array;
}, @ARRAY_PROTOTYPE);
%install(@ARRAY_PROTOTYPE.constructor, {
  isArray(x) { return %isArrayLike(x); },
  of(...items) {
    const length = items.length;
    const array = %isConstructor(this) ? new this(length) : %newArray(length);
    for (let i = 0; i < length; i++) %createDataProperty(array, i, items[i]);
    array.length = length;
    return array;
  },
  from(items, mapper = undefined, self = undefined) {
    if (mapper !== undefined && !%isCallable(mapper)) %typeError(`${%show(mapper)} is not a function`);
    const method = items[@@iterator];
    if (method !== undefined && method !== null) {
      if (!%isCallable(method)) %typeError("Symbol.iterator is not a function");
      const array = %isConstructor(this) ? new this() : [];
      let k = 0;
      for (const item of %iterableOf(items, method)) {
        %createDataProperty(array, k, mapper === undefined ? item : %call(mapper, self, item, k));
        k++;
      }
      array.length = k;
      return array;
    }
    const source = %toObject(items);
    const length = %lengthOf(source);
    const array = %isConstructor(this) ? new this(length) : %newArray(length);
    for (let k = 0; k < length; k++) %createDataProperty(array, k, mapper === undefined ? source[k] : %call(mapper, self, source[k], k));
    array.length = length;
    return array;
  },
  get [@@species]() { return this; },
});
%define("iterableOf", function (items, method) { return { __proto__: null, [@@iterator]() { return %call(method, items); } }; });
%define("callback", function (f) { if (!%isCallable(f)) %typeError(`${%show(f)} is not a function`); });

%install(@ARRAY_PROTOTYPE, {
  at(index) {
    const o = %toObject(this), length = %lengthOf(o);
    let k = %toIntegerOrInfinity(index);
    if (k < 0) k += length;
    return k < 0 || k >= length ? undefined : o[k];
  },
  concat(...items) {
    const o = %toObject(this);
    const out = %arraySpecies(o, 0);
    let n = 0;
    for (let i = -1; i < items.length; i++) {
      const item = i < 0 ? o : items[i];
      let spread = false;
      if (%isObject(item)) {
        const s = item[@@isConcatSpreadable];
        spread = s === undefined ? %isArrayLike(item) : !!s;
      }
      if (spread) {
        const length = %lengthOf(item);
        if (n + length > 9007199254740991) %typeError("array too long");
        for (let k = 0; k < length; k++, n++) if (k in item) %createDataProperty(out, n, item[k]);
      } else {
        if (n >= 9007199254740991) %typeError("array too long");
        %createDataProperty(out, n++, item);
      }
    }
    out.length = n;
    return out;
  },
  copyWithin(target, start, end = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    let to = %relative(target, length, 0), from = %relative(start, length, 0);
    const final = %relative(end, length, length);
    let count = final - from < length - to ? final - from : length - to;
    let step = 1;
    if (from < to && to < from + count) { step = -1; from += count - 1; to += count - 1; }
    for (; count > 0; count--, from += step, to += step) {
      if (from in o) o[to] = o[from];
      else delete o[to];
    }
    return o;
  },
  entries() { return %newIterator(@ARRAY_ITERATOR_PROTOTYPE, %toObject(this), 0, 2, "array"); },
  keys() { return %newIterator(@ARRAY_ITERATOR_PROTOTYPE, %toObject(this), 0, 1, "array"); },
  values() { return %newIterator(@ARRAY_ITERATOR_PROTOTYPE, %toObject(this), 0, 0, "array"); },
  every(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    for (let k = 0; k < length; k++) {
      k = %eachEvery(o, k, length, f, self, undefined);
      if (k >= length) break;
      if (k < 0) return false;
      if (k in o && !%call(f, self, o[k], k, o)) return false;
    }
    return true;
  },
  some(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    for (let k = 0; k < length; k++) {
      k = %eachSome(o, k, length, f, self, undefined);
      if (k >= length) break;
      if (k < 0) return true;
      if (k in o && %call(f, self, o[k], k, o)) return true;
    }
    return false;
  },
  fill(value, start = undefined, end = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    const from = %relative(start, length, 0), to = %relative(end, length, length);
    for (let k = from; k < to; k++) o[k] = value;
    return o;
  },
  filter(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    const own = %hasPlainSpecies(o);
    const out = own ? [] : %arraySpecies(o, 0);
    let n = 0;
    for (let k = 0; k < length; k++) {
      if (own) {
        k = %eachFilter(o, k, length, f, self, out);
        if (k >= length) break;
        n = out.length;
      }
      if (k in o) {
        const item = o[k];
        if (%call(f, self, item, k, o)) %createDataProperty(out, n++, item);
      }
    }
    return out;
  },
  find(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    for (let k = 0; k < length; k++) {
      let item;
      k = %eachSome(o, k, length, f, self, item);
      if (k >= length) break;
      if (k < 0) return item;
      item = o[k];
      if (%call(f, self, item, k, o)) return item;
    }
  },
  findIndex(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    for (let k = 0; k < length; k++) {
      k = %eachSome(o, k, length, f, self, undefined);
      if (k >= length) break;
      if (k < 0) return -1 - k;
      if (%call(f, self, o[k], k, o)) return k;
    }
    return -1;
  },
  findLast(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    for (let k = length - 1; k >= 0; k--) { const item = o[k]; if (%call(f, self, item, k, o)) return item; }
  },
  findLastIndex(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    for (let k = length - 1; k >= 0; k--) if (%call(f, self, o[k], k, o)) return k;
    return -1;
  },
  flat(depth = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    let d = 1;
    if (depth !== undefined) { d = %toIntegerOrInfinity(depth); if (d < 0) d = 0; }
    const out = %arraySpecies(o, 0);
    %flatten(out, o, length, 0, d, undefined, undefined);
    return out;
  },
  flatMap(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    const out = %arraySpecies(o, 0);
    %flatten(out, o, length, 0, 1, f, self);
    return out;
  },
  forEach(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    for (let k = 0; k < length; k++) {
      k = %each(o, k, length, f, self, undefined);
      if (k >= length) break;
      if (k in o) %call(f, self, o[k], k, o);
    }
  },
  includes(x, start = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    if (length === 0) return false;
    for (let k = %relative(start, length, 0); k < length; k++) if (%sameValueZero(o[k], x)) return true;
    return false;
  },
  indexOf(x, start = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    if (length === 0) return -1;
    for (let k = %relative(start, length, 0); k < length; k++) if (k in o && o[k] === x) return k;
    return -1;
  },
  join(separator) {
    const o = %toObject(this), length = %lengthOf(o);
    const between = separator === undefined ? "," : %toString(separator);
    let text = "";
    for (let k = 0; k < length; k++) {
      if (k > 0) text += between;
      const item = o[k];
      if (item !== undefined && item !== null) text += %toString(item);
    }
    return text;
  },
  lastIndexOf(x) {
    const o = %toObject(this), length = %lengthOf(o);
    if (length === 0) return -1;
    let k = length - 1;
    if (arguments.length > 1) {
      const n = %toIntegerOrInfinity(arguments[1]);
      k = n < 0 ? length + n : n < length - 1 ? n : length - 1;
    }
    for (; k >= 0; k--) if (k in o && o[k] === x) return k;
    return -1;
  },
  map(f, self = undefined) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    const out = %arraySpecies(o, length);
    for (let k = 0; k < length; k++) {
      k = %eachMap(o, k, length, f, self, out);
      if (k >= length) break;
      if (k in o) %createDataProperty(out, k, %call(f, self, o[k], k, o));
    }
    return out;
  },
  pop() {
    const o = %toObject(this), length = %lengthOf(o);
    if (length === 0) { o.length = 0; return undefined; }
    const item = o[length - 1];
    if (!delete o[length - 1]) %typeError("Cannot delete");
    o.length = length - 1;
    return item;
  },
  push(...items) {
    const o = %toObject(this);
    let length = %lengthOf(o);
    if (length + items.length > 9007199254740991) %typeError("array too long");
    for (let i = 0; i < items.length; i++) o[length++] = items[i];
    o.length = length;
    return length;
  },
  reduce(f) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    let k = 0, result;
    if (arguments.length > 1) result = arguments[1];
    else {
      while (k < length && !(k in o)) k++;
      if (k >= length) %typeError("Reduce of empty array with no initial value");
      result = o[k++];
    }
    for (; k < length; k++) {
      k = %eachReduce(o, k, length, f, undefined, result);
      if (k >= length) break;
      if (k in o) result = %call(f, undefined, result, o[k], k, o);
    }
    return result;
  },
  reduceRight(f) {
    const o = %toObject(this), length = %lengthOf(o);
    %callback(f);
    let k = length - 1, result;
    if (arguments.length > 1) result = arguments[1];
    else {
      while (k >= 0 && !(k in o)) k--;
      if (k < 0) %typeError("Reduce of empty array with no initial value");
      result = o[k--];
    }
    for (; k >= 0; k--) if (k in o) result = %call(f, undefined, result, o[k], k, o);
    return result;
  },
  reverse() {
    const o = %toObject(this), length = %lengthOf(o);
    for (let low = 0, high = length - 1; low < high; low++, high--) {
      const hasLow = low in o;
      const a = hasLow ? o[low] : undefined;
      const hasHigh = high in o;
      const b = hasHigh ? o[high] : undefined;
      if (hasHigh) o[low] = b; else if (hasLow) delete o[low];
      if (hasLow) o[high] = a; else if (hasHigh) delete o[high];
    }
    return o;
  },
  shift() {
    const o = %toObject(this), length = %lengthOf(o);
    if (length === 0) { o.length = 0; return undefined; }
    const first = o[0];
    for (let k = 1; k < length; k++) {
      if (k in o) o[k - 1] = o[k];
      else delete o[k - 1];
    }
    delete o[length - 1];
    o.length = length - 1;
    return first;
  },
  slice(start, end) {
    const o = %toObject(this), length = %lengthOf(o);
    const from = %relative(start, length, 0), to = %relative(end, length, length);
    const out = %arraySpecies(o, to > from ? to - from : 0);
    let n = 0;
    for (let k = from; k < to; k++, n++) if (k in o) %createDataProperty(out, n, o[k]);
    out.length = n;
    return out;
  },
  sort(compare) {
    if (compare !== undefined && !%isCallable(compare)) %typeError("The comparison function must be either a function or undefined");
    const o = %toObject(this), length = %lengthOf(o);
    let list = %sortList(o, length);
    if (list === undefined) {
      list = [];
      for (let k = 0; k < length; k++) if (k in o) %push(list, o[k]);
    }
    const sorted = %mergeSort(list, compare);
    if (%sortStore(o, sorted, length)) return o;
    let k = 0;
    for (; k < sorted.length; k++) o[k] = sorted[k];
    for (; k < length; k++) if (k in o) delete o[k];
    return o;
  },
  splice(start, deleteCount, ...items) {
    const o = %toObject(this), length = %lengthOf(o);
    const from = %relative(start, length, 0);
    let count = arguments.length === 0 ? 0 : arguments.length === 1 ? length - from : %toIntegerOrInfinity(deleteCount);
    if (count < 0) count = 0;
    if (count > length - from) count = length - from;
    if (length + items.length - count > 9007199254740991) %typeError("array too long");
    const out = %arraySpecies(o, count);
    for (let k = 0; k < count; k++) if (from + k in o) %createDataProperty(out, k, o[from + k]);
    out.length = count;
    const add = items.length;
    if (add < count) {
      for (let k = from; k < length - count; k++) {
        if (k + count in o) o[k + add] = o[k + count];
        else delete o[k + add];
      }
      for (let k = length; k > length - count + add; k--) delete o[k - 1];
    } else if (add > count) {
      for (let k = length - count; k > from; k--) {
        if (k + count - 1 in o) o[k + add - 1] = o[k + count - 1];
        else delete o[k + add - 1];
      }
    }
    for (let k = 0; k < add; k++) o[from + k] = items[k];
    o.length = length - count + add;
    return out;
  },
  toLocaleString() {
    const o = %toObject(this), length = %lengthOf(o);
    let text = "";
    for (let k = 0; k < length; k++) {
      if (k > 0) text += ",";
      const item = o[k];
      if (item !== undefined && item !== null) text += %toString(item.toLocaleString());
    }
    return text;
  },
  toReversed() {
    const o = %toObject(this), length = %lengthOf(o);
    const out = %newArray(length);
    for (let k = 0; k < length; k++) out[k] = o[length - 1 - k];
    return out;
  },
  toSorted(compare) {
    if (compare !== undefined && !%isCallable(compare)) %typeError("The comparison function must be either a function or undefined");
    const o = %toObject(this), length = %lengthOf(o);
    if (length > 4294967295) %rangeError("Invalid array length");
    const list = [];
    for (let k = 0; k < length; k++) %push(list, o[k]);
    return %mergeSort(list, compare);
  },
  toSpliced(start, skip, ...items) {
    const o = %toObject(this), length = %lengthOf(o);
    const from = %relative(start, length, 0);
    let count = arguments.length === 0 ? 0 : arguments.length === 1 ? length - from : %toIntegerOrInfinity(skip);
    if (count < 0) count = 0;
    if (count > length - from) count = length - from;
    const total = length + items.length - count;
    if (total > 9007199254740991) %typeError("array too long");
    const out = %newArray(total);
    let n = 0;
    for (let k = 0; k < from; k++) out[n++] = o[k];
    for (let k = 0; k < items.length; k++) out[n++] = items[k];
    for (let k = from + count; k < length; k++) out[n++] = o[k];
    return out;
  },
  toString() {
    const o = %toObject(this);
    const join = o.join;
    return %isCallable(join) ? %call(join, o) : %objectText(o);
  },
  unshift(...items) {
    const o = %toObject(this), length = %lengthOf(o), add = items.length;
    if (add > 0) {
      if (length + add > 9007199254740991) %typeError("array too long");
      for (let k = length; k > 0; k--) {
        if (k - 1 in o) o[k + add - 1] = o[k - 1];
        else delete o[k + add - 1];
      }
      for (let k = 0; k < add; k++) o[k] = items[k];
    }
    o.length = length + add;
    return length + add;
  },
  with(index, value) {
    const o = %toObject(this), length = %lengthOf(o);
    let k = %toIntegerOrInfinity(index);
    if (k < 0) k += length;
    if (k < 0 || k >= length) %rangeError("Invalid index");
    const out = %newArray(length);
    for (let i = 0; i < length; i++) out[i] = i === k ? value : o[i];
    return out;
  },
});
%alias(@ARRAY_PROTOTYPE, @@iterator, @ARRAY_PROTOTYPE, "values");
%keepArrayValues(@ARRAY_PROTOTYPE.values);
%setLength(@ARRAY_PROTOTYPE, "concat", 1);
%setLength(@ARRAY_PROTOTYPE, "push", 1);
%setLength(@ARRAY_PROTOTYPE, "unshift", 1);
%constant(@ARRAY_PROTOTYPE, @@unscopables, %namespace(null), 4);
%define("unscopable", function (list) {
  for (let i = 0; i < list.length; i++) %constant(@ARRAY_PROTOTYPE[@@unscopables], list[i], true, 7);
});
%unscopable(["at", "copyWithin", "entries", "fill", "find", "findIndex", "findLast", "findLastIndex", "flat", "flatMap", "includes", "keys",
  "toReversed", "toSorted", "toSpliced", "values"]);
%define("flatten", function (out, source, length, n, depth, f, self) {
  for (let k = 0; k < length; k++) {
    if (!(k in source)) continue;
    let item = source[k];
    if (f !== undefined) item = %call(f, self, item, k, source);
    if (depth > 0 && %isArrayLike(item)) n = %flatten(out, item, %lengthOf(item), n, depth - 1, undefined, undefined);
    else %createDataProperty(out, n++, item);
  }
  return n;
});
// A stable merge sort; undefined last.
%define("mergeSort", function (list, compare) {
  const length = list.length, count = %dropUndefined(list);
  let from = list;
  if (count < 2) return %sortEnd(list, count, length);
  if (compare === undefined) {
    const sorted = %sortPlain(from, %dense(length), count);
    if (sorted !== undefined) from = sorted;
    else {
      const pairs = [];
      for (let i = 0; i < count; i++) %push(pairs, [%toString(from[i]), from[i]]);
      const sorted = %sortRuns(pairs, %dense(count), (p, q) => p[0] < q[0] ? -1 : p[0] > q[0] ? 1 : 0, count);
      for (let i = 0; i < count; i++) from[i] = sorted[i][1];
    }
  } else {
    from = %sortRuns(from, %dense(length), compare, count);
  }
  return %sortEnd(from, count, length);
});
