// What is called and is no function is named as the source names it.
const f = { g: {}, "h i": 1 };
const attempt = (call) => {
  try { call(); } catch (e) { console.log(e.message); }
};
attempt(() => f());
attempt(() => f.x());
attempt(() => f.g.x(1, [2]));
attempt(() => f.g
  .x (1));
attempt(() => f?.g?.x());
attempt(() => f.g?.());
attempt(() => { let later; later(); });
attempt(() => new f());
attempt(() => new f.g.x(1));
attempt(() => f`text`);
attempt(() => f.x(...[1]));
attempt(() => new f.x(...[1]));
attempt(() => (() => f)().x());
attempt(() => [1].map((x) => x).nothing());
attempt(function () { this.x(); }.bind(f));
attempt(() => ((größe) => größe.ä())({}));
attempt(() => { "text".nothing(); });
attempt(() => f.a.b());
class A {
  #p = 1;
  call() { this.#p(); }
}
attempt(() => new A().call());
