// ArrayBuffer, typed arrays, DataView.
%define("thisBuffer", function (x, name) {
  if (!%isBuffer(x)) %typeError(`Method ArrayBuffer.prototype.${name} called on incompatible receiver ${%brief(x)}`);
});
%define("attached", function (buffer) {
  if (%bufferDetached(buffer)) %typeError("Cannot perform the operation on a detached ArrayBuffer");
});
%constructor("ArrayBuffer", function ArrayBuffer(length, options = undefined) {
  if (new.target === undefined) %typeError("Constructor ArrayBuffer requires 'new'");
  const bytes = %toIndex(length);
  let most = undefined;
  if (%isObject(options)) {
    most = options.maxByteLength;
    if (most !== undefined) most = %toIndex(most);
  }
  const proto = most !== undefined && bytes > most ? %rangeError("Invalid array buffer max length") : %prototypeFor(new.target, @ARRAY_BUFFER_PROTOTYPE);
  return %newBuffer(proto, bytes, most);
}, @ARRAY_BUFFER_PROTOTYPE);
%install(@ARRAY_BUFFER_PROTOTYPE.constructor, {
  isView(x) { return %isTypedArray(x) || %isView(x); },
  get [@@species]() { return this; },
});
%define("transferBuffer", function (buffer, length, keep) {
  const bytes = length === undefined ? %bufferLength(buffer) : %toIndex(length);
  %attached(buffer);
  const most = keep ? %bufferMax(buffer) : undefined;
  if (most !== undefined && bytes > most) %rangeError("Invalid array buffer length");
  const out = %newBuffer(@ARRAY_BUFFER_PROTOTYPE, bytes, most);
  %bufferCopy(out, 0, buffer, 0, bytes);
  %bufferDetach(buffer);
  return out;
});
%install(@ARRAY_BUFFER_PROTOTYPE, {
  get byteLength() { %thisBuffer(this, "byteLength"); return %bufferLength(this); },
  get detached() { %thisBuffer(this, "detached"); return %bufferDetached(this); },
  get maxByteLength() {
    %thisBuffer(this, "maxByteLength");
    const most = %bufferMax(this);
    return most === undefined ? %bufferLength(this) : most;
  },
  get resizable() { %thisBuffer(this, "resizable"); return %bufferMax(this) !== undefined; },
  resize(length) {
    %thisBuffer(this, "resize");
    const most = %bufferMax(this);
    if (most === undefined) %typeError("Method ArrayBuffer.prototype.resize called on a buffer of a fixed length");
    const bytes = %toIndex(length);
    %attached(this);
    if (bytes > %bufferMax(this)) %rangeError("ArrayBuffer.prototype.resize: Invalid length parameter");
    %bufferResize(this, bytes);
  },
  slice(start, end) {
    %thisBuffer(this, "slice");
    %attached(this);
    const length = %bufferLength(this);
    const from = %relative(start, length, 0), to = %relative(end, length, length);
    const count = to > from ? to - from : 0;
    const C = %speciesConstructor(this, @ARRAY_BUFFER_PROTOTYPE.constructor);
    const out = new C(count);
    %thisBuffer(out, "slice");
    %attached(out);
    if (out === this) %typeError("ArrayBuffer subclass returned this from species constructor");
    if (%bufferLength(out) < count) %typeError("Species constructor returned a too small ArrayBuffer");
    %attached(this);
    %bufferCopy(out, 0, this, from, count);
    return out;
  },
  transfer(length = undefined) { %thisBuffer(this, "transfer"); return %transferBuffer(this, length, true); },
  transferToFixedLength(length = undefined) { %thisBuffer(this, "transferToFixedLength"); return %transferBuffer(this, length, false); },
});
%constant(@ARRAY_BUFFER_PROTOTYPE, @@toStringTag, "ArrayBuffer", 4);

// --- Typed arrays ---
%define("typedNew", function (proto, type, length) {
  return %newTyped(proto, type, %newBuffer(@ARRAY_BUFFER_PROTOTYPE, length * %elementSize(type), undefined), 0, length);
});
%define("isBigType", function (type) { return type >= 9; });
%define("typedConstruct", function (newTarget, type, fallback, first, offset, length) {
  if (newTarget === undefined) %typeError("Constructor of typed arrays requires 'new'");
  if (!%isObject(first)) {
    const count = %toIndex(first);
    return %typedNew(%prototypeFor(newTarget, fallback), type, count);
  }
  const proto = %prototypeFor(newTarget, fallback);
  if (%isBuffer(first)) {
    const size = %elementSize(type);
    const at = %toIndex(offset);
    if (at % size !== 0) %rangeError(`start offset of typed array should be a multiple of ${size}`);
    let count = undefined;
    if (length !== undefined) count = %toIndex(length);
    %attached(first);
    const bytes = %bufferLength(first);
    if (count === undefined) {
      if (%bufferMax(first) === undefined) {
        if (bytes % size !== 0) %rangeError(`byte length of typed array should be a multiple of ${size}`);
        if (at > bytes) %rangeError(`Start offset ${at} is outside the bounds of the buffer`);
        count = (bytes - at) / size;
      } else if (at > bytes) %rangeError(`Start offset ${at} is outside the bounds of the buffer`);
    } else if (at + count * size > bytes) %rangeError(`Invalid typed array length: ${count}`);
    return %newTyped(proto, type, first, at, count);
  }
  if (%isTypedArray(first)) {
    if (%typedOut(first)) %typeError("Cannot construct from a detached or out of bounds typed array");
    const count = %typedLength(first);
    const out = %typedNew(proto, type, count);
    if (%isBigType(%typedType(first)) !== %isBigType(type)) %typeError("Cannot mix BigInt and other types, use explicit conversions");
    %typedCopy(out, 0, first, 0, count);
    return out;
  }
  const method = first[@@iterator];
  if (method !== undefined && method !== null) {
    if (!%isCallable(method)) %typeError("Symbol.iterator is not a function");
    const list = %listOf(first, method);
    const out = %typedNew(proto, type, list.length);
    for (let i = 0; i < list.length; i++) out[i] = list[i];
    return out;
  }
  const count = %lengthOf(first);
  const out = %typedNew(proto, type, count);
  for (let i = 0; i < count; i++) out[i] = first[i];
  return out;
});
// What an iterable yields, given its method.
%define("listOf", function (source, method) {
  const iterator = %call(method, source);
  if (!%isObject(iterator)) %typeError("Result of the Symbol.iterator method is not an object");
  return %iteratorRest(iterator, iterator.next);
});
%constructor("TypedArray", function TypedArray() { %typeError("Abstract class TypedArray not directly constructable"); }, @TYPED_ARRAY_PROTOTYPE, undefined, true);
%constructor("Int8Array", function Int8Array(first, offset, length) {
  return %typedConstruct(new.target, 0, @INT8_PROTOTYPE, first, offset, length);
}, @INT8_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("Uint8Array", function Uint8Array(first, offset, length) {
  return %typedConstruct(new.target, 1, @UINT8_PROTOTYPE, first, offset, length);
}, @UINT8_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("Uint8ClampedArray", function Uint8ClampedArray(first, offset, length) {
  return %typedConstruct(new.target, 2, @UINT8C_PROTOTYPE, first, offset, length);
}, @UINT8C_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("Int16Array", function Int16Array(first, offset, length) {
  return %typedConstruct(new.target, 3, @INT16_PROTOTYPE, first, offset, length);
}, @INT16_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("Uint16Array", function Uint16Array(first, offset, length) {
  return %typedConstruct(new.target, 4, @UINT16_PROTOTYPE, first, offset, length);
}, @UINT16_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("Int32Array", function Int32Array(first, offset, length) {
  return %typedConstruct(new.target, 5, @INT32_PROTOTYPE, first, offset, length);
}, @INT32_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("Uint32Array", function Uint32Array(first, offset, length) {
  return %typedConstruct(new.target, 6, @UINT32_PROTOTYPE, first, offset, length);
}, @UINT32_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("Float32Array", function Float32Array(first, offset, length) {
  return %typedConstruct(new.target, 7, @FLOAT32_PROTOTYPE, first, offset, length);
}, @FLOAT32_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("Float64Array", function Float64Array(first, offset, length) {
  return %typedConstruct(new.target, 8, @FLOAT64_PROTOTYPE, first, offset, length);
}, @FLOAT64_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("BigInt64Array", function BigInt64Array(first, offset, length) {
  return %typedConstruct(new.target, 9, @BIGINT64_PROTOTYPE, first, offset, length);
}, @BIGINT64_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%constructor("BigUint64Array", function BigUint64Array(first, offset, length) {
  return %typedConstruct(new.target, 10, @BIGUINT64_PROTOTYPE, first, offset, length);
}, @BIGUINT64_PROTOTYPE, @TYPED_ARRAY_PROTOTYPE.constructor);
%define("typedFinish", function (proto, size) {
  %constant(proto, "BYTES_PER_ELEMENT", size, 0);
  %constant(proto.constructor, "BYTES_PER_ELEMENT", size, 0);
});
%typedFinish(@INT8_PROTOTYPE, 1);
%typedFinish(@UINT8_PROTOTYPE, 1);
%typedFinish(@UINT8C_PROTOTYPE, 1);
%typedFinish(@INT16_PROTOTYPE, 2);
%typedFinish(@UINT16_PROTOTYPE, 2);
%typedFinish(@INT32_PROTOTYPE, 4);
%typedFinish(@UINT32_PROTOTYPE, 4);
%typedFinish(@FLOAT32_PROTOTYPE, 4);
%typedFinish(@FLOAT64_PROTOTYPE, 8);
%typedFinish(@BIGINT64_PROTOTYPE, 8);
%typedFinish(@BIGUINT64_PROTOTYPE, 8);

// ValidateTypedArray; the length.
%define("typed", function (x) {
  if (!%isTypedArray(x)) %typeError("this is not a typed array.");
  if (%typedOut(x)) %typeError("Cannot perform the operation on a detached or out of bounds typed array");
  return %typedLength(x);
});
%define("typedCreate", function (C, length) {
  const out = new C(length);
  if (%typed(out) < length) %typeError("Derived typed array constructor created an array which was too small");
  return out;
});
%define("sameContent", function (out, array) {
  if (%isBigType(%typedType(out)) !== %isBigType(%typedType(array))) %typeError("Content type of the species constructor's result differs");
});
%define("typedSpecies", function (array, length) {
  const C = %speciesConstructor(array, %typedClass(array));
  const out = %typedCreate(C, length);
  %sameContent(out, array);
  return out;
});
%define("typedSame", function (array, length) { return %typedNew(%typedPrototype(array), %typedType(array), length); });
%install(@TYPED_ARRAY_PROTOTYPE.constructor, {
  from(source, mapper = undefined, self = undefined) {
    if (!%isConstructor(this)) %typeError("this is not a constructor");
    if (mapper !== undefined && !%isCallable(mapper)) %typeError(`${%show(mapper)} is not a function`);
    const method = source[@@iterator];
    if (method !== undefined && method !== null) {
      if (!%isCallable(method)) %typeError("Symbol.iterator is not a function");
      const list = %listOf(source, method);
      const out = %typedCreate(this, list.length);
      for (let k = 0; k < list.length; k++) out[k] = mapper === undefined ? list[k] : %call(mapper, self, list[k], k);
      return out;
    }
    const object = %toObject(source);
    const length = %lengthOf(object);
    const out = %typedCreate(this, length);
    for (let k = 0; k < length; k++) out[k] = mapper === undefined ? object[k] : %call(mapper, self, object[k], k);
    return out;
  },
  of(...items) {
    if (!%isConstructor(this)) %typeError("this is not a constructor");
    const out = %typedCreate(this, items.length);
    for (let k = 0; k < items.length; k++) out[k] = items[k];
    return out;
  },
  get [@@species]() { return this; },
});
%install(@TYPED_ARRAY_PROTOTYPE, {
  at(index) {
    const length = %typed(this);
    let k = %toIntegerOrInfinity(index);
    if (k < 0) k += length;
    return k < 0 || k >= length ? undefined : this[k];
  },
  get buffer() {
    if (!%isTypedArray(this)) %typeError("this is not a typed array.");
    return %typedBuffer(this);
  },
  get byteLength() {
    if (!%isTypedArray(this)) %typeError("this is not a typed array.");
    return %typedLength(this) * %elementSize(%typedType(this));
  },
  get byteOffset() {
    if (!%isTypedArray(this)) %typeError("this is not a typed array.");
    return %typedOut(this) ? 0 : %typedOffset(this);
  },
  copyWithin(target, start, end = undefined) {
    const length = %typed(this);
    const to = %relative(target, length, 0), from = %relative(start, length, 0), final = %relative(end, length, length);
    const count = final - from < length - to ? final - from : length - to;
    if (count > 0) {
      %typed(this);
      %typedMove(this, to, from, count);
    }
    return this;
  },
  entries() { %typed(this); return %newIterator(@ARRAY_ITERATOR_PROTOTYPE, this, 0, 2, "array"); },
  every(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    for (let k = 0; k < length; k++) if (!%call(f, self, this[k], k, this)) return false;
    return true;
  },
  fill(value, start = undefined, end = undefined) {
    const length = %typed(this);
    value = %typedConvert(this, %toPrimitive(value, "number"));
    const from = %relative(start, length, 0), to = %relative(end, length, length);
    %typed(this);
    %typedFill(this, value, from, to);
    return this;
  },
  filter(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    const list = [];
    for (let k = 0; k < length; k++) {
      const item = this[k];
      if (%call(f, self, item, k, this)) %push(list, item);
    }
    const out = %typedSpecies(this, list.length);
    for (let k = 0; k < list.length; k++) out[k] = list[k];
    return out;
  },
  find(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    for (let k = 0; k < length; k++) { const item = this[k]; if (%call(f, self, item, k, this)) return item; }
  },
  findIndex(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    for (let k = 0; k < length; k++) if (%call(f, self, this[k], k, this)) return k;
    return -1;
  },
  findLast(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    for (let k = length - 1; k >= 0; k--) { const item = this[k]; if (%call(f, self, item, k, this)) return item; }
  },
  findLastIndex(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    for (let k = length - 1; k >= 0; k--) if (%call(f, self, this[k], k, this)) return k;
    return -1;
  },
  forEach(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    for (let k = 0; k < length; k++) %call(f, self, this[k], k, this);
  },
  includes(x, start = undefined) {
    const length = %typed(this);
    if (length === 0) return false;
    const from = %relative(start, length, 0);
    if (x === undefined) return from < length && %typedLength(this) < length;
    return %typedFound(this, x, from, 2, length) >= 0;
  },
  indexOf(x, start = undefined) {
    const length = %typed(this);
    return length === 0 ? -1 : %typedFound(this, x, %relative(start, length, 0), 0, length);
  },
  join(separator) {
    const length = %typed(this);
    const between = separator === undefined ? "," : %toString(separator);
    let text = "";
    for (let k = 0; k < length; k++) {
      if (k > 0) text += between;
      const item = this[k];
      if (item !== undefined) text += item;
    }
    return text;
  },
  keys() { %typed(this); return %newIterator(@ARRAY_ITERATOR_PROTOTYPE, this, 0, 1, "array"); },
  lastIndexOf(x) {
    const length = %typed(this);
    if (length === 0) return -1;
    let k = length - 1;
    if (arguments.length > 1) {
      const n = %toIntegerOrInfinity(arguments[1]);
      k = n < 0 ? length + n : n < length - 1 ? n : length - 1;
    }
    return k < 0 ? -1 : %typedSearch(this, x, k, 1);
  },
  get length() {
    if (!%isTypedArray(this)) %typeError("this is not a typed array.");
    return %typedLength(this);
  },
  map(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    const out = %typedSpecies(this, length);
    for (let k = 0; k < length; k++) out[k] = %call(f, self, this[k], k, this);
    return out;
  },
  reduce(f) {
    const length = %typed(this);
    %callback(f);
    let k = 0, result;
    if (arguments.length > 1) result = arguments[1];
    else {
      if (length === 0) %typeError("Reduce of empty array with no initial value");
      result = this[k++];
    }
    for (; k < length; k++) result = %call(f, undefined, result, this[k], k, this);
    return result;
  },
  reduceRight(f) {
    const length = %typed(this);
    %callback(f);
    let k = length - 1, result;
    if (arguments.length > 1) result = arguments[1];
    else {
      if (length === 0) %typeError("Reduce of empty array with no initial value");
      result = this[k--];
    }
    for (; k >= 0; k--) result = %call(f, undefined, result, this[k], k, this);
    return result;
  },
  reverse() { %typed(this); %typedReverse(this); return this; },
  set(source, offset = undefined) {
    if (!%isTypedArray(this)) %typeError("this is not a typed array.");
    const at = %toIntegerOrInfinity(offset);
    if (at < 0) %rangeError("offset is out of bounds");
    const length = %typed(this);
    if (%isTypedArray(source)) {
      const count = %typed(source);
      %sameContent(this, source);
      if (count + at > length) %rangeError("offset is out of bounds");
      %typedCopy(this, at, source, 0, count);
      return;
    }
    const object = %toObject(source);
    const count = %lengthOf(object);
    if (count + at > length) %rangeError("offset is out of bounds");
    for (let k = 0; k < count; k++) this[at + k] = object[k];
  },
  slice(start, end) {
    const length = %typed(this);
    const from = %relative(start, length, 0), to = %relative(end, length, length);
    const count = to > from ? to - from : 0;
    const out = %typedSpecies(this, count);
    if (count > 0) {
      const now = %typed(this);
      const last = to < now ? to : now;
      if (%typedBuffer(out) === %typedBuffer(this) || %typedType(out) !== %typedType(this)) {
        // Byte by byte in the standard: what was written may be read again.
        for (let k = from, n = 0; k < last; k++, n++) out[n] = this[k];
      } else if (last > from) %typedCopy(out, 0, this, from, last - from);
    }
    return out;
  },
  some(f, self = undefined) {
    const length = %typed(this);
    %callback(f);
    for (let k = 0; k < length; k++) if (%call(f, self, this[k], k, this)) return true;
    return false;
  },
  sort(compare) {
    if (compare !== undefined && !%isCallable(compare)) %typeError("The comparison function must be either a function or undefined");
    const length = %typed(this);
    if (compare === undefined) %typedSort(this);
    else {
      const sorted = %typedSorted(this, length, compare);
      for (let k = 0; k < length; k++) this[k] = sorted[k];
    }
    return this;
  },
  subarray(start, end) {
    if (!%isTypedArray(this)) %typeError("this is not a typed array.");
    const length = %typedLength(this);
    const from = %relative(start, length, 0);
    const offset = %typedOffset(this);
    const tracks = %typedTracks(this) && end === undefined;
    let count = undefined;
    if (!tracks) {
      const to = %relative(end, length, length);
      count = to > from ? to - from : 0;
    }
    const buffer = %typedBuffer(this), at = offset + from * %elementSize(%typedType(this));
    const C = %speciesConstructor(this, %typedClass(this));
    const out = tracks ? new C(buffer, at) : new C(buffer, at, count);
    %typed(out);
    %sameContent(out, this);
    return out;
  },
  toLocaleString() {
    const length = %typed(this);
    let text = "";
    for (let k = 0; k < length; k++) {
      if (k > 0) text += ",";
      const item = this[k];
      if (item !== undefined && item !== null) text += %toString(item.toLocaleString());
    }
    return text;
  },
  toReversed() {
    const length = %typed(this);
    const out = %typedSame(this, length);
    %typedCopy(out, 0, this, 0, length);
    %typedReverse(out);
    return out;
  },
  toSorted(compare) {
    if (compare !== undefined && !%isCallable(compare)) %typeError("The comparison function must be either a function or undefined");
    const length = %typed(this);
    const out = %typedSame(this, length);
    if (compare === undefined) {
      %typedCopy(out, 0, this, 0, length);
      %typedSort(out);
    } else {
      const sorted = %typedSorted(this, length, compare);
      for (let k = 0; k < length; k++) out[k] = sorted[k];
    }
    return out;
  },
  values() { %typed(this); return %newIterator(@ARRAY_ITERATOR_PROTOTYPE, this, 0, 0, "array"); },
  with(index, value) {
    const length = %typed(this);
    let k = %toIntegerOrInfinity(index);
    if (k < 0) k += length;
    value = %typedConvert(this, %toPrimitive(value, "number"));
    if (!(k >= 0 && k < %typedLength(this))) %rangeError("Invalid typed array index");
    const out = %typedSame(this, length);
    for (let i = 0; i < length; i++) out[i] = i === k ? value : this[i];
    return out;
  },
  get [@@toStringTag]() { return %isTypedArray(this) ? %typedName(this) : undefined; },
});
// A search that ends where the array ended when the method was called: it may have grown since.
%define("typedFound", function (array, x, from, mode, length) {
  const k = %typedSearch(array, x, from, mode);
  return k < length ? k : -1;
});
%define("typedSorted", function (array, length, compare) {
  const list = [];
  for (let k = 0; k < length; k++) %push(list, array[k]);
  return %mergeSort(list, compare);
});
%alias(@TYPED_ARRAY_PROTOTYPE, @@iterator, @TYPED_ARRAY_PROTOTYPE, "values");
%alias(@TYPED_ARRAY_PROTOTYPE, "toString", @ARRAY_PROTOTYPE, "toString");

// --- DataView ---
%constructor("DataView", function DataView(buffer, byteOffset = undefined, byteLength = undefined) {
  if (new.target === undefined) %typeError("Constructor DataView requires 'new'");
  if (!%isBuffer(buffer)) %typeError("First argument to DataView constructor must be an ArrayBuffer");
  const at = %toIndex(byteOffset);
  %attached(buffer);
  let bytes = %bufferLength(buffer);
  if (at > bytes) %rangeError(`Start offset ${at} is outside the bounds of the buffer`);
  let length = undefined;
  if (byteLength !== undefined) {
    length = %toIndex(byteLength);
    if (at + length > bytes) %rangeError(`Invalid DataView length ${length}`);
  } else if (%bufferMax(buffer) === undefined) length = bytes - at;
  const proto = %prototypeFor(new.target, @DATA_VIEW_PROTOTYPE);
  %attached(buffer);
  bytes = %bufferLength(buffer);
  if (at > bytes) %rangeError(`Start offset ${at} is outside the bounds of the buffer`);
  if (byteLength !== undefined && at + length > bytes) %rangeError(`Invalid DataView length ${length}`);
  return %newView(proto, buffer, at, length);
}, @DATA_VIEW_PROTOTYPE);
%define("thisView", function (x) { if (!%isView(x)) %typeError("this is not a DataView"); });
%define("viewBytes", function (x) {
  %thisView(x);
  const length = %viewLength(x);
  if (length === undefined) %typeError("Cannot perform DataView method on a detached or out of bounds buffer");
  return length;
});
%define("viewStore", function (view, at, type, little, value) {
  at = %toIndex(at);
  if (%isBigType(type)) value = %toBigInt(%toPrimitive(value, "number"));
  else value = +value;
  %viewSet(view, at, type, little, value);
});
%install(@DATA_VIEW_PROTOTYPE, {
  get buffer() { %thisView(this); return %typedBuffer(this); },
  get byteLength() { return %viewBytes(this); },
  get byteOffset() { %viewBytes(this); return %typedOffset(this); },
  getInt8(at) { %thisView(this); return %viewGet(this, %toIndex(at), 0, true); },
  getUint8(at) { %thisView(this); return %viewGet(this, %toIndex(at), 1, true); },
  getInt16(at, little = undefined) { %thisView(this); return %viewGet(this, %toIndex(at), 3, little); },
  getUint16(at, little = undefined) { %thisView(this); return %viewGet(this, %toIndex(at), 4, little); },
  getInt32(at, little = undefined) { %thisView(this); return %viewGet(this, %toIndex(at), 5, little); },
  getUint32(at, little = undefined) { %thisView(this); return %viewGet(this, %toIndex(at), 6, little); },
  getFloat32(at, little = undefined) { %thisView(this); return %viewGet(this, %toIndex(at), 7, little); },
  getFloat64(at, little = undefined) { %thisView(this); return %viewGet(this, %toIndex(at), 8, little); },
  getBigInt64(at, little = undefined) { %thisView(this); return %viewGet(this, %toIndex(at), 9, little); },
  getBigUint64(at, little = undefined) { %thisView(this); return %viewGet(this, %toIndex(at), 10, little); },
  setInt8(at, value) { %thisView(this); %viewStore(this, at, 0, true, value); },
  setUint8(at, value) { %thisView(this); %viewStore(this, at, 1, true, value); },
  setInt16(at, value, little = undefined) { %thisView(this); %viewStore(this, at, 3, little, value); },
  setUint16(at, value, little = undefined) { %thisView(this); %viewStore(this, at, 4, little, value); },
  setInt32(at, value, little = undefined) { %thisView(this); %viewStore(this, at, 5, little, value); },
  setUint32(at, value, little = undefined) { %thisView(this); %viewStore(this, at, 6, little, value); },
  setFloat32(at, value, little = undefined) { %thisView(this); %viewStore(this, at, 7, little, value); },
  setFloat64(at, value, little = undefined) { %thisView(this); %viewStore(this, at, 8, little, value); },
  setBigInt64(at, value, little = undefined) { %thisView(this); %viewStore(this, at, 9, little, value); },
  setBigUint64(at, value, little = undefined) { %thisView(this); %viewStore(this, at, 10, little, value); },
});
%constant(@DATA_VIEW_PROTOTYPE, @@toStringTag, "DataView", 4);
