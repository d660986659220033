// Object and Reflect.

%define("getPrototypeOf", function (object) { return %isProxy(object) ? %proxyGetPrototypeOf(object) : %ordinaryGetPrototypeOf(object); });
%define("setPrototypeOf", function (object, proto) { return %isProxy(object) ? %proxySetPrototypeOf(object, proto) : %ordinarySetPrototypeOf(object, proto); });
%define("isExtensible", function (object) { return %isProxy(object) ? %proxyIsExtensible(object) : %ordinaryIsExtensible(object); });
%define("preventExtensions", function (object) {
  // A typed array that may grow cannot promise that it will not.
  if (%isTypedArray(object) && (%typedTracks(object) || %bufferMax(%typedBuffer(object)) !== undefined)) return false;
  return %isProxy(object) ? %proxyPreventExtensions(object) : %ordinaryPreventExtensions(object);
});
%define("getOwnPropertyDescriptor", function (object, key) { return %isProxy(object) ? %proxyGetOwnPropertyDescriptor(object, key) : %ordinaryGetOwnProperty(object, key); });
%define("ownKeys", function (object) { return %isProxy(object) ? %proxyOwnKeys(object) : %ordinaryOwnKeys(object, 0); });
%define("hasOwn", function (object, key) {
  return %isProxy(object) ? %proxyGetOwnPropertyDescriptor(object, key) !== undefined : %ordinaryHasOwn(object, key);
});
%define("toPropertyDescriptor", function (source) {
  if (!%isObject(source)) %typeError(`Property description must be an object: ${%show(source)}`);
  const d = { __proto__: null };
  if ("enumerable" in source) d.enumerable = !!source.enumerable;
  if ("configurable" in source) d.configurable = !!source.configurable;
  if ("value" in source) d.value = source.value;
  if ("writable" in source) d.writable = !!source.writable;
  if ("get" in source) {
    d.get = source.get;
    if (d.get !== undefined && !%isCallable(d.get)) %typeError("Getter must be a function");
  }
  if ("set" in source) {
    d.set = source.set;
    if (d.set !== undefined && !%isCallable(d.set)) %typeError("Setter must be a function");
  }
  if (("get" in d || "set" in d) && ("value" in d || "writable" in d))
    %typeError("Invalid property descriptor. Cannot both specify accessors and a value or writable attribute");
  return d;
});
// A complete or partial descriptor (null prototype) onto an object; false if refused.
%define("defineProperty", function (object, key, d) {
  if (%isProxy(object)) return %proxyDefineProperty(object, key, d);
  let value = "value" in d ? d.value : %hole();
  if (key === "length" && %isArray(object) && "value" in d) {
    const length = value >>> 0;
    if (length !== +value) %rangeError("Invalid array length");
    value = length;
  } else if ("value" in d && %isTypedArray(object) && %typedKey(object, key)) {
    if (!%ordinaryDefineOwnProperty(object, key, %hole(), "get" in d ? d.get : %hole(), "set" in d ? d.set : %hole(),
      "writable" in d ? d.writable : %hole(), "enumerable" in d ? d.enumerable : %hole(), "configurable" in d ? d.configurable : %hole())) return false;
    object[key] = value;
    return true;
  }
  return %ordinaryDefineOwnProperty(object, key, value,
    "get" in d ? d.get : %hole(), "set" in d ? d.set : %hole(), "writable" in d ? d.writable : %hole(),
    "enumerable" in d ? d.enumerable : %hole(), "configurable" in d ? d.configurable : %hole());
});
%define("definePropertyOrThrow", function (object, key, d) {
  if (!%defineProperty(object, key, d)) %typeError(`Cannot redefine property: ${typeof key === "symbol" ? "Symbol()" : key}`);
});
%define("keyList", function (object, what) {
  object = %toObject(object);
  const fast = %enumerableOwn(object, what);
  if (fast !== undefined) return fast;
  const keys = %ownKeys(object);
  const out = [];
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (typeof key === "symbol") continue;
    const d = %getOwnPropertyDescriptor(object, key);
    if (d === undefined || !d.enumerable) continue;
    %push(out, what === 0 ? key : what === 1 ? object[key] : [key, object[key]]);
  }
  return out;
});
%define("setIntegrity", function (object, frozen) {
  if (!%isProxy(object) && !%isTypedArray(object)) return %integrity(object, frozen), true;
  if (frozen && %isTypedArray(object) && %typedLength(object) > 0) %typeError("Cannot freeze array buffer views with elements");
  if (!%preventExtensions(object)) return false;
  const keys = %ownKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (!frozen) { %definePropertyOrThrow(object, key, { __proto__: null, configurable: false }); continue; }
    const d = %getOwnPropertyDescriptor(object, key);
    if (d === undefined) continue;
    if ("value" in d) %definePropertyOrThrow(object, key, { __proto__: null, configurable: false, writable: false });
    else %definePropertyOrThrow(object, key, { __proto__: null, configurable: false });
  }
  return true;
});
%define("testIntegrity", function (object, frozen) {
  if (%isExtensible(object)) return false;
  const keys = %ownKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const d = %getOwnPropertyDescriptor(object, keys[i]);
    if (d === undefined) continue;
    if (d.configurable || (frozen && d.writable)) return false;
  }
  return true;
});

%constructor("Object", function Object(value) {
  if (new.target !== undefined && new.target !== @OBJECT_PROTOTYPE.constructor && new.target !== %objectConstructor())
    return %createFrom(%prototypeFor(new.target, @OBJECT_PROTOTYPE));
  if (value === undefined || value === null) return {};
  return %toObject(value);
}, @OBJECT_PROTOTYPE);
%define("objectConstructor", function () { return @OBJECT_PROTOTYPE.constructor; });

%install(@OBJECT_PROTOTYPE.constructor, {
  assign(target, source) {
    target = %toObject(target);
    for (let i = 1; i < arguments.length; i++) {
      const from = arguments[i];
      if (from === undefined || from === null) continue;
      const object = %toObject(from);
      const keys = %ownKeys(object);
      for (let j = 0; j < keys.length; j++) {
        const key = keys[j];
        const d = %getOwnPropertyDescriptor(object, key);
        if (d !== undefined && d.enumerable) target[key] = object[key];
      }
    }
    return target;
  },
  create(proto, properties) {
    if (proto !== null && !%isObject(proto)) %typeError(`Object prototype may only be an Object or null: ${%show(proto)}`);
    const object = %createFrom(proto);
    if (properties !== undefined) %defineAll(object, properties);
    return object;
  },
  defineProperty(object, key, attributes) {
    if (!%isObject(object)) %typeError("Object.defineProperty called on non-object");
    key = %toPropertyKey(key);
    %definePropertyOrThrow(object, key, %toPropertyDescriptor(attributes));
    return object;
  },
  defineProperties(object, properties) {
    if (!%isObject(object)) %typeError("Object.defineProperties called on non-object");
    return %defineAll(object, properties);
  },
  entries(object) { return %keyList(object, 2); },
  keys(object) { return %keyList(object, 0); },
  values(object) { return %keyList(object, 1); },
  freeze(object) {
    if (!%isObject(object)) return object;
    if (!%setIntegrity(object, true)) %typeError("Cannot freeze");
    return object;
  },
  seal(object) {
    if (!%isObject(object)) return object;
    if (!%setIntegrity(object, false)) %typeError("Cannot seal");
    return object;
  },
  is(x, y) { return %sameValue(x, y); },
  isFrozen(object) { return !%isObject(object) || %testIntegrity(object, true); },
  isSealed(object) { return !%isObject(object) || %testIntegrity(object, false); },
  isExtensible(object) { return %isObject(object) && %isExtensible(object); },
  preventExtensions(object) {
    if (!%isObject(object)) return object;
    if (!%preventExtensions(object)) %typeError("Cannot prevent extensions");
    return object;
  },
  fromEntries(iterable) {
    if (iterable === undefined || iterable === null) %typeError(`${iterable} is not iterable`);
    const object = {};
    for (const entry of iterable) {
      if (!%isObject(entry)) %typeError(`Iterator value ${%show(entry)} is not an entry object`);
      const key = entry[0], value = entry[1];
      %createDataProperty(object, %toPropertyKey(key), value);
    }
    return object;
  },
  getOwnPropertyDescriptor(object, key) {
    object = %toObject(object);
    return %getOwnPropertyDescriptor(object, %toPropertyKey(key));
  },
  getOwnPropertyDescriptors(object) {
    object = %toObject(object);
    const keys = %ownKeys(object);
    const out = {};
    for (let i = 0; i < keys.length; i++) {
      const d = %getOwnPropertyDescriptor(object, keys[i]);
      if (d !== undefined) %createDataProperty(out, keys[i], d);
    }
    return out;
  },
  getOwnPropertyNames(object) { return %filterKeys(%ownKeys(%toObject(object)), "string"); },
  getOwnPropertySymbols(object) { return %filterKeys(%ownKeys(%toObject(object)), "symbol"); },
  getPrototypeOf(object) { return %getPrototypeOf(%toObject(object)); },
  setPrototypeOf(object, proto) {
    if (object === undefined || object === null) %typeError("Object.setPrototypeOf called on null or undefined");
    if (proto !== null && !%isObject(proto)) %typeError(`Object prototype may only be an Object or null: ${%show(proto)}`);
    if (%isObject(object) && !%setPrototypeOf(object, proto)) %typeError("Cannot set prototype: cyclic or not extensible");
    return object;
  },
  hasOwn(object, key) {
    object = %toObject(object);
    return %hasOwn(object, %toPropertyKey(key));
  },
  groupBy(items, callback) {
    if (items === undefined || items === null) %typeError("items is null or undefined");
    if (!%isCallable(callback)) %typeError("callback is not a function");
    const out = %createFrom(null);
    let k = 0;
    for (const item of items) {
      const key = %toPropertyKey(%call(callback, undefined, item, k++));
      if (key in out) %push(out[key], item);
      else %createDataProperty(out, key, [item]);
    }
    return out;
  },
});
%define("filterKeys", function (keys, type) {
  const out = [];
  for (let i = 0; i < keys.length; i++) if (typeof keys[i] === type) %push(out, keys[i]);
  return out;
});
%define("defineAll", function (object, properties) {
  const source = %toObject(properties);
  const keys = %ownKeys(source);
  const list = [];
  for (let i = 0; i < keys.length; i++) {
    const d = %getOwnPropertyDescriptor(source, keys[i]);
    if (d !== undefined && d.enumerable) %push(list, [keys[i], %toPropertyDescriptor(source[keys[i]])]);
  }
  for (let i = 0; i < list.length; i++) %definePropertyOrThrow(object, list[i][0], list[i][1]);
  return object;
});

%install(@OBJECT_PROTOTYPE, {
  hasOwnProperty(key) {
    key = %toPropertyKey(key);
    return %hasOwn(%toObject(this), key);
  },
  isPrototypeOf(object) {
    if (!%isObject(object)) return false;
    const self = %toObject(this);
    for (;;) {
      object = %getPrototypeOf(object);
      if (object === null) return false;
      if (object === self) return true;
    }
  },
  propertyIsEnumerable(key) {
    key = %toPropertyKey(key);
    const d = %getOwnPropertyDescriptor(%toObject(this), key);
    return d !== undefined && d.enumerable;
  },
  toLocaleString() { return this.toString(); },
  toString() {
    if (this === undefined) return "[object Undefined]";
    if (this === null) return "[object Null]";
    return %objectText(%toObject(this));
  },
  valueOf() { return %toObject(this); },
  get __proto__() { return %getPrototypeOf(%toObject(this)); },
  set __proto__(proto) {
    if (this === undefined || this === null) %typeError("Object.prototype.__proto__ called on null or undefined");
    if ((proto !== null && !%isObject(proto)) || !%isObject(this)) return;
    if (!%setPrototypeOf(this, proto)) %typeError("Cannot set prototype: cyclic or not extensible");
  },
  __defineGetter__(key, getter) {
    const object = %toObject(this);
    if (!%isCallable(getter)) %typeError("Getter is not a function");
    %definePropertyOrThrow(object, %toPropertyKey(key), { __proto__: null, get: getter, enumerable: true, configurable: true });
  },
  __defineSetter__(key, setter) {
    const object = %toObject(this);
    if (!%isCallable(setter)) %typeError("Setter is not a function");
    %definePropertyOrThrow(object, %toPropertyKey(key), { __proto__: null, set: setter, enumerable: true, configurable: true });
  },
  __lookupGetter__(key) {
    let object = %toObject(this);
    key = %toPropertyKey(key);
    for (; object !== null; object = %getPrototypeOf(object)) {
      const d = %getOwnPropertyDescriptor(object, key);
      if (d !== undefined) return d.get;
    }
  },
  __lookupSetter__(key) {
    let object = %toObject(this);
    key = %toPropertyKey(key);
    for (; object !== null; object = %getPrototypeOf(object)) {
      const d = %getOwnPropertyDescriptor(object, key);
      if (d !== undefined) return d.set;
    }
  },
});
%define("objectText", function (object) {
  const builtin = %isArrayLike(object) ? "Array" : %classOf(object);
  const tag = object[@@toStringTag];
  return `[object ${typeof tag === "string" ? tag : builtin}]`;
});
// Array.isArray, through proxies.
%define("isArrayLike", function (x) {
  while (%isProxy(x)) {
    if (%field(x, 1) === null) %typeError("Cannot perform 'IsArray' on a proxy that has been revoked");
    x = %field(x, 0);
  }
  return %isArray(x);
});

%constant(@GLOBAL, "Reflect", %namespace(), 5);
%constant(@GLOBAL.Reflect, @@toStringTag, "Reflect", 4);
%install(@GLOBAL.Reflect, {
  apply(target, self, list) {
    if (!%isCallable(target)) %typeError("Reflect.apply target is not a function");
    return %apply(target, self, %listFrom(list));
  },
  construct(target, list) {
    if (!%isConstructor(target)) %typeError("Reflect.construct target is not a constructor");
    const newTarget = arguments.length > 2 ? arguments[2] : target;
    if (!%isConstructor(newTarget)) %typeError("newTarget is not a constructor");
    return %construct(target, %listFrom(list), newTarget);
  },
  defineProperty(target, key, attributes) {
    if (!%isObject(target)) %typeError("Reflect.defineProperty called on non-object");
    key = %toPropertyKey(key);
    return %defineProperty(target, key, %toPropertyDescriptor(attributes));
  },
  deleteProperty(target, key) {
    if (!%isObject(target)) %typeError("Reflect.deleteProperty called on non-object");
    key = %toPropertyKey(key);
    return %isProxy(target) ? %proxyDelete(target, key) : %deleteOwn(target, key);
  },
  get(target, key) {
    if (!%isObject(target)) %typeError("Reflect.get called on non-object");
    return %getFrom(target, %toPropertyKey(key), arguments.length > 2 ? arguments[2] : target);
  },
  set(target, key, value) {
    if (!%isObject(target)) %typeError("Reflect.set called on non-object");
    return %reflectSet(target, %toPropertyKey(key), value, arguments.length > 3 ? arguments[3] : target);
  },
  has(target, key) {
    if (!%isObject(target)) %typeError("Reflect.has called on non-object");
    return %has(target, %toPropertyKey(key));
  },
  getOwnPropertyDescriptor(target, key) {
    if (!%isObject(target)) %typeError("Reflect.getOwnPropertyDescriptor called on non-object");
    return %getOwnPropertyDescriptor(target, %toPropertyKey(key));
  },
  getPrototypeOf(target) {
    if (!%isObject(target)) %typeError("Reflect.getPrototypeOf called on non-object");
    return %getPrototypeOf(target);
  },
  setPrototypeOf(target, proto) {
    if (!%isObject(target)) %typeError("Reflect.setPrototypeOf called on non-object");
    if (proto !== null && !%isObject(proto)) %typeError("Object prototype may only be an Object or null");
    return %setPrototypeOf(target, proto);
  },
  isExtensible(target) {
    if (!%isObject(target)) %typeError("Reflect.isExtensible called on non-object");
    return %isExtensible(target);
  },
  preventExtensions(target) {
    if (!%isObject(target)) %typeError("Reflect.preventExtensions called on non-object");
    return %preventExtensions(target);
  },
  ownKeys(target) {
    if (!%isObject(target)) %typeError("Reflect.ownKeys called on non-object");
    return %ownKeys(target);
  },
});
// [[Set]] whose answer is wanted also when a proxy or setter decides.
%define("reflectSet", function (target, key, value, receiver) {
  let object = target;
  while (object !== null) {
    if (%isProxy(object)) return %proxyReflectSet(object, key, value, receiver);
    if (%ordinaryHasOwn(object, key)) break;
    object = %ordinaryGetPrototypeOf(object);
  }
  if (!%isProxy(receiver)) return %setFrom(target, key, value, receiver);
  if (object !== null) {
    const d = %ordinaryGetOwnProperty(object, key);
    if ("set" in d) return d.set === undefined ? false : (%call(d.set, receiver, value), true);
    if (!d.writable) return false;
  }
  return %defineOnReceiver(receiver, key, value);
});
// CreateListFromArrayLike.
%define("listFrom", function (source) {
  if (%isDenseArray(source)) return source;
  if (!%isObject(source)) %typeError("CreateListFromArrayLike called on non-object");
  const length = %lengthOf(source);
  const list = [];
  for (let i = 0; i < length; i++) %push(list, source[i]);
  return list;
});
