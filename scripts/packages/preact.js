import { h } from 'preact';
import render from 'preact-render-to-string';
import htm from 'htm';
const html = htm.bind(h);
const L = ({ xs }) =>
  html`<ul class="x">
    ${xs.map((x) => html`<li key=${x}>${x}</li>`)}
  </ul>`;
console.log(render(html`<${L} xs=${['a', '<b>']} />`));
