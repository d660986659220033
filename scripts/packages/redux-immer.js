import { createStore, combineReducers, applyMiddleware, compose } from 'redux';
import { produce, enablePatches, produceWithPatches, applyPatches, enableMapSet, current } from 'immer';
enablePatches();
enableMapSet();
const todos = (s = [], a) => (a.type === 'add' ? [...s, a.text] : s),
  n = (s = 0, a) => (a.type === 'inc' ? s + (a.by ?? 1) : s);
const log = (store) => (next) => (a) => {
  const r = next(typeof a === 'function' ? a(store.dispatch) : a);
  console.log('after', a.type ?? 'thunk', store.getState());
  return r;
};
const store = createStore(combineReducers({ todos, n }), applyMiddleware(log));
store.dispatch({ type: 'add', text: 'x' });
store.dispatch({ type: 'inc', by: 5 });
store.dispatch((d) => d({ type: 'inc' }));
const base = { a: { b: [1, 2, { c: 3 }] }, m: new Map([['k', { v: 1 }]]), s: new Set([1]) };
const next = produce(base, (d) => {
  d.a.b[2].c++;
  d.a.b.push(4);
  delete d.a.b[0];
  d.m.get('k').v = 9;
  d.s.add(2);
});
console.log(next, base, next.a === base.a, Object.isFrozen(next.a));
const [r, p, inv] = produceWithPatches({ x: 1, l: [1, 2, 3] }, (d) => {
  d.x = 2;
  d.l.splice(1, 1);
});
console.log(r, p, inv, applyPatches(r, inv));
try {
  store.dispatch({});
} catch (e) {
  console.log(e.message);
}
