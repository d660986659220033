//! Text to statements of tokens.
//!
//! The calculator has one key for each word, so words need no blanks around them; here the longest word that fits is
//! taken. Signs that no keyboard has may be written in ASCII: `->` for the arrow, `sqrt(`, `pi`, `<=`, `>=`, `!=`.

use crate::Fault;

/// One sign of the language.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Number(f64),
    Text(String),
    /// `A` to `Z` and `θ`.
    Real(char),
    /// `Str0` to `Str9`.
    TextVariable(usize),
    /// `L1` to `L6`, or a list with a name.
    List(String),
    Ans,
    /// A word that stands in expressions; one that takes arguments ends with its parenthesis.
    Function(&'static str),
    /// A word that begins a statement.
    Command(&'static str),
    /// What stands behind `Lbl` and `Goto`.
    Label(String),
    Symbol(char),
    Store,
}

/// A statement and the line that it stands in, from 1.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) line: usize,
    pub(crate) tokens: Vec<Token>,
}

const COMMANDS: &[&str] = &[
    "ClrHome", "ClrList", "Degree", "DelVar", "Disp", "DS<(", "Else", "End", "Float", "For(", "Goto", "If", "Input", "IS>(", "Lbl",
    "Menu(", "Output(", "Pause", "Prompt", "Radian", "Repeat", "Return", "SortA(", "SortD(", "Stop", "Then", "While",
];

const FUNCTIONS: &[&str] = &[
    "10^(", "abs(", "acos(", "and", "asin(", "atan(", "cos(", "cumSum(", "dim(", "e^(", "expr(", "fPart(", "gcd(", "getKey", "inString(",
    "int(", "iPart(", "lcm(", "length(", "ln(", "log(", "max(", "mean(", "median(", "min(", "not(", "or", "prod(", "rand", "randInt(",
    "remainder(", "round(", "seq(", "sin(", "sqrt(", "sub(", "sum(", "tan(", "toString(", "xor", "√(",
];

/// Other ways to write a sign.
const SPELLINGS: &[(&str, char)] = &[("!=", '≠'), ("<=", '≤'), (">=", '≥'), ("⁻", '-'), ("*", '×'), ("/", '÷'), ("pi", 'π')];

fn longest(words: &'static [&'static str], text: &str) -> Option<&'static str> {
    words.iter().copied().filter(|word| text.starts_with(word)).max_by_key(|word| word.len())
}

/// Splits a program.
pub(crate) fn statements(source: &str) -> Result<Vec<Statement>, Fault> {
    let mut all = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let number = index + 1;
        let mut rest = line.trim_start_matches(['\u{feff}', ' ', '\t', ':']).trim_end();
        while !rest.is_empty() {
            let mut tokens = Vec::new();
            while let Some(first) = rest.chars().next() {
                if first == ':' {
                    break;
                }
                let (token, length) = token(rest).map_err(|fault| fault.at(number))?;
                tokens.extend(token);
                rest = &rest[length..];
            }
            rest = rest.trim_start_matches([':', ' ']);
            if !tokens.is_empty() {
                all.push(Statement { line: number, tokens });
            }
        }
    }
    Ok(all)
}

/// The token at the beginning of a text, if it is more than a blank, and its length in bytes.
fn token(text: &str) -> Result<(Option<Token>, usize), Fault> {
    let first = text.chars().next().unwrap_or(' ');
    if first.is_whitespace() {
        return Ok((None, first.len_utf8()));
    }
    if first == '"' {
        // The closing quote may be left out at the end of a line and before an arrow.
        let inner = &text[1..];
        let end = inner.find(['"', '→']).into_iter().chain(inner.find("->")).min().unwrap_or(inner.len());
        let closed = usize::from(inner[end..].starts_with('"'));
        return Ok((Some(Token::Text(inner[..end].to_owned())), 1 + end + closed));
    }
    for arrow in ["→", "->"] {
        if text.starts_with(arrow) {
            return Ok((Some(Token::Store), arrow.len()));
        }
    }
    if let Some(word) = longest(FUNCTIONS, text) {
        return Ok((Some(Token::Function(word)), word.len()));
    }
    if first.is_ascii_digit() || (first == '.' && text[1..].starts_with(|c: char| c.is_ascii_digit())) {
        let length = number(text);
        let value = text[..length].replace('ᴇ', "E").parse().map_err(|_| Fault::new("SYNTAX"))?;
        return Ok((Some(Token::Number(value)), length));
    }
    if let Some(word @ ("Lbl" | "Goto")) = longest(COMMANDS, text) {
        let rest = &text[word.len()..];
        // The statement's parser sees the word and the label as one.
        let end = rest.find(':').unwrap_or(rest.len());
        let name = rest[..end].trim();
        let fits = (1..=2).contains(&name.chars().count()) && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == 'θ');
        if !fits {
            return Err(Fault::new("SYNTAX"));
        }
        let mark = if word == "Lbl" { ':' } else { '>' };
        return Ok((Some(Token::Label(format!("{mark}{name}"))), word.len() + end));
    }
    if let Some(word) = longest(COMMANDS, text) {
        return Ok((Some(Token::Command(word)), word.len()));
    }
    for (spelling, sign) in SPELLINGS {
        if text.starts_with(spelling) {
            return Ok((Some(Token::Symbol(*sign)), spelling.len()));
        }
    }
    if let Some(rest) = text.strip_prefix("Str")
        && let Some(digit) = rest.chars().next().and_then(|c| c.to_digit(10))
    {
        return Ok((Some(Token::TextVariable(digit as usize)), 4));
    }
    if text.starts_with("Ans") {
        return Ok((Some(Token::Ans), 3));
    }
    if first == '∟' {
        let name: String = text.chars().skip(1).take(5).take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit()).collect();
        if name.is_empty() {
            return Err(Fault::new("SYNTAX"));
        }
        return Ok((Some(Token::List(format!("∟{name}"))), first.len_utf8() + name.len()));
    }
    if let Some(digit) = text.strip_prefix('L').and_then(|rest| rest.chars().next()) {
        let number = match digit {
            '1'..='6' => digit,
            '₁'..='₆' => char::from_digit(u32::from(digit) - u32::from('₁') + 1, 10).unwrap_or('1'),
            _ => ' ',
        };
        if number != ' ' {
            return Ok((Some(Token::List(format!("L{number}"))), 1 + digit.len_utf8()));
        }
    }
    let token = match first {
        'A'..='Z' | 'θ' => Token::Real(first),
        '+' | '-' | '×' | '÷' | '^' | '²' | '³' | '!' | '=' | '≠' | '<' | '>' | '≤' | '≥' | '(' | ')' | '{' | '}' | ',' | 'π' => {
            Token::Symbol(first)
        }
        'e' => Token::Symbol('e'),
        _ => return Err(Fault::new("SYNTAX")),
    };
    Ok((Some(token), first.len_utf8()))
}

/// The length of the number at the beginning of a text.
fn number(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(0);
    if text[length..].starts_with('.') {
        length += 1;
        length += digits(length);
    }
    // `2E` is twice E unless digits follow; the calculator's own sign can be nothing else.
    for mark in ["ᴇ", "E"] {
        if let Some(rest) = text[length..].strip_prefix(mark) {
            let sign = usize::from(rest.starts_with('-'));
            let count = digits(length + mark.len() + sign);
            if count > 0 {
                return length + mark.len() + sign + count;
            }
        }
    }
    length
}
