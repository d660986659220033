// Modules: records that load, bind and run each other. Texts come from the host (%hostModule), by name.
// A record: 0 function, 1 requests, 2 imports [request, name or undefined], 3 exports [name, box], 4 indirect [name, request,
// name there or undefined], 5 stars, 6 its own boxes, 7 has await, 8 imported boxes, 9 name, 10 import.meta, 11 state (0 loaded,
// 1 with all it asks for, 2 bound, 3 running or done, 4 failed), 12 error, 13 records asked for, 14 namespace, 15 body, 16 promise,
// 17 box of the namespace.
%define("moduleMap", function () {
  let map = @MODULES;
  if (map === undefined) { map = %newHash(@MAP_PROTOTYPE, 0); %keepModules(map); }
  return map;
});
%define("addModule", function (name, text) {
  const record = %compileModule(name, text);
  %hashSet(%moduleMap(), name, record);
  return record;
});
%define("loadModule", function (specifier, referrer) {
  const found = %hostModule(specifier, referrer);
  if (found === undefined) {
    const error = %newError(@TYPE_ERROR_PROTOTYPE, `Cannot find module '${specifier}'${referrer === "" ? "" : ` imported from ${referrer}`}`);
    %constant(error, "code", "ERR_MODULE_NOT_FOUND", 7);
    throw error;
  }
  const known = %hashGet(%moduleMap(), found[0]);
  return known !== undefined ? known : %addModule(found[0], found[1]);
});
%define("loadGraph", function (record) {
  if (record[11] !== 0) return;
  record[11] = 1;
  for (let i = 0; i < record[1].length; i++) {
    const next = %loadModule(record[1][i], record[9]);
    %push(record[13], next);
    %loadGraph(next);
  }
});
// The box behind an export: undefined if there is none, null if there are several.
%define("resolveExport", function (record, name, seen) {
  for (let i = 0; i < seen.length; i += 2) if (seen[i] === record && seen[i + 1] === name) return undefined;
  %push(seen, record);
  %push(seen, name);
  for (let i = 0; i < record[3].length; i++) if (record[3][i][0] === name) return record[6][record[3][i][1]];
  for (let i = 0; i < record[4].length; i++) {
    const entry = record[4][i];
    if (entry[0] !== name) continue;
    const from = record[13][entry[1]];
    return entry[2] === undefined ? %namespaceBox(from) : %resolveExport(from, entry[2], seen);
  }
  if (name === "default") return undefined;
  let found;
  for (let i = 0; i < record[5].length; i++) {
    const box = %resolveExport(record[13][record[5][i]], name, seen);
    if (box === null) return null;
    if (box === undefined) continue;
    if (found !== undefined && !%sameValue(found, box)) return null;
    found = box;
  }
  return found;
});
%define("exportNames", function (record, names, seen) {
  if (%includes(seen, record)) return;
  const first = seen.length === 0;
  %push(seen, record);
  for (let i = 0; i < record[3].length; i++) %addName(names, record[3][i][0], first);
  for (let i = 0; i < record[4].length; i++) %addName(names, record[4][i][0], first);
  for (let i = 0; i < record[5].length; i++) %exportNames(record[13][record[5][i]], names, seen);
});
%define("addName", function (names, name, first) { if ((first || name !== "default") && !%includes(names, name)) %push(names, name); });
%define("namespaceBox", function (record) {
  if (record[17] === undefined) record[17] = %newBox(%namespaceOf(record));
  return record[17];
});
%define("namespaceOf", function (record) {
  if (record[14] !== undefined) return record[14];
  const all = [], names = [], boxes = %newHash(@MAP_PROTOTYPE, 0);
  %exportNames(record, all, []);
  for (let i = 0; i < all.length; i++) {
    const box = %resolveExport(record, all[i], []);
    if (box === undefined || box === null) continue;
    let at = names.length;
    while (at > 0 && names[at - 1] > all[i]) { names[at] = names[at - 1]; at--; }
    names[at] = all[i];
    %hashSet(boxes, all[i], box);
  }
  const target = %createFrom(null);
  for (let i = 0; i < names.length; i++) %constant(target, names[i], undefined, 3);
  %constant(target, @@toStringTag, "Module", 0);
  @GLOBAL.Object.preventExtensions(target);
  record[14] = %newProxy(target, %namespaceHandler(boxes));
  // What tells a namespace from other proxies.
  %setField(record[14], 2, boxes);
  return record[14];
});
%define("exported", function (boxes, key) {
  const value = %boxValue(%hashGet(boxes, key));
  if (value === %hole()) %referenceError(`Cannot access '${key}' before initialization`);
  return value;
});
%define("namespaceHandler", function (boxes) {
  const handler = {
    get(target, key) { return %hashHas(boxes, key) ? %exported(boxes, key) : target[key]; },
    set() { return false; },
    getOwnPropertyDescriptor(target, key) {
      if (!%hashHas(boxes, key)) return %getOwnPropertyDescriptor(target, key);
      return { value: %exported(boxes, key), writable: true, enumerable: true, configurable: false };
    },
    defineProperty(target, key, d) {
      if (!%hashHas(boxes, key)) return @GLOBAL.Reflect.defineProperty(target, key, d);
      const value = %exported(boxes, key);
      if (d.configurable === true || d.enumerable === false || "get" in d || "set" in d || d.writable === false) return false;
      return "value" in d ? %sameValue(d.value, value) : true;
    },
    setPrototypeOf(target, proto) { return proto === null; },
  };
  @GLOBAL.Object.setPrototypeOf(handler, null);
  return handler;
});
%define("bindGraph", function (record) {
  if (record[11] !== 1) return;
  record[11] = 2;
  for (let i = 0; i < record[13].length; i++) %bindGraph(record[13][i]);
  for (let i = 0; i < record[4].length; i++) %mustResolve(record, record[4][i][0], record[1][record[4][i][1]], record[4][i][2]);
  for (let i = 0; i < record[2].length; i++) {
    const from = record[13][record[2][i][0]], name = record[2][i][1];
    %push(record[8], name === undefined ? %namespaceBox(from) : %mustResolve(from, name, record[1][record[2][i][0]], name));
  }
  const body = record[0];
  record[15] = body();
});
%define("mustResolve", function (record, name, request, there) {
  const box = %resolveExport(record, name, []);
  if (box === undefined) %syntaxError(`The requested module '${request}' does not provide an export named '${there}'`);
  if (box === null) %syntaxError(`The requested module '${request}' contains conflicting star exports for name '${there}'`);
  return box;
});
// Runs a module after those it asks for: undefined when all of it is done, a promise while something waits.
%define("runModule", function (record) {
  if (record[11] === 4) throw record[12];
  if (record[11] === 3) return record[16];
  record[11] = 3;
  const waits = [];
  try {
    for (let i = 0; i < record[13].length; i++) {
      const wait = %runModule(record[13][i]);
      if (wait !== undefined) %push(waits, wait);
    }
    if (waits.length === 0) return (record[16] = %startBody(record));
  } catch (e) {
    record[11] = 4;
    record[12] = e;
    throw e;
  }
  record[16] = %combine(@PROMISE_PROTOTYPE.constructor, waits, 0).then(() => %startBody(record));
  return record[16];
});
%define("startBody", function (record) {
  const body = record[15];
  if (!record[7]) {
    %resume(body, 0, undefined, 0);
    return undefined;
  }
  %resume(body, 0, undefined, 1);
  return %generatorData(body);
});
%define("openModule", function (record) {
  try {
    %loadGraph(record);
    %bindGraph(record);
  } catch (e) {
    record[11] = 4;
    record[12] = e;
    throw e;
  }
  return %runModule(record);
});
%define("startModule", function (name, text) { return %openModule(%addModule(name, text)); });
%define("importCall", function (specifier, options, referrer) {
  const capability = %capability(@PROMISE_PROTOTYPE.constructor);
  try {
    const record = %loadModule(%toString(specifier), referrer);
    const wait = %openModule(record);
    if (wait === undefined) capability[1](%namespaceOf(record));
    else wait.then(() => capability[1](%namespaceOf(record)), capability[2]);
  } catch (e) { capability[2](e); }
  return capability[0];
});
