//! `oubliette eval` and `oubliette repl`: JavaScript from the command line and from a person at the keyboard.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;
use std::rc::Rc;

use ::javascript::{JavaScript, Options, syntax};
use anyhow::{Context, Result};
use clap::Args;
use oubliette::{Bound, Cell, CellKind, Guest, Outcome, Report, Request, Stop, Task, TraceFrame, Value};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Editor, Helper, Highlighter, Hinter};

use crate::run::Common;
use crate::{present, resources, run};

/// What code without a file is called.
const NAME: &str = "[eval]";

/// `oubliette eval`
#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    /// JavaScript; several are lines of one program; - reads standard input
    #[arg(value_name = "CODE", required = true)]
    code: Vec<String>,
    /// Take it for a module: import, export, await at the top
    #[arg(long)]
    module: bool,
    /// Take it for TypeScript
    #[arg(long)]
    typescript: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs the command: shows what the code wrote, then its value as `console.log` would print it.
pub(crate) fn eval(args: &EvalArgs) -> Result<ExitCode> {
    let mut code = args.code.join("\n");
    if code == "-" {
        code.clear();
        std::io::stdin().read_to_string(&mut code).context("cannot read standard input")?;
    }
    let options = Options { module: args.module, typescript: args.typescript, show: true, ..Options::default() };
    let request = Request {
        task: Task::program(NAME, code.as_bytes()),
        limits: args.common.limits(),
        offers: args.common.offers(),
        guest: Guest::JavaScript(options),
    };
    let mut cell = request.open(&resources::for_kind(CellKind::JavaScript)?)?;
    let mut outcome = run::drive(&mut *cell, args.common.is_json())?;
    if args.common.is_json() {
        println!("{}", Report::new(&outcome, true, true).to_json()?);
        return Ok(present::exit(&outcome));
    }
    if let Some(shown) = shown(&outcome) {
        let line = format!("{shown}\n");
        outcome.stdout.extend_from_slice(line.as_bytes());
    }
    point(&mut outcome, &code);
    present::show(&outcome, true)?;
    Ok(present::exit(&outcome))
}

/// The value's text; none for undefined.
fn shown(outcome: &Outcome) -> Option<&str> {
    match outcome.extra.get("shown") {
        Some(Value::Text(text)) if text != "undefined" => Some(text),
        _ => None,
    }
}

/// Adds the line of the source that an uncaught error came from to standard error, with a caret under the place.
pub(crate) fn point(outcome: &mut Outcome, source: &str) {
    if matches!(outcome.stop, Stop::Raised(_))
        && let Some(text) = outcome.trace.first().and_then(|frame| pointed(frame, source))
    {
        outcome.stderr.extend_from_slice(text.as_bytes());
    }
}

fn pointed(frame: &TraceFrame, source: &str) -> Option<String> {
    /// Columns of a line that are shown before and after the place.
    const AROUND: usize = 60;
    let (line, column) = (frame.line?, frame.column? as usize);
    let text = source.lines().nth(line.checked_sub(1)? as usize)?;
    // Columns count UTF-16 units.
    let mut units = 0;
    let before = text.chars().take_while(|c| {
        units += c.len_utf16();
        units < column
    });
    let before = before.count();
    let skipped = before.saturating_sub(AROUND);
    let part: String = text.chars().skip(skipped).take(2 * AROUND).collect();
    let indentation: String = part.chars().take(before - skipped).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let mut out = String::new();
    let _ = writeln!(out, "{}:{line}\n{part}\n{indentation}^", frame.file.as_deref().unwrap_or(NAME));
    Some(out)
}

/// `oubliette repl`
#[derive(Args, Debug)]
pub(crate) struct ReplArgs {
    #[command(flatten)]
    common: Common,
}

/// The conversation's cell, asked while somebody types.
#[derive(Helper, Highlighter, Hinter)]
struct Line {
    cell: Rc<RefCell<Cell<JavaScript>>>,
}

impl Completer for Line {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let start = line[..position].rfind(|c: char| !(c.is_alphanumeric() || "_$.".contains(c))).map_or(0, |at| at + 1);
        let names = match self.cell.try_borrow_mut() {
            Ok(mut cell) => cell.engine().complete(&line[start..position]),
            Err(_) => Vec::new(),
        };
        Ok((start, names))
    }
}

impl Validator for Line {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_unfinished(context.input()) { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// Does more have to come before this can be a program?
fn is_unfinished(text: &str) -> bool {
    /// Longer input is taken as it is.
    const LONGEST: usize = 1 << 20;
    if text.len() > LONGEST {
        return false;
    }
    let mut parser = syntax::Parser::new();
    match parser.parse(text.as_bytes(), syntax::Goal::Script, &syntax::Options::default(), &mut syntax::Unlimited) {
        Err(syntax::Fault::Syntax(wrong)) => {
            ["Unexpected end of input", "Unterminated template literal"].contains(&wrong.message.as_str())
                || wrong.message == "missing ) after argument list" && wrong.offset as usize >= text.trim_end().len()
        }
        _ => false,
    }
}

/// Runs the command: one cell, line after line, until the end of input.
pub(crate) fn repl(args: &ReplArgs) -> Result<ExitCode> {
    let mut limits = args.common.limits();
    if limits.wall == Bound::Default {
        limits.wall = Bound::Unlimited;
    }
    let mut builder = oubliette::javascript().limits(limits).options(Options { show: true, ..Options::default() });
    for standard in args.common.offers() {
        builder = builder.offer(standard.name(), standard.offer());
    }
    let cell = Rc::new(RefCell::new(builder.build()?));
    let handle = cell.borrow().interrupt_handle();
    let _ = ctrlc::set_handler(move || handle.interrupt());
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Line { cell: Rc::clone(&cell) }));
    let person = std::io::stdin().is_terminal();
    if person {
        println!("JavaScript in a cell: no files, no network. Tab completes, Ctrl-C stops, Ctrl-D or .exit ends.");
    }
    loop {
        let line = match editor.readline(if person { "> " } else { "" }) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error).context("cannot read the next line"),
        };
        match line.trim() {
            "" => continue,
            ".exit" => return Ok(ExitCode::SUCCESS),
            _ => {}
        }
        answer(&cell, &line)?;
        if matches!(cell.borrow_mut().get("undefined"), Err(oubliette::Error::Dead(_))) {
            println!("this cell is dead; a new one takes its place");
            *cell.borrow_mut() = builder.build()?;
        }
    }
}

/// Runs a line and shows what came of it, with what it cost.
fn answer(cell: &Rc<RefCell<Cell<JavaScript>>>, line: &str) -> Result<()> {
    let mut cell = cell.borrow_mut();
    let mut outcome = cell.run(Task::program("[repl]", line.as_bytes()))?;
    match outcome.extra.get("shown") {
        Some(Value::Text(text)) => {
            let text = format!("{text}\n");
            outcome.stdout.extend_from_slice(text.as_bytes());
        }
        _ => point(&mut outcome, line),
    }
    present::show(&outcome, true)?;
    let fuel = outcome.usage.fuel.unwrap_or_default();
    println!("[fuel {fuel}, memory {} KiB]", cell.engine().memory_used() / 1024);
    std::io::stdout().flush().context("cannot write to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_asked_for_while_something_is_open() {
        for text in ["function f() {", "[1,", "`a", "f(", "if (x) {"] {
            assert!(is_unfinished(text), "{text}");
        }
        for text in ["1+1", "let x = 3", ")", "'a", "f(1))"] {
            assert!(!is_unfinished(text), "{text}");
        }
    }

    #[test]
    fn a_caret_stands_under_the_place() {
        let frame = TraceFrame { file: Some("x.js".into()), line: Some(2), column: Some(5), ..TraceFrame::default() };
        assert_eq!(pointed(&frame, "a\n\tb é.c()").unwrap(), "x.js:2\n\tb é.c()\n\t   ^\n");
    }
}
