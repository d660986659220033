const u = new URL('../b/./c?x=1&y=2&x=3#frag', 'https://user:pw@example.org:8080/a/d/e');
for (const k of ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']) console.log(k, u[k]);
u.searchParams.append('z', 'ä &'); console.log(u.href, u.searchParams.getAll('x'), u.searchParams.has('q'));
u.searchParams.delete('x'); u.port = '443'; u.hash = ''; u.hostname = 'EXAMPLE.com'; console.log(String(u), JSON.stringify({ u }));
u.search = '?only=1'; console.log([...u.searchParams], u.searchParams.get('only'), u.searchParams.get('none'));
try { new URL('nope'); } catch (e) { console.log(e instanceof TypeError, e.code, e.message); }
const p = new URLSearchParams({ b: '2', a: '1' }); p.sort(); p.set('b', '9'); p.append('a', '3'); console.log(p.toString(), p.size, [...p.keys()], [...p.values()]);
console.log(new URLSearchParams([['a', '1'], ['b', 'x y']]).toString(), new URLSearchParams('?q=a+b%20c').get('q'), URL.canParse('x:y'), URL.canParse('/x'));
p.forEach((v, k) => console.log(k, v));
console.log(new URL('http://münchen.de/ä?ö#ü').href, new URL('file:///a/../b').pathname, new URL('data:text/plain,x').pathname);
