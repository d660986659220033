import { parse, compileScript, compileTemplate } from '@vue/compiler-sfc/dist/compiler-sfc.esm-browser.js';
const { descriptor: d, errors } = parse(
  '<script setup lang="ts">const props=defineProps<{a:string,b?:number}>(); const x=ref(1)</script><template><p @click="x++">{{a}} {{x}}</p></template><style scoped>p{color:red}</style>',
);
console.log(
  errors.length,
  compileScript(d, { id: 'x' }).content,
  compileTemplate({ source: d.template.content, id: 'x', filename: 'a.vue' }).code,
);
