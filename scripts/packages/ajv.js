import Ajv from 'ajv';
const ajv = new Ajv({ allErrors: true, strict: false });
const validate = ajv.compile({
  type: 'object',
  required: ['a', 'b'],
  properties: {
    a: { type: 'integer', minimum: 3 },
    b: { type: 'array', items: { $ref: '#/definitions/c' }, uniqueItems: true },
    p: { type: 'string', pattern: '^x+$', maxLength: 4 },
  },
  additionalProperties: false,
  definitions: { c: { oneOf: [{ type: 'string' }, { type: 'number', multipleOf: 2 }] } },
  if: { properties: { a: { const: 5 } } },
  then: { required: ['p'] },
});
for (const v of [{ a: 5, b: ['q', 4], p: 'xx' }, { a: 1.5, b: [3, 3], z: 1 }, 'no', { a: 5, b: [] }])
  console.log(validate(v), validate.errors);
