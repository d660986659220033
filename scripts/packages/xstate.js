import { createMachine, createActor, assign } from 'xstate';
const m = createMachine({
  id: 't',
  initial: 'idle',
  context: { n: 0 },
  states: {
    idle: { on: { GO: { target: 'run', actions: assign({ n: ({ context }) => context.n + 1 }) } } },
    run: {
      initial: 'a',
      states: { a: { on: { NEXT: 'b' } }, b: { type: 'final' } },
      onDone: 'end',
      on: { STOP: { target: 'idle', guard: ({ context }) => context.n < 3 } },
    },
    end: { type: 'final', entry: () => console.log('entered end') },
  },
});
const a = createActor(m);
a.subscribe({ next: (s) => console.log(JSON.stringify(s.value), s.context), complete: () => console.log('complete') });
a.start();
for (const type of ['GO', 'STOP', 'GO', 'NEXT']) a.send({ type });
