import * as yup from 'yup';
import * as ss from 'superstruct';
const s = yup.object({
  n: yup.number().required().min(3),
  e: yup.string().email(),
  l: yup.array().of(yup.string().trim().lowercase()).min(1),
  d: yup.date().default(new Date(0)),
});
console.log(s.cast({ n: '5', l: [' A '] }));
try {
  s.validateSync({ n: 1, e: 'x', l: [] }, { abortEarly: false });
} catch (e) {
  console.log(
    e.name,
    e.errors,
    e.inner.map((i) => i.path),
  );
}
s.validate({ n: 1, l: ['a'] }).catch((e) => console.log('async', e.message));
const u = ss.object({ id: ss.number(), tags: ss.defaulted(ss.array(ss.string()), () => []) });
console.log(ss.create({ id: 1 }, u));
try {
  ss.assert({ id: 'x' }, u);
} catch (e) {
  console.log(e.message, e.path);
}
