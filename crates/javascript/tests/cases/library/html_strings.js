// Annex B's methods that make HTML.
for (const name of ["anchor", "big", "blink", "bold", "fixed", "fontcolor", "fontsize", "italics", "link", "small", "strike", "sub", "sup"]) {
  console.log(name, String.prototype[name].length, "a<b"[name]('x"y"'), "q"[name]());
}
try { String.prototype.link.call(null, 1); } catch (error) { console.log(String(error)); }
