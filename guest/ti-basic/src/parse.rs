//! Tokens to expressions and steps.

use std::collections::HashMap;

use crate::Fault;
use crate::lex::{Statement, Token};

/// How deep expressions may be nested.
const DEPTH: usize = 100;

/// Something with a value.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    Number(f64),
    Text(String),
    Variable(Place),
    List(Vec<Expression>),
    Function(&'static str, Vec<Expression>),
    Binary(char, Box<Expression>, Box<Expression>),
    Negative(Box<Expression>),
    Postfix(char, Box<Expression>),
}

/// Something that a value can be stored in.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Real(char),
    Text(usize),
    List(String),
    Element(String, Box<Expression>),
    Dimension(String),
    Ans,
}

/// One step of a program. Numbers of steps are where it goes on.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Evaluate(Expression),
    Store(Expression, Place),
    Display(Vec<Expression>),
    Output(Expression),
    Input(Option<Expression>, Place),
    Prompt(Vec<Place>),
    /// Skips the next step if it is false.
    If(Expression),
    /// Goes elsewhere if it is false.
    Unless(Expression, usize),
    /// Goes elsewhere if it is true.
    When(Expression, usize),
    /// Sets the variable; goes behind the loop if it is beyond the end.
    For { variable: char, from: Expression, to: Expression, step: Option<Expression>, behind: usize },
    /// Counts on and goes back behind the `For` at a step.
    Next(usize),
    Jump(usize),
    Goto(String),
    Menu(Vec<Expression>, Vec<String>),
    /// Adds to a variable; skips the next step if it is beyond the bound then.
    Count(char, f64, Expression),
    Pause(Option<Expression>),
    Delete(Place),
    Sort(String, bool),
    Degrees(bool),
    Nothing,
    Stop,
}

/// A program, ready to run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) lines: Vec<usize>,
    pub(crate) labels: HashMap<String, usize>,
}

/// A block whose end was not seen yet.
enum Open {
    /// `If` and `Then`, or `Else`: the step that does not know yet where to go.
    Choice(usize),
    While(usize, Expression),
    Repeat(usize, Expression),
    For(usize),
}

/// Reads a whole program.
pub(crate) fn program(statements: &[Statement]) -> Result<Program, Fault> {
    let mut program = Program::default();
    let mut open: Vec<Open> = Vec::new();
    let mut position = 0;
    while let Some(statement) = statements.get(position) {
        let fail = |fault: Fault| fault.at(statement.line);
        position += 1;
        let here = program.steps.len();
        let mut parser = Parser::new(&statement.tokens);
        let step = match parser.peek() {
            Some(Token::Command("If")) => {
                parser.skip();
                let condition = parser.expression().map_err(fail)?;
                let next = statements.get(position).map(|next| next.tokens.as_slice());
                if next == Some(&[Token::Command("Then")]) {
                    position += 1;
                    open.push(Open::Choice(here));
                    Step::Unless(condition, 0)
                } else {
                    Step::If(condition)
                }
            }
            Some(Token::Command("Else")) => {
                parser.skip();
                let Some(Open::Choice(choice)) = open.pop() else { return Err(fail(Fault::new("SYNTAX"))) };
                program.set_target(choice, here + 1);
                open.push(Open::Choice(here));
                Step::Jump(0)
            }
            Some(Token::Command("While")) => {
                parser.skip();
                let condition = parser.expression().map_err(fail)?;
                open.push(Open::While(here, condition.clone()));
                Step::Unless(condition, 0)
            }
            Some(Token::Command("Repeat")) => {
                parser.skip();
                open.push(Open::Repeat(here, parser.expression().map_err(fail)?));
                Step::Nothing
            }
            Some(Token::Command("For(")) => {
                open.push(Open::For(here));
                parser.for_loop().map_err(fail)?
            }
            Some(Token::Command("End")) => {
                parser.skip();
                match open.pop().ok_or_else(|| fail(Fault::new("SYNTAX")))? {
                    Open::Choice(choice) => {
                        program.set_target(choice, here);
                        Step::Nothing
                    }
                    Open::While(begin, condition) => {
                        program.set_target(begin, here + 1);
                        Step::When(condition, begin + 1)
                    }
                    Open::Repeat(begin, condition) => Step::Unless(condition, begin + 1),
                    Open::For(begin) => {
                        program.set_target(begin, here + 1);
                        Step::Next(begin)
                    }
                }
            }
            Some(Token::Label(label)) => {
                parser.skip();
                match label.strip_prefix(':') {
                    Some(name) => {
                        program.labels.entry(name.to_owned()).or_insert(here);
                        Step::Nothing
                    }
                    None => Step::Goto(label[1..].to_owned()),
                }
            }
            _ => parser.step().map_err(fail)?,
        };
        if parser.peek().is_some() {
            return Err(fail(Fault::new("SYNTAX")));
        }
        program.steps.push(step);
        program.lines.push(statement.line);
    }
    // What is still open ends with the program.
    let end = program.steps.len();
    for block in open {
        match block {
            Open::Choice(at) | Open::While(at, _) | Open::For(at) => program.set_target(at, end),
            Open::Repeat(..) => {}
        }
    }
    Ok(program)
}

impl Program {
    fn set_target(&mut self, step: usize, to: usize) {
        if let Some(Step::Unless(_, target) | Step::Jump(target) | Step::For { behind: target, .. }) = self.steps.get_mut(step) {
            *target = to;
        }
    }
}

/// Reads one statement.
pub(crate) struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(tokens: &'a [Token]) -> Self {
        Self { tokens, depth: 0 }
    }

    pub(crate) fn peek(&self) -> Option<&'a Token> {
        self.tokens.first()
    }

    fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.skip();
        }
        found
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.take(&Token::Symbol(symbol))
    }

    fn expect(&mut self, symbol: char) -> Result<(), Fault> {
        if self.symbol(symbol) { Ok(()) } else { Err(Fault::new("SYNTAX")) }
    }

    /// A closing sign, which may be left out at the end of a statement and before an arrow.
    fn close(&mut self, symbol: char) -> Result<(), Fault> {
        if matches!(self.peek(), None | Some(Token::Store)) { Ok(()) } else { self.expect(symbol) }
    }

    fn real(&mut self) -> Result<char, Fault> {
        let Some(Token::Real(name)) = self.peek() else { return Err(Fault::new("SYNTAX")) };
        self.skip();
        Ok(*name)
    }

    fn list_name(&mut self) -> Result<String, Fault> {
        let Some(Token::List(name)) = self.peek() else { return Err(Fault::new("SYNTAX")) };
        self.skip();
        Ok(name.clone())
    }

    fn for_loop(&mut self) -> Result<Step, Fault> {
        self.skip();
        let variable = self.real()?;
        self.expect(',')?;
        let from = self.expression()?;
        self.expect(',')?;
        let to = self.expression()?;
        let step = if self.symbol(',') { Some(self.expression()?) } else { None };
        self.close(')')?;
        Ok(Step::For { variable, from, to, step, behind: 0 })
    }

    fn step(&mut self) -> Result<Step, Fault> {
        let Some(Token::Command(command)) = self.peek() else {
            let value = self.expression()?;
            return Ok(if self.take(&Token::Store) { Step::Store(value, self.place()?) } else { Step::Evaluate(value) });
        };
        self.skip();
        Ok(match *command {
            "Disp" => Step::Display(if self.peek().is_none() { Vec::new() } else { self.arguments()? }),
            "Output(" => {
                let [_, _, value] = <[Expression; 3]>::try_from(self.closed_arguments()?).map_err(|_| Fault::new("ARGUMENT"))?;
                Step::Output(value)
            }
            "Input" => match self.peek() {
                Some(Token::Text(_)) => {
                    let prompt = self.expression()?;
                    self.expect(',')?;
                    Step::Input(Some(prompt), self.place()?)
                }
                _ => Step::Input(None, self.place()?),
            },
            "Prompt" => {
                let mut places = vec![self.place()?];
                while self.symbol(',') {
                    places.push(self.place()?);
                }
                Step::Prompt(places)
            }
            "Menu(" => self.menu()?,
            "IS>(" | "DS<(" => {
                let variable = self.real()?;
                self.expect(',')?;
                let bound = self.expression()?;
                self.close(')')?;
                Step::Count(variable, if *command == "IS>(" { 1.0 } else { -1.0 }, bound)
            }
            "SortA(" | "SortD(" => {
                let list = self.list_name()?;
                self.close(')')?;
                Step::Sort(list, *command == "SortA(")
            }
            "Pause" => Step::Pause(if self.peek().is_none() { None } else { Some(self.expression()?) }),
            "DelVar" => Step::Delete(self.place()?),
            "ClrList" => Step::Delete(Place::List(self.list_name()?)),
            "Degree" => Step::Degrees(true),
            "Radian" => Step::Degrees(false),
            "ClrHome" | "Float" => Step::Nothing,
            "Stop" | "Return" => Step::Stop,
            _ => return Err(Fault::new("SYNTAX")),
        })
    }

    fn menu(&mut self) -> Result<Step, Fault> {
        let mut texts = vec![self.expression()?];
        let mut labels = Vec::new();
        while self.symbol(',') {
            texts.push(self.expression()?);
            self.expect(',')?;
            let mut label = String::new();
            while let Some(token) = self.peek() {
                match token {
                    Token::Real(letter) => label.push(*letter),
                    Token::Number(number) => label += &number.to_string(),
                    _ => break,
                }
                self.skip();
            }
            labels.push(label);
        }
        self.close(')')?;
        if labels.is_empty() { Err(Fault::new("ARGUMENT")) } else { Ok(Step::Menu(texts, labels)) }
    }

    fn place(&mut self) -> Result<Place, Fault> {
        let token = self.peek().ok_or(Fault::new("SYNTAX"))?;
        self.skip();
        Ok(match token {
            Token::Real(name) => Place::Real(*name),
            Token::TextVariable(number) => Place::Text(*number),
            Token::Ans => Place::Ans,
            Token::Function("dim(") => {
                let name = self.list_name()?;
                self.close(')')?;
                Place::Dimension(name)
            }
            Token::List(name) if self.symbol('(') => {
                let index = self.expression()?;
                self.close(')')?;
                Place::Element(name.clone(), Box::new(index))
            }
            Token::List(name) => Place::List(name.clone()),
            _ => return Err(Fault::new("SYNTAX")),
        })
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, Fault> {
        let mut all = vec![self.expression()?];
        while self.symbol(',') {
            all.push(self.expression()?);
        }
        Ok(all)
    }

    fn closed_arguments(&mut self) -> Result<Vec<Expression>, Fault> {
        let all = self.arguments()?;
        self.close(')')?;
        Ok(all)
    }

    /// An expression, down to the operators that bind least.
    pub(crate) fn expression(&mut self) -> Result<Expression, Fault> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Fault::new("MEMORY"));
        }
        let result = self.binary(0);
        self.depth -= 1;
        result
    }

    fn binary(&mut self, level: usize) -> Result<Expression, Fault> {
        if level == 5 {
            return self.negative();
        }
        let mut left = self.binary(level + 1)?;
        loop {
            let sign = match (level, self.peek()) {
                (0, Some(Token::Function("or"))) => '|',
                (0, Some(Token::Function("xor"))) => '~',
                (1, Some(Token::Function("and"))) => '&',
                (2, Some(Token::Symbol(sign @ ('=' | '≠' | '<' | '>' | '≤' | '≥')))) => *sign,
                (3, Some(Token::Symbol(sign @ ('+' | '-')))) => *sign,
                (4, Some(Token::Symbol(sign @ ('×' | '÷')))) => *sign,
                // What stands side by side is multiplied.
                (4, Some(token)) if begins_operand(token) => {
                    left = Expression::Binary('×', Box::new(left), Box::new(self.binary(level + 1)?));
                    continue;
                }
                _ => return Ok(left),
            };
            self.skip();
            left = Expression::Binary(sign, Box::new(left), Box::new(self.binary(level + 1)?));
        }
    }

    fn negative(&mut self) -> Result<Expression, Fault> {
        let mut signs = 0usize;
        while self.symbol('-') {
            signs += 1;
        }
        let value = self.power()?;
        Ok(if signs % 2 == 1 { Expression::Negative(Box::new(value)) } else { value })
    }

    fn power(&mut self) -> Result<Expression, Fault> {
        let mut left = self.postfix()?;
        while self.symbol('^') {
            let negative = self.symbol('-');
            let right = self.postfix()?;
            let right = if negative { Expression::Negative(Box::new(right)) } else { right };
            left = Expression::Binary('^', Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn postfix(&mut self) -> Result<Expression, Fault> {
        let mut value = self.operand()?;
        while let Some(Token::Symbol(sign @ ('²' | '³' | '!'))) = self.peek() {
            self.skip();
            value = Expression::Postfix(*sign, Box::new(value));
        }
        Ok(value)
    }

    fn operand(&mut self) -> Result<Expression, Fault> {
        let token = self.peek().ok_or(Fault::new("SYNTAX"))?;
        match token {
            Token::Real(_) | Token::TextVariable(_) | Token::List(_) | Token::Ans => return Ok(Expression::Variable(self.place()?)),
            _ => self.skip(),
        }
        Ok(match token {
            Token::Number(value) => Expression::Number(*value),
            Token::Text(text) => Expression::Text(text.clone()),
            Token::Symbol('π') => Expression::Number(std::f64::consts::PI),
            Token::Symbol('e') => Expression::Number(std::f64::consts::E),
            Token::Symbol('(') => {
                let inner = self.expression()?;
                self.close(')')?;
                inner
            }
            Token::Symbol('{') => {
                let items = self.arguments()?;
                self.close('}')?;
                Expression::List(items)
            }
            Token::Function(name @ ("rand" | "getKey")) => Expression::Function(name, Vec::new()),
            Token::Function(name) if name.ends_with('(') => Expression::Function(name, self.closed_arguments()?),
            _ => return Err(Fault::new("SYNTAX")),
        })
    }
}

fn begins_operand(token: &Token) -> bool {
    match token {
        Token::Number(_) | Token::Text(_) | Token::Real(_) | Token::TextVariable(_) | Token::List(_) | Token::Ans => true,
        Token::Symbol(sign) => matches!(sign, '(' | '{' | 'π' | 'e'),
        Token::Function(name) => !matches!(*name, "and" | "or" | "xor"),
        Token::Command(_) | Token::Label(_) | Token::Store => false,
    }
}
