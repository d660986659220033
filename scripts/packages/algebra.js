import nerdamer from 'nerdamer/all.js';
console.log(
  nerdamer('diff(x^3*sin(x),x)').toString(),
  nerdamer('integrate(x^2*e^x,x)').toString(),
  nerdamer.solve('x^2-5x+6', 'x').toString(),
  nerdamer('factor(x^4-1)').toString(),
  nerdamer('expand((x+1)^5)').toString(),
  nerdamer('2^200').toString(),
);
import A from 'algebrite';
console.log(
  A.run('integral(x^2)'),
  A.run('factor(x^3-1)'),
  A.run('eigenval([[2,0],[0,3]])'),
  A.run('40!'),
  A.run('taylor(sin(x),x,7)'),
);
import alg from 'algebra.js';
console.log(alg.parse('x^2+4*x+4=0').solveFor('x').toString());
