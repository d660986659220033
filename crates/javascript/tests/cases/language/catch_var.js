// A `var` of a catch parameter's name: its initialiser sets the parameter, the variable outside stays (Annex B.3.4).
var a = "outside";
try { throw "thrown"; } catch (a) { var a = "set"; console.log(a); }
console.log(a);
function f() {
  var looks;
  try { throw "thrown"; } catch (e) {
    looks = () => e;
    console.log(looks());
    var e = "set";
    console.log(e, looks());
    for (var e in { key: 1 });
    console.log(e, looks());
    var e;
    console.log(e);
    var { e } = { e: "taken apart" };
    console.log(e, looks());
  }
  return [e, looks()];
}
console.log(f());
function g() { try { throw 1; } catch ({ x = 2 }) { var y = x; } try { throw 3; } catch (z) { { var z = 4; } console.log(z); } return [y, z]; }
console.log(g());
function h() { try { throw 1; } catch (q) { try { throw 2; } catch (q) { var q = 3; console.log(q); } console.log(q); } return q; }
console.log(h());
