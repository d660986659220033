//! A small face for tools and tests: evaluate texts in one cell and show the values.

use crate::heap::string::Key;
use crate::session::{End, Session};
use crate::syntax::{Goal, Options};
use crate::value::Value;
use crate::vm::Realm;

/// A cell that evaluates texts, for tools and tests.
pub struct Evaluator {
    session: Session,
}

impl Evaluator {
    /// A cell with this much memory, in bytes.
    ///
    /// # Errors
    /// When the host has no room.
    pub fn new(memory: u64) -> std::io::Result<Self> {
        Ok(Self { session: Session::new(memory)? })
    }

    /// Evaluates a script; the text of its value, or of the error with its class.
    ///
    /// # Errors
    /// The text of what was thrown, or why it stopped.
    pub fn eval(&mut self, source: &str, meter: &mut cell::Meter) -> Result<String, String> {
        self.eval_file(source, "<eval>", false, meter)
    }

    /// Has a file ready for `import`, under this name.
    pub fn add_input(&mut self, name: &str, bytes: &[u8]) {
        self.session.host.inputs.push(cell::Input { name: name.to_owned(), bytes: bytes.into() });
    }

    /// Evaluates a script or a module that has a name, which imports are relative to.
    ///
    /// # Errors
    /// As [`eval`](Self::eval); a module's promise that is rejected counts as thrown.
    pub fn eval_file(&mut self, source: &str, name: &str, module: bool, meter: &mut cell::Meter) -> Result<String, String> {
        let goal = if module { Goal::Module } else { Goal::Script };
        let (Ok(mut end) | Err(mut end)) = self.session.start(source.as_bytes(), name, Options::default(), goal, meter);
        if let End::Value(value) | End::Thrown(value) = end {
            // Safe in the guest while the jobs run.
            self.session.with(|vm| vm.set_realm(Realm::TURN, value));
        }
        loop {
            let job = match self.session.next_job(meter) {
                Some(job) => job,
                None if self.session.active => self.session.run(meter),
                None => break,
            };
            if !matches!(job, End::Value(_)) {
                end = job;
                break;
            }
        }
        if module
            && matches!(end, End::Value(_))
            && let Some(reason) = self.session.with(|vm| vm.unhandled_rejection())
        {
            end = End::Thrown(reason);
        }
        match end {
            End::Value(value) => Ok(self.show(value)),
            End::Thrown(value) => Err(self.show(value)),
            other => Err(format!("{other:?}")),
        }
    }

    /// What the console took so far.
    pub fn output(&mut self) -> String {
        String::from_utf8_lossy(&self.session.host.console.take().0).into_owned()
    }

    /// Bytes of guest memory in use.
    pub fn used(&self) -> u32 {
        self.session.used()
    }

    fn show(&mut self, value: Value) -> String {
        self.session.with(|vm| {
            if value.is_object() {
                if value.is_object_cell() && vm.heap.is(value.payload(), crate::heap::Kind::Array) {
                    let parts: Vec<String> = (0..vm.heap.array_length(value.payload()).min(100))
                        .map(|i| {
                            let part = vm.heap.dense(value.payload(), i);
                            match vm.to_string_primitive(part) {
                                Ok(text) if !part.is_object() => vm.heap.text(text).unwrap_or_default(),
                                _ => "?".to_owned(),
                            }
                        })
                        .collect();
                    return format!("[{}]", parts.join(","));
                }
                let has_message = vm
                    .object_cell(value)
                    .is_ok_and(|cell| vm.find(cell, Key::Name(crate::heap::atoms::MESSAGE)).is_ok_and(|found| found.is_some()));
                return if has_message {
                    vm.describe_error(value)
                } else if vm.is_callable(value) {
                    "[function]".to_owned()
                } else {
                    "[object]".to_owned()
                };
            }
            if value.is_symbol() {
                return "Symbol()".to_owned();
            }
            match vm.to_string_primitive(value) {
                Ok(text) => vm.heap.text(text).unwrap_or_default(),
                Err(_) => "?".to_owned(),
            }
        })
    }
}
