const { a, ...r } = { a: 1, b: [2], c: '3' };
const told = []; const say = e => told.push(e.name, e.message, e.stack.split('\n').length);
try { null.x } catch (e) { say(e) } try { r.missing.deep } catch (e) { say(e) } try { undefinedName } catch (e) { say(e) } try { eval('let let = 1') } catch (e) { say(e) }
class Own extends Error { constructor(m, o) { super(m, o); this.name = 'Own' } }
try { try { throw new TypeError('inner ' + told.join()) } catch (cause) { throw new Own('outer'.padEnd(30) + told.length, { cause }) } } catch (e) { say(e); console.log(e, e.cause.message.length); console.error(new AggregateError([e], 'many')) }
let deep = 0; (function down() { deep++; try { down() } catch (e) { if (deep++ < 0) say(e) } })();
told.join() + [...'abc'].sort((x, y) => x < y ? 1 : -1) + JSON.stringify(structuredClone({ a, r, d: new Date(0), m: new Map([[1, new Set([2])]]) }))
