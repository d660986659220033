// Map, Set and their weak relatives.
%define("hash", function (x, kind, name) {
  if (!%isHash(x, kind)) %typeError(`Method ${name} called on incompatible receiver ${%brief(x)}`);
});
%constructor("Map", function Map(iterable = undefined) {
  if (new.target === undefined) %typeError("Constructor Map requires 'new'");
  const map = %newHash(%prototypeFor(new.target, @MAP_PROTOTYPE), 0);
  if (iterable !== undefined && iterable !== null) {
    const adder = map.set;
    if (!%isCallable(adder)) %typeError("'set' is not a function");
    for (const entry of iterable) {
      if (!%isObject(entry)) %typeError(`Iterator value ${%show(entry)} is not an entry object`);
      %call(adder, map, entry[0], entry[1]);
    }
  }
  return map;
}, @MAP_PROTOTYPE);
%install(@MAP_PROTOTYPE.constructor, {
  get [@@species]() { return this; },
  groupBy(items, callback) {
    if (items === undefined || items === null) %typeError("items is null or undefined");
    if (!%isCallable(callback)) %typeError("callback is not a function");
    const map = %newHash(@MAP_PROTOTYPE, 0);
    let k = 0;
    for (const item of items) {
      const key = %call(callback, undefined, item, k++);
      if (%hashHas(map, key)) %push(%hashGet(map, key), item);
      else %hashSet(map, key, [item]);
    }
    return map;
  },
});
%install(@MAP_PROTOTYPE, {
  get(key) { %hash(this, 0, "Map.prototype.get"); return %hashGet(this, key); },
  set(key, value) { %hash(this, 0, "Map.prototype.set"); return %hashSet(this, key, value); },
  has(key) { %hash(this, 0, "Map.prototype.has"); return %hashHas(this, key); },
  delete(key) { %hash(this, 0, "Map.prototype.delete"); return %hashDelete(this, key); },
  clear() { %hash(this, 0, "Map.prototype.clear"); %hashClear(this); },
  entries() { %hash(this, 0, "Map.prototype.entries"); return %newIterator(@MAP_ITERATOR_PROTOTYPE, %hashTable(this), 0, 2, "map"); },
  forEach(f, self = undefined) {
    %hash(this, 0, "Map.prototype.forEach");
    %callback(f);
    const it = %newIterator(@MAP_ITERATOR_PROTOTYPE, %hashTable(this), 0, 0, "map");
    while (%hashStep(it)) %call(f, self, %hashValue(it), %hashKey(it), this);
  },
  keys() { %hash(this, 0, "Map.prototype.keys"); return %newIterator(@MAP_ITERATOR_PROTOTYPE, %hashTable(this), 0, 1, "map"); },
  get size() { %hash(this, 0, "get Map.prototype.size"); return %hashSize(this); },
  values() { %hash(this, 0, "Map.prototype.values"); return %newIterator(@MAP_ITERATOR_PROTOTYPE, %hashTable(this), 0, 0, "map"); },
});
%alias(@MAP_PROTOTYPE, @@iterator, @MAP_PROTOTYPE, "entries");
%constant(@MAP_PROTOTYPE, @@toStringTag, "Map", 4);
%install(@MAP_ITERATOR_PROTOTYPE, {
  next() {
    if (!%isIterator(this, "map")) %typeError("next method called on incompatible receiver");
    if (!%hashStep(this)) return %iteratorResult(undefined, true);
    const kind = %field(this, 2);
    return %iteratorResult(kind === 0 ? %hashValue(this) : kind === 1 ? %hashKey(this) : [%hashKey(this), %hashValue(this)], false);
  },
});
%constant(@MAP_ITERATOR_PROTOTYPE, @@toStringTag, "Map Iterator", 4);

%constructor("Set", function Set(iterable = undefined) {
  if (new.target === undefined) %typeError("Constructor Set requires 'new'");
  const set = %newHash(%prototypeFor(new.target, @SET_PROTOTYPE), 1);
  if (iterable !== undefined && iterable !== null) {
    const adder = set.add;
    if (!%isCallable(adder)) %typeError("'add' is not a function");
    for (const value of iterable) %call(adder, set, value);
  }
  return set;
}, @SET_PROTOTYPE);
%install(@SET_PROTOTYPE.constructor, { get [@@species]() { return this; } });
%install(@SET_PROTOTYPE, {
  add(value) { %hash(this, 1, "Set.prototype.add"); return %hashSet(this, value, value); },
  has(value) { %hash(this, 1, "Set.prototype.has"); return %hashHas(this, value); },
  delete(value) { %hash(this, 1, "Set.prototype.delete"); return %hashDelete(this, value); },
  clear() { %hash(this, 1, "Set.prototype.clear"); %hashClear(this); },
  entries() { %hash(this, 1, "Set.prototype.entries"); return %newIterator(@SET_ITERATOR_PROTOTYPE, %hashTable(this), 0, 2, "set"); },
  forEach(f, self = undefined) {
    %hash(this, 1, "Set.prototype.forEach");
    %callback(f);
    const it = %newIterator(@SET_ITERATOR_PROTOTYPE, %hashTable(this), 0, 0, "set");
    while (%hashStep(it)) { const value = %hashKey(it); %call(f, self, value, value, this); }
  },
  get size() { %hash(this, 1, "get Set.prototype.size"); return %hashSize(this); },
  values() { %hash(this, 1, "Set.prototype.values"); return %newIterator(@SET_ITERATOR_PROTOTYPE, %hashTable(this), 0, 0, "set"); },
});
%alias(@SET_PROTOTYPE, "keys", @SET_PROTOTYPE, "values");
%alias(@SET_PROTOTYPE, @@iterator, @SET_PROTOTYPE, "values");
%constant(@SET_PROTOTYPE, @@toStringTag, "Set", 4);
%install(@SET_ITERATOR_PROTOTYPE, {
  next() {
    if (!%isIterator(this, "set")) %typeError("next method called on incompatible receiver");
    if (!%hashStep(this)) return %iteratorResult(undefined, true);
    const key = %hashKey(this);
    return %iteratorResult(%field(this, 2) === 2 ? [key, key] : key, false);
  },
});
%constant(@SET_ITERATOR_PROTOTYPE, @@toStringTag, "Set Iterator", 4);

%define("weakKey", function (x) { return %isObject(x) || (typeof x === "symbol" && !%symbolIsRegistered(x)); });
%constructor("WeakMap", function WeakMap(iterable = undefined) {
  if (new.target === undefined) %typeError("Constructor WeakMap requires 'new'");
  const map = %newHash(%prototypeFor(new.target, @WEAK_MAP_PROTOTYPE), 2);
  if (iterable !== undefined && iterable !== null) {
    const adder = map.set;
    if (!%isCallable(adder)) %typeError("'set' is not a function");
    for (const entry of iterable) {
      if (!%isObject(entry)) %typeError(`Iterator value ${%show(entry)} is not an entry object`);
      %call(adder, map, entry[0], entry[1]);
    }
  }
  return map;
}, @WEAK_MAP_PROTOTYPE);
%install(@WEAK_MAP_PROTOTYPE, {
  get(key) { %hash(this, 2, "WeakMap.prototype.get"); return %hashGet(this, key); },
  set(key, value) {
    %hash(this, 2, "WeakMap.prototype.set");
    if (!%weakKey(key)) %typeError("Invalid value used as weak map key");
    return %hashSet(this, key, value);
  },
  has(key) { %hash(this, 2, "WeakMap.prototype.has"); return %hashHas(this, key); },
  delete(key) { %hash(this, 2, "WeakMap.prototype.delete"); return %hashDelete(this, key); },
});
%constant(@WEAK_MAP_PROTOTYPE, @@toStringTag, "WeakMap", 4);
%constructor("WeakSet", function WeakSet(iterable = undefined) {
  if (new.target === undefined) %typeError("Constructor WeakSet requires 'new'");
  const set = %newHash(%prototypeFor(new.target, @WEAK_SET_PROTOTYPE), 3);
  if (iterable !== undefined && iterable !== null) {
    const adder = set.add;
    if (!%isCallable(adder)) %typeError("'add' is not a function");
    for (const value of iterable) %call(adder, set, value);
  }
  return set;
}, @WEAK_SET_PROTOTYPE);
%install(@WEAK_SET_PROTOTYPE, {
  add(value) {
    %hash(this, 3, "WeakSet.prototype.add");
    if (!%weakKey(value)) %typeError("Invalid value used in weak set");
    return %hashSet(this, value, value);
  },
  has(value) { %hash(this, 3, "WeakSet.prototype.has"); return %hashHas(this, value); },
  delete(value) { %hash(this, 3, "WeakSet.prototype.delete"); return %hashDelete(this, value); },
});
%constant(@WEAK_SET_PROTOTYPE, @@toStringTag, "WeakSet", 4);
%constructor("WeakRef", function WeakRef(target) {
  if (new.target === undefined) %typeError("Constructor WeakRef requires 'new'");
  if (!%weakKey(target)) %typeError("WeakRef: invalid target");
  const proto = %prototypeFor(new.target, @WEAK_REF_PROTOTYPE);
  %weakThings();
  return %newHash(proto, 4, target);
}, @WEAK_REF_PROTOTYPE);
%install(@WEAK_REF_PROTOTYPE, { deref() { %hash(this, 4, "WeakRef.prototype.deref"); return %field(this, 0); } });
%constant(@WEAK_REF_PROTOTYPE, @@toStringTag, "WeakRef", 4);

// Registries: each holds [callback, records]; a record is [reference to the target, held value, reference to the token or undefined].
%constructor("FinalizationRegistry", function FinalizationRegistry(callback) {
  if (new.target === undefined) %typeError("Constructor FinalizationRegistry requires 'new'");
  if (!%isCallable(callback)) %typeError("FinalizationRegistry: cleanup must be callable");
  const registry = %newHash(%prototypeFor(new.target, @FINALIZATION_REGISTRY_PROTOTYPE), 5, [callback, []]);
  %push(%weakThings(), %newHash(@WEAK_REF_PROTOTYPE, 4, registry));
  return registry;
}, @FINALIZATION_REGISTRY_PROTOTYPE);
// The list of all registries (weak); that there is one says that there are weak references at all.
%define("weakThings", function () {
  let list = @REGISTRIES;
  if (list === undefined) {
    list = [];
    %setRegistries(list);
  }
  return list;
});
%install(@FINALIZATION_REGISTRY_PROTOTYPE, {
  register(target, held, token = undefined) {
    %hash(this, 5, "FinalizationRegistry.prototype.register");
    if (!%weakKey(target)) %typeError("FinalizationRegistry.prototype.register: invalid target");
    if (%sameValue(target, held)) %typeError("FinalizationRegistry.prototype.register: target and holdings must not be same");
    if (token !== undefined && !%weakKey(token)) %typeError("Invalid unregister token");
    %push(%field(this, 0)[1], [%newHash(@WEAK_REF_PROTOTYPE, 4, target), held, token === undefined ? undefined : %newHash(@WEAK_REF_PROTOTYPE, 4, token)]);
  },
  unregister(token) {
    %hash(this, 5, "FinalizationRegistry.prototype.unregister");
    if (!%weakKey(token)) %typeError("Invalid unregister token");
    const cell = %field(this, 0), old = cell[1], kept = [];
    for (let i = 0; i < old.length; i++) {
      const by = old[i][2];
      if (by === undefined || %field(by, 0) !== token) %push(kept, old[i]);
    }
    cell[1] = kept;
    return kept.length < old.length;
  },
});
%constant(@FINALIZATION_REGISTRY_PROTOTYPE, @@toStringTag, "FinalizationRegistry", 4);
// Between two turns: queues the callbacks of what has died.
%define("turn", function () {
  if (@REGISTRIES === undefined || !%weakPass()) return;
  const list = @REGISTRIES, kept = [];
  for (let i = 0; i < list.length; i++) {
    const registry = %field(list[i], 0);
    if (registry === undefined) continue;
    %push(kept, list[i]);
    const cell = %field(registry, 0), old = cell[1], live = [];
    for (let k = 0; k < old.length; k++) {
      if (%field(old[k][0], 0) === undefined) %enqueue(cell[0], old[k][1]);
      else %push(live, old[k]);
    }
    if (live.length < old.length) cell[1] = live;
  }
  %setRegistries(kept);
});
