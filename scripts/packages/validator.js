import validator from 'validator';
import semver from 'semver';
import * as mm from 'minimatch';
import picomatch from 'picomatch/posix';
console.log(
  ['a@b.co', 'a@b', '"q"@x.org'].map((e) => validator.isEmail(e)),
  validator.isURL('http://ex.com/p?q#h'),
  validator.isISBN('978-3-16-148410-0'),
  validator.isCreditCard('4111 1111 1111 1111'),
  validator.isIP('::1', 6),
  validator.normalizeEmail('Some.One+x@GMail.com'),
  validator.escape('<a>'),
  validator.isJSON('{"a":1}'),
  validator.isIBAN('GB82WEST12345698765432'),
  validator.isUUID('x'),
);
console.log(
  semver.satisfies('1.2.3', '^1.0.0 || >=3 <4'),
  semver.inc('1.2.3-beta.1', 'prerelease'),
  semver.sort(['1.10.0', '1.2.0', '1.2.0-a']),
  semver.coerce('v3.4 x').version,
  semver.validRange('~1.2 >=1.2.5'),
  mm.minimatch('a/b/c.js', 'a/**/*.{js,ts}'),
  picomatch('**/*.{md,js}')('x/y.md'),
  picomatch.makeRe('foo/{01..3}/[!a]*').source,
);
