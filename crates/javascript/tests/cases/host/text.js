console.log(btoa('hello'), btoa(''), atob('aGVsbG8='), atob(' aGVs bG8 '), atob('aGVsbG8'));
for (const bad of ['a', 'a===', '*']) try { atob(bad); console.log('no'); } catch (e) { console.log(e.name); }
try { btoa('é€'); } catch (e) { console.log(e.name); }
const bytes = new TextEncoder().encode('héé 😀 \ud800');
console.log(bytes, new TextDecoder().decode(bytes));
console.log(new TextEncoder().encodeInto('a😀b', new Uint8Array(5)), new TextEncoder().encoding);
console.log(new TextDecoder().encoding, new TextDecoder('utf-16le').decode(new Uint8Array([0x61, 0, 0x3d, 0xd8, 0, 0xde])), new TextDecoder('latin1').decode(new Uint8Array([0xe9])));
console.log(JSON.stringify(new TextDecoder().decode(new Uint8Array([0xff, 0x61, 0xc3]))));
try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])); } catch (e) { console.log(e instanceof TypeError); }
try { new TextDecoder('nonsense'); } catch (e) { console.log(e instanceof RangeError); }
const d = new TextDecoder(); console.log(d.decode(new Uint8Array([0xf0, 0x9f]), { stream: true }) + d.decode(new Uint8Array([0x98])));
console.log(JSON.stringify(new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))), JSON.stringify(new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))));
