import { Eta } from 'eta/core';
import dot from 'dot';
import * as Sqrl from 'squirrelly';
console.log(new Eta().renderString('Hi <%= it.name %> <% it.a.forEach(x => { %>[<%~ x %>]<% }) %>', { name: '<b>', a: [1, 2] }));
console.log(dot.template('{{=it.x}} {{~it.a :v:i}}{{=i}}:{{!v}} {{~}}')({ x: 1, a: ['<', '>'] }));
console.log(Sqrl.render('{{@each(it.a) => v, i}}{{i}}={{v}};{{/each}} {{it.a | safe}}', { a: ['x', '<y>'] }));
