let b = new Uint8Array(300).fill(7); const view = new DataView(b.buffer, 8); view.setFloat64(0, Math.PI); view.setBigInt64(8, -5n);
const grown = new ArrayBuffer(8, { maxByteLength: 64 }); const over = new Int16Array(grown); grown.resize(32); over.set([1, 2, 3], 2);
const coded = new TextEncoder().encode('aé\u{1F600}'), back = new TextDecoder().decode(coded.subarray(1));
console.log(b.subarray(0, 20), grown, view);
new Float64Array(b.buffer.slice(0, 80)).map(x => x + 1).length + (2n ** 300n).toString().length + `${[1.5, b.length]}` + over.toSorted().join() + back + btoa('abc') + atob('YWJj') + Array.from(coded) + structuredClone(b).length + Uint8Array.from([3, 1, 2]).sort() + (7n ** 50n / 3n % 1000007n) + BigInt.asUintN(64, -1n)
