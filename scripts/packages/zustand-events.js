import { createStore } from 'zustand/vanilla';
import mitt from 'mitt';
import EventEmitter from 'eventemitter3';
const s = createStore((set, get) => ({ n: 0, inc: () => set({ n: get().n + 1 }) }));
s.subscribe((a, b) => console.log(a.n, b.n));
s.getState().inc();
s.getState().inc();
const e = mitt();
e.on('*', (t, x) => console.log(t, x));
e.emit('a', { b: 1 });
const ee = new EventEmitter();
ee.once(
  'x',
  function (...a) {
    console.log(this.k, a);
  },
  { k: 5 },
);
console.log(ee.emit('x', 1, 2), ee.emit('x'), ee.eventNames());
