//! Steps, carried out.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use crate::Fault;
use crate::lex;
use crate::parse::{Expression, Parser, Place, Program, Step};
use crate::value::{self, LONGEST_LIST, Value, finite, map, whole, zip};

/// The longest line that is read.
const LONGEST_LINE: u64 = 1 << 20;

/// How deep `expr(` may call itself.
const DEPTH: usize = 20;

/// How a `For` counts.
#[derive(Clone, Copy)]
struct Loop {
    variable: char,
    to: f64,
    step: f64,
}

pub(crate) struct Calculator<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
    reals: HashMap<char, f64>,
    texts: HashMap<usize, String>,
    lists: HashMap<String, Vec<f64>>,
    answer: Value,
    degrees: bool,
    random: u64,
    depth: usize,
}

impl<'a> Calculator<'a> {
    pub(crate) fn new(input: &'a mut dyn BufRead, output: &'a mut dyn Write, seed: u64) -> Self {
        Self {
            input,
            output,
            reals: HashMap::new(),
            texts: HashMap::new(),
            lists: HashMap::new(),
            answer: Value::Number(0.0),
            degrees: false,
            // Never zero: the generator would stay there.
            random: seed | 1,
            depth: 0,
        }
    }

    /// Runs a program to its end; the last expression's value is shown then, as on the calculator.
    pub(crate) fn run(&mut self, program: &Program) -> Result<(), Fault> {
        let mut loops: HashMap<usize, Loop> = HashMap::new();
        let mut at = 0;
        let mut shown = true;
        while let Some(step) = program.steps.get(at) {
            let fail = |fault: Fault| fault.at(program.lines[at]);
            shown = !matches!(step, Step::Evaluate(_));
            let mut next = at + 1;
            match step {
                Step::Evaluate(expression) => self.answer = self.value(expression).map_err(fail)?,
                Step::Store(expression, place) => {
                    let value = self.value(expression).map_err(fail)?;
                    self.store(place, value).map_err(fail)?;
                }
                Step::If(condition) => {
                    if !self.truth(condition).map_err(fail)? {
                        next += 1;
                    }
                }
                Step::Unless(condition, target) => {
                    if !self.truth(condition).map_err(fail)? {
                        next = *target;
                    }
                }
                Step::When(condition, target) => {
                    if self.truth(condition).map_err(fail)? {
                        next = *target;
                    }
                }
                Step::Jump(target) => next = *target,
                Step::For { variable, from, to, step, behind } => {
                    let from = self.number(from).map_err(fail)?;
                    let to = self.number(to).map_err(fail)?;
                    let step = step.as_ref().map_or(Ok(1.0), |step| self.number(step)).map_err(fail)?;
                    if step == 0.0 {
                        return Err(fail(Fault::new("INCREMENT")));
                    }
                    self.reals.insert(*variable, from);
                    loops.insert(at, Loop { variable: *variable, to, step });
                    if beyond(from, to, step) {
                        next = *behind;
                    }
                }
                Step::Next(begin) => {
                    // A jump into the loop from outside finds no count.
                    let Loop { variable, to, step } = *loops.get(begin).ok_or_else(|| fail(Fault::new("SYNTAX")))?;
                    let value = finite(self.real(variable) + step).map_err(fail)?;
                    self.reals.insert(variable, value);
                    if !beyond(value, to, step) {
                        next = begin + 1;
                    }
                }
                Step::Goto(label) => next = *program.labels.get(label).ok_or_else(|| fail(Fault::new("LABEL")))?,
                Step::Menu(texts, labels) => {
                    let label = self.menu(texts, labels).map_err(fail)?;
                    next = *program.labels.get(&label).ok_or_else(|| fail(Fault::new("LABEL")))?;
                }
                Step::Count(variable, step, bound) => {
                    let value = finite(self.real(*variable) + step).map_err(fail)?;
                    self.reals.insert(*variable, value);
                    if beyond(value, self.number(bound).map_err(fail)?, *step) {
                        next += 1;
                    }
                }
                Step::Stop => return Ok(()),
                other => self.simple(other).map_err(fail)?,
            }
            at = next;
        }
        if !shown {
            let text = self.answer.show();
            self.print(&text)?;
        }
        Ok(())
    }

    /// A step that the next one follows.
    fn simple(&mut self, step: &Step) -> Result<(), Fault> {
        match step {
            Step::Display(items) if items.is_empty() => self.print("")?,
            Step::Display(items) => {
                for item in items {
                    let text = self.value(item)?.show();
                    self.print(&text)?;
                }
            }
            Step::Output(item) => {
                let text = self.value(item)?.show();
                self.print(&text)?;
            }
            Step::Input(prompt, place) => {
                let prompt = prompt.as_ref().map_or(Ok("?".to_owned()), |prompt| self.value(prompt).map(|value| value.show()))?;
                self.ask(&prompt, place)?;
            }
            Step::Prompt(places) => {
                for place in places {
                    let name = match place {
                        Place::Real(name) => name.to_string(),
                        Place::Text(number) => format!("Str{number}"),
                        Place::List(name) => name.clone(),
                        _ => return Err(Fault::new("SYNTAX")),
                    };
                    self.ask(&format!("{name}=?"), place)?;
                }
            }
            Step::Pause(item) => {
                if let Some(item) = item {
                    let text = self.value(item)?.show();
                    self.print(&text)?;
                }
                // Whoever pauses at the end of the input goes on.
                drop(self.line());
            }
            Step::Delete(place) => match place {
                Place::Real(name) => drop(self.reals.remove(name)),
                Place::Text(number) => drop(self.texts.remove(number)),
                Place::List(name) => drop(self.lists.remove(name)),
                _ => return Err(Fault::new("SYNTAX")),
            },
            Step::Sort(name, up) => {
                let items = self.lists.get_mut(name).ok_or(Fault::new("UNDEFINED"))?;
                items.sort_by(f64::total_cmp);
                if !up {
                    items.reverse();
                }
            }
            Step::Degrees(on) => self.degrees = *on,
            _ => {}
        }
        Ok(())
    }

    fn print(&mut self, text: &str) -> Result<(), Fault> {
        writeln!(self.output, "{text}").map_err(|_| Fault::new("OUTPUT"))
    }

    fn line(&mut self) -> Result<String, Fault> {
        self.output.flush().map_err(|_| Fault::new("OUTPUT"))?;
        let mut bytes = Vec::new();
        let mut limited = std::io::Read::take(&mut *self.input, LONGEST_LINE);
        match limited.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => Err(Fault::new("BREAK")),
            Ok(_) => Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()),
        }
    }

    /// Shows a prompt and stores what is typed: text as it is, anything else as an expression.
    fn ask(&mut self, prompt: &str, place: &Place) -> Result<(), Fault> {
        write!(self.output, "{prompt}").map_err(|_| Fault::new("OUTPUT"))?;
        let line = self.line()?;
        let value = if matches!(place, Place::Text(_)) { Value::Text(line) } else { self.evaluate(&line)? };
        self.store(place, value)
    }

    fn menu(&mut self, texts: &[Expression], labels: &[String]) -> Result<String, Fault> {
        for (index, text) in texts.iter().enumerate() {
            let text = self.value(text)?.show();
            self.print(&if index == 0 { text } else { format!("{index}:{text}") })?;
        }
        let choice = self.line()?;
        let index = choice.trim().parse::<usize>().ok().and_then(|choice| choice.checked_sub(1));
        index.and_then(|index| labels.get(index)).cloned().ok_or(Fault::new("ARGUMENT"))
    }

    /// The value of a text that is an expression.
    fn evaluate(&mut self, text: &str) -> Result<Value, Fault> {
        let statements = lex::statements(text)?;
        let [statement] = statements.as_slice() else { return Err(Fault::new("SYNTAX")) };
        let mut parser = Parser::new(&statement.tokens);
        let expression = parser.expression()?;
        if parser.peek().is_some() {
            return Err(Fault::new("SYNTAX"));
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Fault::new("MEMORY"));
        }
        let result = self.value(&expression);
        self.depth -= 1;
        result
    }

    fn real(&self, name: char) -> f64 {
        self.reals.get(&name).copied().unwrap_or(0.0)
    }

    fn number(&mut self, expression: &Expression) -> Result<f64, Fault> {
        self.value(expression)?.number()
    }

    fn truth(&mut self, expression: &Expression) -> Result<bool, Fault> {
        Ok(self.number(expression)? != 0.0)
    }

    fn store(&mut self, place: &Place, value: Value) -> Result<(), Fault> {
        match (place, &value) {
            (Place::Real(name), Value::Number(number)) => drop(self.reals.insert(*name, *number)),
            (Place::Text(number), Value::Text(text)) => drop(self.texts.insert(*number, text.clone())),
            (Place::List(name), Value::List(items)) => drop(self.lists.insert(name.clone(), items.clone())),
            (Place::Element(name, index), Value::Number(number)) => {
                let index = whole(self.number(index)?)?;
                let items = self.lists.entry(name.clone()).or_default();
                // One behind the last makes the list longer.
                if index == items.len() + 1 && index <= LONGEST_LIST {
                    items.push(*number);
                } else {
                    *index.checked_sub(1).and_then(|index| items.get_mut(index)).ok_or(Fault::new("INVALID DIM"))? = *number;
                }
            }
            (Place::Dimension(name), Value::Number(number)) => {
                let length = whole(*number)?;
                if length > LONGEST_LIST {
                    return Err(Fault::new("INVALID DIM"));
                }
                self.lists.entry(name.clone()).or_default().resize(length, 0.0);
            }
            _ => return Err(Fault::new("DATA TYPE")),
        }
        self.answer = value;
        Ok(())
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, Fault> {
        Ok(match expression {
            Expression::Number(value) => Value::Number(*value),
            Expression::Text(text) => Value::Text(text.clone()),
            Expression::Variable(place) => self.load(place)?,
            Expression::List(items) => {
                let items = items.iter().map(|item| self.number(item)).collect::<Result<_, _>>()?;
                value::list(items)?
            }
            Expression::Negative(inner) => map(&self.value(inner)?, |value| Ok(-value))?,
            Expression::Postfix(sign, inner) => {
                let inner = self.value(inner)?;
                map(&inner, |value| match sign {
                    '²' => finite(value * value),
                    '³' => finite(value * value * value),
                    _ => value::factorial(value),
                })?
            }
            Expression::Binary(sign, left, right) => {
                let left = self.value(left)?;
                value::binary(*sign, &left, &self.value(right)?)?
            }
            Expression::Function("seq(", arguments) => self.sequence(arguments)?,
            Expression::Function(name, arguments) => {
                let values = arguments.iter().map(|argument| self.value(argument)).collect::<Result<Vec<_>, _>>()?;
                self.function(name, &values)?
            }
        })
    }

    fn load(&mut self, place: &Place) -> Result<Value, Fault> {
        let undefined = Fault::new("UNDEFINED");
        Ok(match place {
            Place::Real(name) => Value::Number(self.real(*name)),
            Place::Text(number) => Value::Text(self.texts.get(number).ok_or(undefined)?.clone()),
            Place::List(name) | Place::Dimension(name) => Value::List(self.lists.get(name).ok_or(undefined)?.clone()),
            Place::Ans => self.answer.clone(),
            Place::Element(name, index) => {
                let index = whole(self.number(index)?)?;
                let items = self.lists.get(name).ok_or(undefined)?;
                let item = index.checked_sub(1).and_then(|index| items.get(index));
                Value::Number(*item.ok_or(Fault::new("INVALID DIM"))?)
            }
        })
    }

    /// `seq(` evaluates its first argument anew for each value of its variable, which is as before afterwards.
    fn sequence(&mut self, arguments: &[Expression]) -> Result<Value, Fault> {
        let (Some(body), Some(Expression::Variable(Place::Real(name))), Some(from), Some(to)) =
            (arguments.first(), arguments.get(1), arguments.get(2), arguments.get(3))
        else {
            return Err(Fault::new("ARGUMENT"));
        };
        let (mut at, to) = (self.number(from)?, self.number(to)?);
        let step = arguments.get(4).map_or(Ok(1.0), |step| self.number(step))?;
        if step == 0.0 {
            return Err(Fault::new("INCREMENT"));
        }
        let before = self.reals.get(name).copied();
        let mut items = Vec::new();
        while !beyond(at, to, step) && items.len() <= LONGEST_LIST {
            self.reals.insert(*name, at);
            items.push(self.number(body)?);
            at += step;
        }
        match before {
            Some(before) => self.reals.insert(*name, before),
            None => self.reals.remove(name),
        };
        value::list(items)
    }

    fn random(&mut self) -> f64 {
        // xorshift64*: games need no more.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn function(&mut self, name: &str, arguments: &[Value]) -> Result<Value, Fault> {
        let angle = if self.degrees { 1f64.to_radians() } else { 1.0 };
        match (name, arguments) {
            ("rand", []) => Ok(Value::Number(self.random())),
            ("getKey", []) => Ok(Value::Number(0.0)),
            ("randInt(", [low, high]) => {
                let (low, high) = (low.number()?, high.number()?);
                let (low, high) = (low.min(high).ceil(), low.max(high).floor());
                Ok(Value::Number(low + (self.random() * (high - low + 1.0)).floor()))
            }
            ("randInt(", [low, high, count]) => {
                let count = whole(count.number()?)?.min(LONGEST_LIST + 1);
                let items = (0..count).map(|_| self.function(name, &[low.clone(), high.clone()])?.number());
                value::list(items.collect::<Result<_, _>>()?)
            }
            ("expr(", [text]) => self.evaluate(text.text()?),
            ("toString(", [value]) => Ok(Value::Text(value.show())),
            ("length(", [text]) => Ok(Value::Number(text.text()?.chars().count() as f64)),
            ("sub(", [text, from, count]) => {
                let (from, count) = (whole(from.number()?)?, whole(count.number()?)?);
                let all: Vec<char> = text.text()?.chars().collect();
                let part = from.checked_sub(1).and_then(|from| all.get(from..from.checked_add(count)?));
                Ok(Value::Text(part.ok_or(Fault::new("INVALID DIM"))?.iter().collect()))
            }
            ("inString(", [text, part, rest @ ..]) => {
                let from = rest.first().map_or(Ok(1), |from| whole(from.number()?))?.max(1) - 1;
                let (text, part) = (text.text()?, part.text()?);
                let begin = text.char_indices().nth(from).map_or(text.len(), |(at, _)| at);
                let found = text[begin..].find(part).map(|at| text[..begin + at].chars().count() + 1);
                Ok(Value::Number(found.unwrap_or(0) as f64))
            }
            ("dim(", [list]) => Ok(Value::Number(list.list()?.len() as f64)),
            ("sum(", [list]) => finite(list.list()?.iter().sum()).map(Value::Number),
            ("prod(", [list]) => finite(list.list()?.iter().product()).map(Value::Number),
            ("mean(", [list]) => {
                let items = list.list()?;
                if items.is_empty() { Err(Fault::new("STAT")) } else { Ok(Value::Number(items.iter().sum::<f64>() / items.len() as f64)) }
            }
            ("median(", [list]) => value::median(list.list()?).map(Value::Number),
            ("cumSum(", [list]) => {
                let mut sum = 0.0;
                let sums = list.list()?.iter().map(|item| {
                    sum += item;
                    finite(sum)
                });
                sums.collect::<Result<_, _>>().map(Value::List)
            }
            ("min(" | "max(", [Value::List(items)]) => {
                let best = items.iter().copied().reduce(if name == "min(" { f64::min } else { f64::max });
                best.map(Value::Number).ok_or(Fault::new("INVALID DIM"))
            }
            ("min(", [a, b]) => zip(a, b, |a, b| Ok(a.min(b))),
            ("max(", [a, b]) => zip(a, b, |a, b| Ok(a.max(b))),
            ("gcd(", [a, b]) => zip(a, b, value::divisor),
            ("lcm(", [a, b]) => zip(a, b, |a, b| {
                let divisor = value::divisor(a, b)?;
                if divisor == 0.0 { Ok(0.0) } else { finite((a * b).abs() / divisor) }
            }),
            ("remainder(", [a, b]) => zip(a, b, |a, b| if b == 0.0 { Err(Fault::new("DIVIDE BY 0")) } else { Ok(a % b) }),
            ("round(", [value]) => map(value, |value| round(value, 9.0)),
            ("round(", [value, places]) => zip(value, places, round),
            (_, [value]) => map(value, |value| {
                finite(match name {
                    "abs(" => value.abs(),
                    "int(" => value.floor(),
                    "iPart(" => value.trunc(),
                    "fPart(" => value.fract(),
                    "not(" => f64::from(u8::from(value == 0.0)),
                    "sqrt(" | "√(" => value.sqrt(),
                    "sin(" => (value * angle).sin(),
                    "cos(" => (value * angle).cos(),
                    "tan(" => (value * angle).tan(),
                    "asin(" => value.asin() / angle,
                    "acos(" => value.acos() / angle,
                    "atan(" => value.atan() / angle,
                    // Not a number in f64's eyes, but a fault of the domain here.
                    "ln(" | "log(" if value <= 0.0 => f64::NAN,
                    "ln(" => value.ln(),
                    "log(" => value.log10(),
                    "e^(" => value.exp(),
                    "10^(" => 10f64.powf(value),
                    _ => return Err(Fault::new("ARGUMENT")),
                })
            }),
            _ => Err(Fault::new("ARGUMENT")),
        }
    }
}

fn beyond(value: f64, to: f64, step: f64) -> bool {
    if step > 0.0 { value > to } else { value < to }
}

fn round(value: f64, places: f64) -> Result<f64, Fault> {
    let places = whole(places)?;
    if places > 9 {
        return Err(Fault::new("DOMAIN"));
    }
    // By decimal digits, as the calculator counts: 2.675 to two places is 2.68.
    let scale = 10f64.powi(i32::try_from(places).unwrap_or(0));
    let scaled = value * scale;
    let nearest = (scaled + scaled.signum() * (0.5 + scaled.abs() * 1e-14)).trunc();
    finite(nearest / scale)
}
