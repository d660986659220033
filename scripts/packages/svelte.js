import { compile, parse } from 'svelte/compiler';
const r = compile(
  '<script>let n = $state(0); const d = $derived(n*2);</script><button onclick={() => n++}>{n} {d}</button>{#each [1,2] as x}<p>{x}</p>{/each}<style>p{color:red}</style>',
  { generate: 'server', filename: 'A.svelte' },
);
console.log(r.js.code);
console.log(r.css && r.css.code, r.warnings.length);
try {
  compile('{#if}', {});
} catch (e) {
  console.log(e.name, e.message, e.start && e.start.line);
}
