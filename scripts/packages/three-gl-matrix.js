import { Vector3, Matrix4, Quaternion, Euler, Color, BoxGeometry, Raycaster, Mesh, CatmullRomCurve3 } from 'three';
import { mat4, vec3, quat } from 'gl-matrix';
const m = new Matrix4().compose(new Vector3(1, 2, 3), new Quaternion().setFromEuler(new Euler(0.1, 0.2, 0.3)), new Vector3(2, 2, 2));
console.log(m.elements.map((x) => x.toFixed(5)).join(' '), m.determinant().toFixed(6));
const r = new Raycaster(new Vector3(0, 0, 5), new Vector3(0, 0, -1));
const b = new Mesh(new BoxGeometry(1, 1, 1));
b.updateMatrixWorld();
console.log(r.intersectObject(b).map((h) => h.distance));
console.log(
  new Color('tomato').getHexString(),
  new CatmullRomCurve3([new Vector3(), new Vector3(1, 1, 0), new Vector3(2, 0, 0)]).getPoint(0.3).toArray(),
);
console.log(mat4.perspective(mat4.create(), 1, 1.5, 0.1, 100), vec3.length([1, 2, 2]), quat.setAxisAngle(quat.create(), [0, 1, 0], 1));
