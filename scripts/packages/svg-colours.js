import { optimize } from 'svgo/browser';
import chroma from 'chroma-js';
import tiny from 'tinycolor2';
import { parse, formatHex, oklch, interpolate } from 'culori';
import easing from 'bezier-easing';
import { createNoise2D } from 'simplex-noise';
import sp from 'svg-path-parser';
console.log(
  optimize(
    '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><!-- c --><g><path d="M 0 0 L 10 0 L 10 10 Z" fill="#ff0000"/><g/></g></svg>',
    { multipass: true },
  ).data,
);
console.log(
  chroma.scale(['#fafa6e', '#2A4858']).mode('lch').colors(4),
  tiny('hsl(200,50%,50%)').lighten(10).toString(),
  formatHex(interpolate(['red', 'blue'], 'oklch')(0.5)),
  easing(0.42, 0, 0.58, 1)(0.3).toFixed(10),
);
let s = 1;
const n = createNoise2D(() => (s = (s * 16807) % 2147483647) / 2147483647);
console.log(n(0.3, 0.7).toFixed(12), sp.parseSVG('M10 10 h 5 a 2 3 0 0 1 4 4z').length);
