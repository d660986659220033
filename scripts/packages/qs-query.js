import qs from 'qs';
import queryString from 'query-string';
import camel from 'camelcase';
import slugify from 'slugify';
import pluralize from 'pluralize';
import color from 'color';
console.log(
  qs.parse('a[b][c]=1&d[]=2&d[]=3&e=%F0%9F%98%80&f.g=x', { allowDots: true }),
  qs.stringify({ a: { b: [1, { c: 'é' }] }, d: null, e: undefined, f: new Date(0) }, { arrayFormat: 'brackets' }),
  queryString.parse('?x=1&y=a&y=b', { arrayFormat: 'none' }),
  queryString.stringify({ b: [1, 2], a: null }),
  camel('foo_bar-baz'),
  slugify('Ünï cödé & more!', { lower: true }),
  pluralize('octopus', 3, true),
  color('#7743CE').alpha(0.5).lighten(0.5).string(),
  color('hsl(100,50%,60%)').hex(),
);
