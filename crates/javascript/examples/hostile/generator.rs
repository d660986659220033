//! Programs made of random choices: grammar in every shape, pieces of programs by other people, and damage to both.

/// Where choices come from: a random number generator, or a fuzzer's bytes.
pub trait Choices {
    /// A number below `n`, which is at least 1.
    fn below(&mut self, n: u32) -> u32;
    /// Nothing is left to choose from: what is being made should end.
    fn is_spent(&self) -> bool {
        false
    }
}

/// Random choices from a seed: the same on every machine.
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

impl Choices for Random {
    fn below(&mut self, n: u32) -> u32 {
        (((self.next() >> 32) * u64::from(n)) >> 32) as u32
    }
}

/// A fuzzer's bytes, two a choice; zeros when they are spent.
#[allow(dead_code, reason = "for the target guided by coverage")]
pub struct Bytes<'a>(pub &'a [u8]);

impl Choices for Bytes<'_> {
    fn below(&mut self, n: u32) -> u32 {
        let Some((two, rest)) = self.0.split_first_chunk::<2>() else { return 0 };
        self.0 = rest;
        u32::from(u16::from_le_bytes(*two)) % n
    }

    fn is_spent(&self) -> bool {
        self.0.len() < 2
    }
}

/// Texts that a sentence of the grammar ends in.
const ATOMS: &[&str] = &[
    "x",
    "y",
    "f",
    "o",
    "a",
    "this",
    "null",
    "undefined",
    "0",
    "-1",
    "1.5",
    "NaN",
    "4294967295",
    "2n",
    "10n ** 30n",
    "''",
    "'abc'",
    "`t`",
    "/a+b?/g",
    "/(a*)*\\1/u",
    "[]",
    "{}",
    "[1, , 2]",
    "Symbol.iterator",
    "globalThis",
    "async",
    "of",
    "eval",
    "Object",
    "Array",
    "Map",
    "Proxy",
    "Reflect",
    "Promise",
    "JSON",
    "Function",
    "RegExp",
    "Date",
    "String",
    "Uint8Array",
    "new Map([[1, o]])",
    "new Set(a)",
    "new Uint8Array(8)",
    "new Date(0)",
    "new Error('e')",
    "new Proxy(o, {})",
    "Symbol('s')",
    "'\\u{1F600}'",
    "'\\ud800'",
];
/// Those that are wrong in most places.
const RARE: &[&str] = &[
    "new.target",
    "arguments",
    "await",
    "yield",
    "let",
    "super",
    "super.x",
    "super()",
    "import.meta",
    "#p",
    "await f()",
    "yield* a",
    "...a",
    "return",
    "import('x')",
];
const BINARY: &[&str] = &[
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "<<",
    ">>",
    ">>>",
    "&",
    "|",
    "^",
    "==",
    "!=",
    "===",
    "!==",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "instanceof",
    "&&",
    "||",
    "??",
    ",",
];
const UNARY: &[&str] = &["!", "-", "+", "~", "typeof ", "void ", "delete ", "new "];
const MEMBERS: &[&str] = &[
    ".x",
    ".length",
    ".constructor",
    ".prototype",
    ".__proto__",
    ".next()",
    ".then(f)",
    ".toString()",
    ".valueOf()",
    "?.x",
    "?.[0]",
    "[0]",
    "[x]",
    "[-1]",
    ".push(o)",
    ".pop()",
    ".splice(0, 1)",
    ".concat(a)",
    ".map(f)",
    ".sort(f)",
    ".reduce(f)",
    ".flat(9)",
    ".fill(x)",
    ".slice(1)",
    ".join()",
    ".split('')",
    ".replace(/a/g, f)",
    ".match(/./gu)",
    ".repeat(9)",
    ".padEnd(99)",
    ".normalize()",
    ".at(-1)",
    ".call(o, x)",
    ".apply(o, a)",
    ".bind(o)",
    ".get(1)",
    ".set(x, y)",
    ".keys()",
    ".entries()",
    ".test('aab')",
    ".exec('aab')",
    ".buffer",
    ".subarray(1)",
    ".copyWithin(0, 1)",
    ".length = 0",
    ".length = 9",
    ".x = y",
    "[5000000] = 1",
];
const CALLS: &[&str] = &[
    "Object.keys",
    "Object.assign",
    "Object.defineProperty",
    "Object.freeze",
    "Object.setPrototypeOf",
    "Object.fromEntries",
    "Object.getOwnPropertyDescriptors",
    "Array.from",
    "Array.of",
    "Reflect.ownKeys",
    "Reflect.construct",
    "Reflect.apply",
    "Reflect.set",
    "JSON.stringify",
    "JSON.parse",
    "String.raw",
    "parseInt",
    "structuredClone",
    "console.log",
    "setTimeout",
    "queueMicrotask",
    "Promise.all",
    "Promise.race",
    "eval",
    "Function",
    "RegExp",
    "new Proxy",
    "new Map",
    "new WeakMap",
    "new WeakRef",
    "new Array",
    "new Uint8Array",
    "new Float64Array",
    "new DataView",
    "BigInt",
    "Symbol",
    "Number",
    "String",
    "Date",
    "Math.max",
    "isNaN",
    "f",
    "g",
];

/// Makes a program.
pub struct Maker<'c, C: Choices> {
    choices: &'c mut C,
    text: String,
    depth: u32,
    functions: u32,
}

impl<C: Choices> Maker<'_, C> {
    fn pick(&mut self, list: &[&'static str]) -> &'static str {
        list[self.choices.below(list.len() as u32) as usize]
    }

    fn say(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn is_over(&self) -> bool {
        self.depth > 12 || self.text.len() > 6_000 || self.choices.is_spent()
    }

    fn list(&mut self, most: u32, mut item: impl FnMut(&mut Self)) {
        for i in 0..self.choices.below(most + 1) {
            if i > 0 {
                self.say(", ");
            }
            item(self);
        }
    }

    fn expression(&mut self) {
        self.depth += 1;
        match if self.is_over() { 0 } else { self.choices.below(24) } {
            0..=4 => {
                let list = if self.choices.below(60) == 0 { RARE } else { ATOMS };
                let atom = self.pick(list);
                self.say(atom);
            }
            5 if self.choices.below(2) == 0 => {
                let target = self.pick(&["x", "y", "o.x", "a[0]", "o[x]", "a.length", "[x, y]", "({ x, ...o })", "o?.x"]);
                let operator = self.pick(&[" = ", " = ", " = ", " += ", " **= ", " &&= ", " ??= ", " >>>= "]);
                self.say("(");
                self.say(target);
                self.say(operator);
                self.expression();
                self.say(")");
            }
            5 | 6 => {
                self.say("(");
                self.expression();
                self.say(")");
                let operator = self.pick(BINARY);
                self.say(" ");
                self.say(operator);
                self.say(" (");
                self.expression();
                self.say(")");
            }
            7 => {
                let operator = self.pick(UNARY);
                self.say(operator);
                self.say("(");
                self.expression();
                self.say(")");
            }
            8..=11 => {
                self.expression();
                let member = self.pick(MEMBERS);
                self.say(member);
            }
            12..=14 => {
                let call = self.pick(CALLS);
                self.say(call);
                self.say("(");
                self.list(3, Self::expression);
                self.say(")");
            }
            15 => {
                self.say("(");
                self.expression();
                self.say(")");
            }
            16 => {
                self.say("[");
                self.list(4, Self::expression);
                self.say("]");
            }
            17 | 18 => self.object(),
            19 => self.function(),
            20 => {
                let head = self.pick(&["(x) => ", "(x, y = f(), ...a) => ", "async x => ", "({ x, ...o } = {}, [a] = []) => ", "() => "]);
                self.say("(");
                self.say(head);
                self.expression();
                self.say(")");
            }
            21 => self.class(),
            22 => {
                self.say("`a${");
                self.expression();
                self.say("}b`");
            }
            _ => {
                self.expression();
                self.say(" ? ");
                self.expression();
                self.say(" : ");
                self.expression();
            }
        }
        self.depth -= 1;
    }

    fn object(&mut self) {
        self.say("({ ");
        self.list(4, |maker| {
            let key = maker.pick(&[
                "x",
                "y",
                "0",
                "'k'",
                "[f]",
                "length",
                "then",
                "__proto__",
                "constructor",
                "valueOf",
                "[Symbol.iterator]",
                "[Symbol.toPrimitive]",
            ]);
            match maker.choices.below(6) {
                0 => {
                    maker.say("get ");
                    maker.say(key);
                    maker.say("() ");
                    maker.block();
                }
                1 => {
                    let kind = maker.pick(&["", "*", "async ", "async *", "set "]);
                    maker.say(kind);
                    maker.say(key);
                    maker.say("(x) ");
                    maker.block();
                }
                2 => {
                    maker.say("...");
                    maker.expression();
                }
                _ => {
                    maker.say(key);
                    maker.say(": ");
                    maker.expression();
                }
            }
        });
        self.say(" })");
    }

    fn function(&mut self) {
        let head = self.pick(&["(function ", "(async function ", "(function* ", "(async function* "]);
        self.say(head);
        let parameters = self.pick(&["g(x, y)", "(x = y, ...a)", "({ x, y: [a] })", "f()", "(p)"]);
        self.say(parameters);
        self.say(" ");
        self.functions += 1;
        self.block();
        self.functions -= 1;
        self.say(")");
        if self.choices.below(2) == 0 {
            self.say("(o, x)");
        }
    }

    fn class(&mut self) {
        self.say("(class C");
        if self.choices.below(2) == 0 {
            self.say(" extends ");
            let parent = self.pick(&["Array", "Object", "Map", "Error", "Function", "null", "f", "Promise", "RegExp", "Uint8Array"]);
            self.say(parent);
        }
        self.say(" { #p = 1; ");
        for _ in 0..self.choices.below(4) {
            let member = self.pick(&[
                "y = this; ",
                "static x = 1; ",
                "x = this; ",
                "static { this.y = 1; } ",
                "get z() { return this.#p; } ",
                "m(x) { return super.m?.(x) } ",
                "static async *m() { yield* o; } ",
                "[f]() { return super.x; } ",
                "accessor = 1; ",
                "static y = new this; ",
                "set q(v) { this.#p = v } ",
            ]);
            self.say(member);
        }
        self.say("})");
    }

    fn block(&mut self) {
        self.depth += 1;
        self.say("{ ");
        for _ in 0..self.choices.below(4) {
            if self.is_over() {
                break;
            }
            self.statement();
        }
        self.say("} ");
        self.depth -= 1;
    }

    fn statement(&mut self) {
        self.depth += 1;
        match if self.is_over() { 0 } else { self.choices.below(16) } {
            0..=4 => {
                self.expression();
                self.say("; ");
            }
            5 | 6 => {
                let kind = self.pick(&["let ", "const ", "var "]);
                let number = self.text.len();
                let target = self.pick(&["v#", "{ x: v#, y: w# = 1, ...o# }", "[v#, , ...w#]", "{ length: v# }"]);
                self.say(kind);
                self.say(&target.replace('#', &number.to_string()));
                self.say(" = ");
                self.expression();
                self.say("; ");
            }
            7 => {
                self.say("if (");
                self.expression();
                self.say(") ");
                self.block();
                self.say("else ");
                self.block();
            }
            8 | 9 => {
                let head = self.pick(&[
                    "for (let i = 0; i < 3; i++) ",
                    "for (const k in o) ",
                    "for (const [k, v] of [[1, 2]]) ",
                    "for (x of a) ",
                    "while (x) ",
                    "for await (const k of [f()]) ",
                    "l: do ",
                ]);
                self.say(head);
                self.block();
                if head == "l: do " {
                    self.say("while (false); ");
                }
            }
            10 => {
                self.say("try ");
                self.block();
                let rest = self.pick(&["catch (e) ", "catch { throw 1 } finally ", "finally ", "catch ({ message }) "]);
                self.say(rest);
                self.block();
            }
            11 => {
                let kind = self.pick(&["function f(x) ", "async function g() ", "function* g(...a) ", "async function* h() "]);
                self.say(kind);
                self.block();
            }
            12 => {
                let way = self.pick(&["return ", "throw "]);
                if self.functions > 0 || way == "throw " {
                    self.say(way);
                    self.expression();
                }
                self.say("; ");
            }
            13 => {
                self.say("switch (");
                self.expression();
                self.say(") { case 1: ");
                self.statement();
                self.say("default: ");
                self.statement();
                self.say("} ");
            }
            14 => {
                let way = match self.choices.below(8) {
                    0 => self.pick(&["break; ", "continue; ", "break l; ", "yield x; ", "await f(); "]),
                    _ => self.pick(&["debugger; ", ";", "'use strict'; ", "with (o) { x } ", "o.x = a; ", "a.push(o); "]),
                };
                self.say(way);
            }
            _ => self.block(),
        }
        self.depth -= 1;
    }
}

/// A program of the grammar.
pub fn grammar(choices: &mut impl Choices) -> String {
    let mut maker = Maker { choices, text: String::new(), depth: 0, functions: 0 };
    maker.say("var x = 1, y = 'aab', o = { x }, a = [1, 2, 3], f = (...l) => l[0], g = function () { return this }; ");
    for _ in 0..=maker.choices.below(12) {
        // What is thrown does not end the program.
        maker.say("try { ");
        maker.statement();
        maker.say("} catch (e) { x = e } ");
    }
    maker.text
}

/// Damages a text: pieces of it are cut, doubled, moved, taken from another one, or changed byte by byte.
pub fn damage(choices: &mut impl Choices, text: &str, other: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..choices.below(6) {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len() as u32;
        let from = choices.below(length) as usize;
        let to = (from + 1 + choices.below(60) as usize).min(bytes.len());
        match choices.below(6) {
            0 => drop(bytes.drain(from..to)),
            1 => {
                let piece = bytes[from..to].to_vec();
                let at = choices.below(length) as usize;
                for _ in 0..=choices.below(40) {
                    bytes.splice(at..at, piece.iter().copied());
                }
            }
            2 if !other.is_empty() => {
                let other = other.as_bytes();
                let start = choices.below(other.len() as u32) as usize;
                let end = (start + choices.below(200) as usize).min(other.len());
                bytes.splice(from..to, other[start..end].iter().copied());
            }
            3 => bytes[from] = choices.below(256) as u8,
            4 => {
                let open =
                    [&b"("[..], b"[", b"{", b"`${", b"(a=", b"=>", b"!", b"class{[", b"?.", b"/*", b"<!--", b"\\u{", b"\xed\xa0\x80"];
                let piece = open[choices.below(open.len() as u32) as usize];
                for _ in 0..=choices.below(300) {
                    bytes.splice(from..from, piece.iter().copied());
                }
            }
            _ => bytes.truncate(to),
        }
    }
    bytes.truncate(1 << 16);
    bytes
}
