// Proxies: fields target, handler (null: revoked).
%define("proxyHandler", function (proxy) {
  const handler = %field(proxy, 1);
  if (handler === null) %typeError("Cannot perform operation on a revoked proxy");
  return handler;
});
%define("proxyTrap", function (handler, name) {
  const trap = handler[name];
  if (trap === undefined || trap === null) return undefined;
  if (!%isCallable(trap)) %typeError(`proxy trap ${name} is not a function`);
  return trap;
});
%define("proxyGet", function (proxy, key, receiver) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "get");
  if (trap === undefined) return %getFrom(target, key, receiver);
  const value = %call(trap, handler, target, key, receiver);
  const d = %getOwnPropertyDescriptor(target, key);
  if (d !== undefined && !d.configurable) {
    if ("value" in d && !d.writable && !%sameValue(value, d.value)) %typeError("proxy get trap violates an invariant");
    if ("get" in d && d.get === undefined && value !== undefined) %typeError("proxy get trap violates an invariant");
  }
  return value;
});
%define("proxyReflectSet", function (proxy, key, value, receiver) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "set");
  if (trap === undefined) return %reflectSet(target, key, value, receiver);
  if (!%call(trap, handler, target, key, value, receiver)) return false;
  const d = %getOwnPropertyDescriptor(target, key);
  if (d !== undefined && !d.configurable) {
    if ("value" in d && !d.writable && !%sameValue(value, d.value)) %typeError("proxy set trap violates an invariant");
    if ("set" in d && d.set === undefined) %typeError("proxy set trap violates an invariant");
  }
  return true;
});
%define("proxySet", function (proxy, key, value, receiver, strict) {
  if (!%proxyReflectSet(proxy, key, value, receiver) && strict) %cannotSet(proxy, key);
});
%define("proxyHas", function (proxy, key) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "has");
  if (trap === undefined) return key in target;
  const result = !!%call(trap, handler, target, key);
  if (!result) {
    const d = %getOwnPropertyDescriptor(target, key);
    if (d !== undefined && (!d.configurable || !%isExtensible(target))) %typeError("proxy has trap violates an invariant");
  }
  return result;
});
%define("proxyDelete", function (proxy, key) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "deleteProperty");
  if (trap === undefined) return %isProxy(target) ? %proxyDelete(target, key) : %deleteOwn(target, key);
  if (!%call(trap, handler, target, key)) return false;
  const d = %getOwnPropertyDescriptor(target, key);
  if (d !== undefined && (!d.configurable || !%isExtensible(target))) %typeError("proxy deleteProperty trap violates an invariant");
  return true;
});
%define("proxyGetPrototypeOf", function (proxy) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "getPrototypeOf");
  if (trap === undefined) return %getPrototypeOf(target);
  const proto = %call(trap, handler, target);
  if (proto !== null && !%isObject(proto)) %typeError("proxy getPrototypeOf trap returned neither object nor null");
  if (!%isExtensible(target) && %getPrototypeOf(target) !== proto) %typeError("proxy getPrototypeOf trap violates an invariant");
  return proto;
});
%define("proxySetPrototypeOf", function (proxy, proto) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "setPrototypeOf");
  if (trap === undefined) return %setPrototypeOf(target, proto);
  if (!%call(trap, handler, target, proto)) return false;
  if (!%isExtensible(target) && %getPrototypeOf(target) !== proto) %typeError("proxy setPrototypeOf trap violates an invariant");
  return true;
});
%define("proxyIsExtensible", function (proxy) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "isExtensible");
  if (trap === undefined) return %isExtensible(target);
  const result = !!%call(trap, handler, target);
  if (result !== %isExtensible(target)) %typeError("proxy isExtensible trap violates an invariant");
  return result;
});
%define("proxyPreventExtensions", function (proxy) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "preventExtensions");
  if (trap === undefined) return %preventExtensions(target);
  const result = !!%call(trap, handler, target);
  if (result && %isExtensible(target)) %typeError("proxy preventExtensions trap violates an invariant");
  return result;
});
%define("compatible", function (extensible, d, old) {
  if (old === undefined) return extensible;
  if (old.configurable) return true;
  if (d.configurable || ("enumerable" in d && d.enumerable !== old.enumerable)) return false;
  const accessor = "get" in d || "set" in d, data = "value" in d || "writable" in d;
  if (!accessor && !data) return true;
  if (accessor !== "get" in old) return false;
  if (accessor) return !("get" in d && d.get !== old.get) && !("set" in d && d.set !== old.set);
  return old.writable || (!d.writable && !("value" in d && !%sameValue(d.value, old.value)));
});
%define("proxyGetOwnPropertyDescriptor", function (proxy, key) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "getOwnPropertyDescriptor");
  if (trap === undefined) return %getOwnPropertyDescriptor(target, key);
  const result = %call(trap, handler, target, key);
  if (result !== undefined && !%isObject(result)) %typeError("proxy getOwnPropertyDescriptor trap returned neither object nor undefined");
  const old = %getOwnPropertyDescriptor(target, key);
  if (result === undefined) {
    if (old === undefined) return undefined;
    if (!old.configurable || !%isExtensible(target)) %typeError("proxy getOwnPropertyDescriptor trap violates an invariant");
    return undefined;
  }
  const extensible = %isExtensible(target);
  const d = %toPropertyDescriptor(result);
  const full = "get" in d || "set" in d
    ? { get: d.get, set: d.set, enumerable: !!d.enumerable, configurable: !!d.configurable }
    : { value: d.value, writable: !!d.writable, enumerable: !!d.enumerable, configurable: !!d.configurable };
  if (!%compatible(extensible, full, old)) %typeError("proxy getOwnPropertyDescriptor trap violates an invariant");
  if (!full.configurable) {
    if (old === undefined || old.configurable) %typeError("proxy getOwnPropertyDescriptor trap violates an invariant");
    if ("writable" in full && !full.writable && old.writable) %typeError("proxy getOwnPropertyDescriptor trap violates an invariant");
  }
  return full;
});
%define("proxyDefineProperty", function (proxy, key, d) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "defineProperty");
  if (trap === undefined) return %defineProperty(target, key, d);
  const object = {};
  if ("value" in d) %createDataProperty(object, "value", d.value);
  if ("writable" in d) %createDataProperty(object, "writable", d.writable);
  if ("get" in d) %createDataProperty(object, "get", d.get);
  if ("set" in d) %createDataProperty(object, "set", d.set);
  if ("enumerable" in d) %createDataProperty(object, "enumerable", d.enumerable);
  if ("configurable" in d) %createDataProperty(object, "configurable", d.configurable);
  if (!%call(trap, handler, target, key, object)) return false;
  const old = %getOwnPropertyDescriptor(target, key);
  const fixed = "configurable" in d && !d.configurable;
  if (old === undefined) {
    if (!%isExtensible(target) || fixed) %typeError("proxy defineProperty trap violates an invariant");
  } else {
    if (!%compatible(%isExtensible(target), d, old) || (fixed && old.configurable)) %typeError("proxy defineProperty trap violates an invariant");
    if ("value" in old && !old.configurable && old.writable && "writable" in d && !d.writable) %typeError("proxy defineProperty trap violates an invariant");
  }
  return true;
});
%define("proxyOwnKeys", function (proxy) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "ownKeys");
  if (trap === undefined) return %ownKeys(target);
  const result = %call(trap, handler, target);
  if (!%isObject(result)) %typeError("proxy ownKeys trap did not return an object");
  const length = %lengthOf(result);
  const keys = [], known = %newHash(@SET_PROTOTYPE, 1);
  for (let i = 0; i < length; i++) {
    const key = result[i];
    if (typeof key !== "string" && typeof key !== "symbol") %typeError("proxy ownKeys trap returned a key that is neither string nor symbol");
    if (%hashHas(known, key)) %typeError("proxy ownKeys trap returned duplicate entries");
    %hashSet(known, key, key);
    %push(keys, key);
  }
  const extensible = %isExtensible(target);
  const own = %ownKeys(target);
  let found = 0;
  for (let i = 0; i < own.length; i++) {
    const d = %getOwnPropertyDescriptor(target, own[i]);
    const there = %hashHas(known, own[i]);
    if (there) found++;
    if (!there && ((d !== undefined && !d.configurable) || !extensible)) %typeError("proxy ownKeys trap violates an invariant");
  }
  if (!extensible && found !== keys.length) %typeError("proxy ownKeys trap violates an invariant");
  return keys;
});
%define("proxyApply", function (proxy, self, list) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "apply");
  return trap === undefined ? %apply(target, self, list) : %call(trap, handler, target, self, list);
});
%define("proxyConstruct", function (proxy, list, newTarget) {
  const handler = %proxyHandler(proxy), target = %field(proxy, 0);
  const trap = %proxyTrap(handler, "construct");
  if (trap === undefined) return %construct(target, list, newTarget);
  const result = %call(trap, handler, target, list, newTarget);
  if (!%isObject(result)) %typeError("proxy construct trap did not return an object");
  return result;
});
%constructor("Proxy", function Proxy(target, handler) {
  if (new.target === undefined) %typeError("Constructor Proxy requires 'new'");
  if (!%isObject(target) || !%isObject(handler)) %typeError("Cannot create proxy with a non-object as target or handler");
  return %newProxy(target, handler);
});
%install(@GLOBAL.Proxy, {
  revocable(target, handler) {
    if (!%isObject(target) || !%isObject(handler)) %typeError("Cannot create proxy with a non-object as target or handler");
    let proxy = %newProxy(target, handler);
    const result = proxy;
    return { proxy: result, revoke: (0, () => { if (proxy !== null) { %setField(proxy, 1, null); proxy = null; } }) };
  },
});
