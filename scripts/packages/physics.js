import M from 'matter-js';
const e = M.Engine.create();
const b = M.Bodies.rectangle(0, 0, 40, 40, { restitution: 0.5 });
const g = M.Bodies.rectangle(0, 200, 400, 20, { isStatic: true });
M.Composite.add(e.world, [b, g]);
for (let i = 0; i < 300; i++) {
  M.Engine.update(e, 1000 / 60);
}
console.log(b.position.x.toFixed(6), b.position.y.toFixed(6), b.angle.toFixed(6));
import * as C from 'cannon-es';
const w = new C.World({ gravity: new C.Vec3(0, -9.82, 0) });
const s = new C.Body({ mass: 5, shape: new C.Sphere(1), position: new C.Vec3(0, 10, 0) });
w.addBody(s);
const gr = new C.Body({ type: C.Body.STATIC, shape: new C.Plane() });
gr.quaternion.setFromEuler(-Math.PI / 2, 0, 0);
w.addBody(gr);
for (let i = 0; i < 200; i++) w.step(1 / 60);
console.log(s.position.y.toFixed(6));
import * as P from 'planck';
const pw = new P.World({ gravity: P.Vec2(0, -10) });
const gb = pw.createBody();
gb.createFixture(P.Edge(P.Vec2(-40, 0), P.Vec2(40, 0)));
const bs = [];
for (let i = 0; i < 10; i++) {
  const q = pw.createDynamicBody(P.Vec2(0.1 * i, 5 + 2 * i));
  q.createFixture(P.Box(0.5, 0.5), 1);
  bs.push(q);
}
for (let i = 0; i < 300; i++) pw.step(1 / 60);
console.log(bs.map((q) => q.getPosition().x.toFixed(5) + ',' + q.getPosition().y.toFixed(5)).join(' '));
