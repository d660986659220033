let t = ''; for (let i = 0; i < 60; i++) t += 'part' + i;
const tag = (parts, ...values) => parts.raw.join('|') + values.join();
const wide = 'ж'.repeat(9) + t.slice(3, 30) + '\u{1F600}';
t.split('t').map(x => x.toUpperCase()).join('-').replace(/P(A)R/g, (a, b) => b + a) + tag`a${1}\n${t.length}` + wide.padStart(70, 'ab') + wide.at(-1) + wide.normalize('NFD')
  + [...wide].reverse().join('') + t.replaceAll('part', '$&-$`').length + encodeURIComponent(wide) + escape(wide) + t.localeCompare(wide) + wide.split('') + t.substring(5).trim().concat(t, 1)
