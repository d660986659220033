import { createSSRApp, ref, computed, h, reactive, watch } from 'vue/dist/vue.cjs.prod.js';
import { renderToString } from '@vue/server-renderer';
const app = createSSRApp({
  setup() {
    const n = ref(3);
    const d = computed(() => n.value * 2);
    return { n, d, items: ['a', 'b<'] };
  },
  template: '<div :class="{x:n>2}"><p v-for="i in items" :key="i">{{i}} {{d}}</p><slot/><b v-if="n===3">three</b></div>',
});
renderToString(app).then(console.log, (e) => console.log('E', e.message));
