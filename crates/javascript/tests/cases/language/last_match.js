// What is left of the last match on RegExp itself, for programs that still ask there.
const told = () => console.log([RegExp.$1, RegExp.$2, RegExp.$9, RegExp.lastMatch, RegExp['$&'], RegExp.lastParen, RegExp.input, RegExp.leftContext, RegExp["$'"]]);
told();
/(b)(c)?/.test('abd'); told();
'x-y-z'.replace(/-(.)/g, (all, letter) => { told(); return letter }); told();
/nothing/.test('xyz'); told();
'¨K12K'.search(/¨(K|G)(\d+)\1/); told();
'one two'.split(/( )/); told();
[...'a1b2'.matchAll(/([a-z])(\d)/g)]; told();
/(1)(2)(3)(4)(5)(6)(7)(8)(9)(10)(11)/.exec('_1234567891011_'); told();
