import katex from 'katex';
console.log(
  katex.renderToString('\\frac{a^2}{\\sqrt{b}} + \\sum_{i=0}^\\infty x_i \\begin{pmatrix}1&2\\\\3&4\\end{pmatrix} \\text{hé}', {
    displayMode: true,
  }),
);
try {
  katex.renderToString('\\frac{a}');
} catch (e) {
  console.log(e.name, e.message);
}
