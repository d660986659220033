import { parseDocument } from 'htmlparser2';
import { render } from 'dom-serializer';
import he from 'he';
import { decode, encode } from 'entities';
const dom = parseDocument('<!doctype html><div class=a>x<br><p>y<p>z<script>1<2</script>&lt;&eacute;</div><!-- c -->');
console.log(render(dom));
const walk = (n, d = 0) => {
  console.log(' '.repeat(d) + n.type, n.name ?? n.data ?? '');
  (n.children ?? []).forEach((c) => walk(c, d + 1));
};
walk(dom);
console.log(
  he.encode('a < b & é 😀', { useNamedReferences: true }),
  he.decode('&copy;&#x1F600;&notit;'),
  decode('&amp;&CounterClockwiseContourIntegral;'),
  encode('<ü>'),
);
