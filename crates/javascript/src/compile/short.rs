//! Short expressions in one pass, from text to bytecode.
//!
//! Formulas and rules are evaluated once each, and what such a text costs is less what is done than how much of the engine is touched for
//! it. An expression of decimal numbers, globals, members, unary and binary operators and parentheses needs no tree: its
//! instructions are known as its tokens are read. The result is the same unit for the same fuel as by the way through the tree, to
//! which everything else is left (a test compares the two).

use super::Compiler;
use super::expression::{int_form, operator_op};
use crate::bytecode::{
    CACHE_WORDS, Constant, Function, GLOBAL_CACHE_WORDS, Op, Position, Range, Text, Unit, abc, ax, frame, function_flag,
};
use crate::syntax::tree::{BinaryOp, UnaryOp};

/// The longest text that is tried, in bytes. What it takes at most is below [`MEMORY`].
pub(super) const LONGEST: usize = 128;
/// More working memory, in bytes, than the way through the tree asks for with such a text.
pub(super) const MEMORY: usize = 64 << 10;

/// Different names in one expression: with so few, looking them up costs nothing beyond their tokens.
const MOST_NAMES: usize = 8;
/// Registers that an expression may take here.
const MOST_REGISTERS: u8 = 64;
/// Digits of a number that a double holds exactly.
const MOST_DIGITS: usize = 15;

/// An operand: a number that no instruction has loaded yet, or what lies in its register.
#[derive(Clone, Copy)]
enum Operand {
    Number(f64),
    Loaded,
}

/// `None`: the text is more than this way can read, or not right.
type Step<T> = Option<T>;

struct Short<'a> {
    source: &'a [u8],
    at: usize,
    unit: &'a mut Unit,
    /// Tokens read.
    tokens: u64,
    /// What the general way would resolve names by: mentions of names, parentheses that might have been an arrow function's, and the
    /// script's beginning and end.
    events: u64,
    /// First free register, and one past the highest that was written.
    next: u8,
    high: u8,
    /// Where the source of the last instruction with a position is.
    position: u32,
    /// Names so far: their texts, and the numbers of their constants.
    names: [(Text, u16); MOST_NAMES],
    named: usize,
}

/// Compiles a script that is one short expression into an empty unit; its price in fuel, reading included.
pub(super) fn script(source: &[u8], unit: &mut Unit) -> Option<u64> {
    let next = frame::ARGUMENTS + 1;
    let mut short = Short {
        source,
        at: 0,
        unit,
        tokens: 0,
        events: 2,
        next,
        high: frame::ARGUMENTS,
        position: u32::MAX,
        names: [(Text { start: 0, length: 0 }, 0); MOST_NAMES],
        named: 0,
    };
    let to = frame::ARGUMENTS;
    let value = short.binary(0, to)?;
    short.load(value, to);
    short.blanks();
    if short.byte() == b';' {
        short.token(1);
        short.blanks();
    }
    if short.at < source.len() {
        return None;
    }
    let (reading, high) = (1 + source.len() as u64 / 16 + short.tokens + short.events / 4, short.high);
    unit.words.push(abc(Op::Return, to, 0, 0));
    let all = |length: usize| Range { start: 0, end: length as u32 };
    unit.functions.push(Function {
        flags: function_flag::TOP_LEVEL,
        registers: u16::from(high) + 1,
        words: all(unit.words.len()),
        constants: all(unit.constants.len()),
        positions: all(unit.positions.len()),
        source: all(source.len()),
        ..Function::default()
    });
    Some(reading + unit.words.len() as u64)
}

/// Can the name be a plain global? Reserved words and those that mean something somewhere are left to the general way.
fn is_plain(name: &[u8]) -> bool {
    !matches!(
        name,
        b"do"
            | b"if"
            | b"in"
            | b"for"
            | b"let"
            | b"new"
            | b"try"
            | b"var"
            | b"case"
            | b"else"
            | b"enum"
            | b"eval"
            | b"null"
            | b"this"
            | b"true"
            | b"void"
            | b"with"
            | b"async"
            | b"await"
            | b"break"
            | b"catch"
            | b"class"
            | b"const"
            | b"false"
            | b"super"
            | b"throw"
            | b"while"
            | b"yield"
            | b"delete"
            | b"export"
            | b"import"
            | b"public"
            | b"return"
            | b"static"
            | b"switch"
            | b"typeof"
            | b"default"
            | b"extends"
            | b"finally"
            | b"package"
            | b"private"
            | b"continue"
            | b"debugger"
            | b"function"
            | b"arguments"
            | b"interface"
            | b"protected"
            | b"undefined"
            | b"implements"
            | b"instanceof"
    )
}

impl<'a> Short<'a> {
    /// The byte at the place; zero at the end.
    fn byte(&self) -> u8 {
        self.peek(0)
    }

    fn peek(&self, distance: usize) -> u8 {
        self.source.get(self.at + distance).copied().unwrap_or(0)
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// Goes past a token.
    fn token(&mut self, length: usize) {
        self.at += length;
        self.tokens += 1;
    }

    /// What binds more tightly than `least`, into the register `to` if it is no number.
    fn binary(&mut self, least: u8, to: u8) -> Step<Operand> {
        self.blanks();
        let start = self.at as u32;
        // Only a whole expression can be an arrow function.
        self.events += u64::from(least == 0 && self.byte() == b'(');
        let mut left = self.unary(to)?;
        loop {
            self.blanks();
            let Some((operator, precedence, length)) = self.operator()? else { return Some(left) };
            if precedence <= least {
                return Some(left);
            }
            self.token(length);
            self.load(left, to);
            let right_in = self.next;
            if right_in >= MOST_REGISTERS {
                return None;
            }
            self.next += 1;
            let right = self.binary(precedence, right_in)?;
            self.next = right_in;
            let op = operator_op(operator);
            let small = match right {
                Operand::Number(value) => int_form(op).zip(Compiler::small_int(value).and_then(|n| i8::try_from(n).ok())),
                Operand::Loaded => None,
            };
            match small {
                Some((form, byte)) => {
                    self.position(start);
                    self.write(form, to, to, byte as u8);
                }
                None => {
                    self.load(right, right_in);
                    self.position(start);
                    self.write(op, to, to, right_in);
                }
            }
            left = Operand::Loaded;
        }
    }

    /// The binary operator here, its precedence and its length; `Some(None)` where none is.
    fn operator(&self) -> Step<Option<(BinaryOp, u8, usize)>> {
        let (second, third) = (self.peek(1), self.peek(2));
        let (operator, precedence, length) = match self.byte() {
            b'*' if second != b'*' => (BinaryOp::Mul, 11, 1),
            b'/' if second != b'/' && second != b'*' => (BinaryOp::Div, 11, 1),
            b'%' => (BinaryOp::Rem, 11, 1),
            b'+' if second != b'+' => (BinaryOp::Add, 10, 1),
            b'-' if second != b'-' => (BinaryOp::Sub, 10, 1),
            b'<' if second == b'<' => (BinaryOp::Shl, 9, 2),
            b'>' if second == b'>' && third == b'>' => (BinaryOp::UShr, 9, 3),
            b'>' if second == b'>' => (BinaryOp::Shr, 9, 2),
            b'<' if second == b'=' => return Some(Some((BinaryOp::Le, 8, 2))),
            b'>' if second == b'=' => return Some(Some((BinaryOp::Ge, 8, 2))),
            b'<' if second != b'!' => return Some(Some((BinaryOp::Lt, 8, 1))),
            b'>' => return Some(Some((BinaryOp::Gt, 8, 1))),
            b'=' if second == b'=' && third == b'=' => return Some(Some((BinaryOp::StrictEq, 7, 3))),
            b'=' if second == b'=' => return Some(Some((BinaryOp::Eq, 7, 2))),
            b'!' if second == b'=' && third == b'=' => return Some(Some((BinaryOp::StrictNe, 7, 3))),
            b'!' if second == b'=' => return Some(Some((BinaryOp::Ne, 7, 2))),
            b'&' if second != b'&' => (BinaryOp::BitAnd, 6, 1),
            b'^' => (BinaryOp::BitXor, 5, 1),
            b'|' if second != b'|' => (BinaryOp::BitOr, 4, 1),
            // The end, or what ends an operand.
            0 | b')' | b';' => return Some(None),
            _ => return None,
        };
        // With "=" behind it, it assigns.
        if self.peek(length) == b'=' { None } else { Some(Some((operator, precedence, length))) }
    }

    fn unary(&mut self, to: u8) -> Step<Operand> {
        let start = self.at as u32;
        let operator = match self.byte() {
            b'-' if self.peek(1) != b'-' => UnaryOp::Minus,
            b'+' if self.peek(1) != b'+' => UnaryOp::Plus,
            b'!' => UnaryOp::Not,
            b'~' => UnaryOp::BitNot,
            _ => return self.postfix(to),
        };
        self.token(1);
        self.blanks();
        let operand_in = self.next;
        if operand_in >= MOST_REGISTERS {
            return None;
        }
        self.next += 1;
        let operand = self.unary(operand_in)?;
        self.next = operand_in;
        let op = match (operator, operand) {
            // A number with its sign is one constant.
            (UnaryOp::Minus, Operand::Number(value)) => {
                self.load(Operand::Number(-value), to);
                return Some(Operand::Loaded);
            }
            (UnaryOp::Minus, _) => Op::Negate,
            (UnaryOp::Plus, _) => Op::ToNumber,
            (UnaryOp::Not, _) => Op::Not,
            _ => Op::BitNot,
        };
        self.load(operand, operand_in);
        self.position(start);
        self.write(op, to, operand_in, 0);
        Some(Operand::Loaded)
    }

    /// A primary expression with its members.
    fn postfix(&mut self, to: u8) -> Step<Operand> {
        let mut operand = match self.byte() {
            b'0'..=b'9' => Operand::Number(self.number()?),
            b'(' => {
                self.token(1);
                let inner = self.binary(0, to)?;
                self.blanks();
                if self.byte() != b')' {
                    return None;
                }
                self.token(1);
                inner
            }
            _ => {
                let (start, name) = self.name()?;
                if !is_plain(name) {
                    return None;
                }
                self.events += 1;
                let key = self.key(name)?;
                self.position(start);
                self.write(Op::GetGlobal, to, 0, 0);
                self.words(key, GLOBAL_CACHE_WORDS);
                Operand::Loaded
            }
        };
        loop {
            self.blanks();
            match self.byte() {
                b'.' => {}
                b'[' | b'(' | b'`' | b'?' => return None,
                _ => return Some(operand),
            }
            self.load(operand, to);
            self.token(1);
            self.blanks();
            let (start, name) = self.name()?;
            let key = self.key(name)?;
            self.position(start);
            self.write(if name == b"length" { Op::GetLength } else { Op::GetField }, to, to, 0);
            self.words(key, CACHE_WORDS);
            operand = Operand::Loaded;
        }
    }

    /// A decimal number that needs no rounding but that of one division.
    fn number(&mut self) -> Step<f64> {
        let start = self.at;
        let mut value = 0u64;
        let mut digits = 0;
        while self.peek(digits).is_ascii_digit() {
            value = value.wrapping_mul(10).wrapping_add(u64::from(self.peek(digits) - b'0'));
            digits += 1;
            if digits > MOST_DIGITS {
                return None;
            }
        }
        let mut power = 1u64;
        let mut length = digits;
        if self.peek(digits) == b'.' {
            length += 1;
            while self.peek(length).is_ascii_digit() {
                value = value.wrapping_mul(10).wrapping_add(u64::from(self.peek(length) - b'0'));
                power = power.wrapping_mul(10);
                length += 1;
                if length > MOST_DIGITS {
                    return None;
                }
            }
            if power == 1 {
                return None;
            }
        }
        let after = self.peek(length);
        let leading_zero = self.source.get(start) == Some(&b'0') && digits > 1;
        if leading_zero || after.is_ascii_alphanumeric() || matches!(after, b'_' | b'$' | b'\\' | b'.') || after >= 0x80 {
            return None;
        }
        self.token(length);
        // Both are below 2^53, and so the quotient is the number's nearest double.
        Some(value as f64 / power as f64)
    }

    /// A name of plain letters: where it begins, and its text.
    fn name(&mut self) -> Step<(u32, &'a [u8])> {
        let source = self.source;
        let start = self.at;
        if source.get(start).is_none_or(u8::is_ascii_digit) {
            return None;
        }
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
        let rest = &source[start..];
        let length = rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len());
        if length == 0 || rest.get(length).is_some_and(|&after| after == b'\\' || after >= 0x80) {
            return None;
        }
        self.token(length);
        Some((start as u32, &rest[..length]))
    }

    /// The number of the constant that is this name.
    fn key(&mut self, name: &[u8]) -> Step<u16> {
        for (text, constant) in &self.names[..self.named] {
            if self.unit.bytes(*text) == name {
                return Some(*constant);
            }
        }
        let text = Text { start: self.unit.text.len() as u32, length: name.len() as u32 };
        let constant = self.unit.constants.len() as u16;
        *self.names.get_mut(self.named)? = (text, constant);
        self.named += 1;
        self.unit.text.extend_from_slice(name);
        self.unit.constants.push(Constant::Name(text));
        Some(constant)
    }

    /// Loads an operand that no instruction has loaded yet.
    fn load(&mut self, operand: Operand, to: u8) {
        let Operand::Number(value) = operand else { return };
        self.high = self.high.max(to + 1);
        if let Some(int) = Compiler::small_int(value) {
            self.unit.words.push(ax(Op::LoadInt, to, int as u16));
            return;
        }
        let known = |constant: &Constant| matches!(constant, Constant::Number(n) if n.to_bits() == value.to_bits());
        let index = match self.unit.constants.iter().position(known) {
            Some(index) => index,
            None => {
                self.unit.constants.push(Constant::Number(value));
                self.unit.constants.len() - 1
            }
        };
        self.unit.words.push(ax(Op::LoadConstant, to, index as u16));
        self.unit.words.extend([0; GLOBAL_CACHE_WORDS]);
    }

    fn write(&mut self, op: Op, a: u8, b: u8, c: u8) {
        self.high = self.high.max(a + 1);
        self.unit.words.push(abc(op, a, b, c));
    }

    /// The words behind an instruction with a name.
    fn words(&mut self, key: u16, caches: usize) {
        self.unit.words.push(u32::from(key));
        self.unit.words.extend([0; CACHE_WORDS].iter().take(caches));
    }

    /// The next instruction is about the source at `offset`.
    fn position(&mut self, offset: u32) {
        if self.position == offset {
            return;
        }
        self.position = offset;
        let word = self.unit.words.len() as u32;
        self.unit.positions.push(Position { word, offset });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compile::{Request, through_tree};
    use crate::syntax::{Budget, Parser};

    /// What was paid.
    #[derive(Default)]
    struct Paid {
        units: u64,
        bytes: usize,
    }

    impl Budget for Paid {
        fn charge(&mut self, units: u64) -> bool {
            self.units += units;
            true
        }
        fn hold(&mut self, bytes: usize) -> bool {
            self.bytes += bytes;
            true
        }
        fn affords(&self, _units: u64, _bytes: usize) -> bool {
            true
        }
    }

    /// Compiles both ways and compares; whether the short way took the text.
    fn compare(source: &str) -> bool {
        let mut unit = Unit::default();
        let Some(units) = script(source.as_bytes(), &mut unit) else { return false };
        let (mut long, mut paid) = (Unit::default(), Paid::default());
        let result = through_tree(&mut Parser::new(), source.as_bytes(), &Request::default(), &mut long, &mut paid);
        assert_eq!(result, Ok(()), "{source}");
        assert_eq!(format!("{unit:?}"), format!("{long:?}"), "{source}");
        assert_eq!(units, paid.units, "fuel of {source}");
        assert!(paid.bytes <= MEMORY, "{source} holds {}", paid.bytes);
        true
    }

    #[test]
    fn takes_short_expressions() {
        for source in [
            "1+1",
            "0",
            "a",
            "-1",
            "- -1",
            "-(5)",
            "+a*-b",
            "!(a>>>2)^~b",
            "price * quantity * (1 - discount / 100) > 1000",
            "1.5 + 0.25 ;",
            "a.length.b.if",
            "(1).x",
            "a < 1 === b >= 2",
            "300 - 300 - 70000 + 70000 + -0",
            "1\n+\n2",
            "(((a)))",
            "a<(a)",
            "length<(a)",
            "(2<(a))",
        ] {
            assert!(compare(source), "{source}");
        }
    }

    #[test]
    fn leaves_everything_else() {
        for source in [
            "",
            "01",
            "1.",
            "1..x",
            ".5",
            "1n",
            "1_0",
            "0x1",
            "1e3",
            "\"a\"",
            "a=1",
            "a+=1",
            "a++",
            "++a",
            "a**b",
            "a&&b",
            "a||b",
            "a??b",
            "a?b:c",
            "f(1)",
            "a[1]",
            "a?.b",
            "`x`",
            "a//b",
            "a/*b*/",
            "a<!--b",
            "/a/",
            "let",
            "this",
            "undefined",
            "a b",
            "1,2",
            "1;2",
            "é",
            "a\\u0061",
            "{}",
            "(1",
            "1)",
            "a.1",
            "a.#b",
            "3in a",
            "1a",
            "123456789012345678",
            "a<<=1",
            "a=>1",
            "#!x",
        ] {
            assert!(script(source.as_bytes(), &mut Unit::default()).is_none(), "{source}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn is_the_same_as_through_the_tree(parts in prop::collection::vec(prop::sample::select(vec![
            "a", "b", "length", "x1", "$", "if", "1", "2", "0", "127", "128", "40000", "1.5", "0.1", "+", "-", "*", "/", "%", "<", ">", "=", "!", "&", "|",
            "^", "~", "(", ")", "(", ")", ".", " ", "\n", ";", "+", "-",
        ]), 1..24)) {
            let source: String = parts.concat();
            compare(&source);
        }

        #[test]
        fn is_the_same_for_well_formed_expressions(operands in prop::collection::vec((0..9usize, 0..21usize, 0..6u8), 1..9)) {
            const OPERANDS: [&str; 9] = ["a", "b.c", "1", "40000", "1.25", "length", "(a", "-1", "(2"];
            const OPERATORS: [&str; 21] =
                ["+", "-", "*", "/", "%", "<<", ">>", ">>>", "<", ">", "<=", ">=", "==", "!=", "===", "!==", "&", "^", "|", "+ -", "- !"];
            let mut source = String::new();
            let mut open = 0;
            for (index, (operand, operator, close)) in operands.iter().enumerate() {
                if index > 0 {
                    source += OPERATORS[*operator];
                    // Two signs would be another operator.
                    source += " ";
                }
                source += OPERANDS[*operand];
                open += usize::from(OPERANDS[*operand].starts_with('('));
                if open > 0 && *close < 2 {
                    source += ")";
                    open -= 1;
                }
            }
            source += &")".repeat(open);
            prop_assert!(compare(&source), "{}", source);
        }
    }
}
