//! One box as a coroutine: orders go in, messages come out.

use crate::abi::{Door, Layout, read_string};
use crate::image::{CALL, Ruby, WARM};
use crate::objects;
use crate::wire::Wire;
use cell::{Console, Error, Halt, Meter};
use std::sync::Arc;
use wasm::wasmtime::{Instance, Store};
use wasm::{Cache, Frozen, Guest, Over, Program, Progress, Setup, State, World};

/// Orders to a box; the glue has the same numbers.
pub(crate) mod order {
    pub(crate) const EVAL: i64 = 1;
    pub(crate) const RUN: i64 = 2;
    pub(crate) const SET: i64 = 3;
    pub(crate) const INIT: i64 = 5;
    pub(crate) const VALUE: i64 = 6;
    pub(crate) const ERROR: i64 = 7;
    pub(crate) const UNWIND: i64 = 8;
    pub(crate) const GLOBAL: i64 = 12;
    pub(crate) const OFFER: i64 = 13;
    pub(crate) const PROGRAM: i64 = 14;
    pub(crate) const ENVIRONMENT: i64 = 16;
}

/// What came of polling a box.
#[derive(Debug)]
pub(crate) enum Polled {
    /// The box knocked, and waits for an answer.
    Knock(Said),
    /// The activation is over, and the box quiet.
    Done(Said),
    /// The box sent what is no message, or broke in another way.
    Broken(String),
    Over(Over),
    Halted(Halt),
}

/// A message of a box, taken apart.
#[derive(Debug)]
pub(crate) enum Said {
    Value(Wire),
    Error(Failure),
    Call { target: Wire, method: Option<String>, arguments: Vec<Wire>, block: Option<Wire> },
    Offer { name: String, method: Option<String>, arguments: Vec<Wire>, block: Option<Wire> },
    Box { verb: String, arguments: Vec<Wire> },
    Abandon,
}

/// An exception that left a box.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) trace: Vec<String>,
    /// Exit status, for `exit`.
    pub(crate) status: Option<i32>,
    /// The whole message in Ruby's own form.
    pub(crate) report: Option<String>,
    /// Which of the API's exceptions it becomes, when it is no exception of the box's own: `timeout`, `memory`, `fuel`, `dead`, `transfer`.
    pub(crate) kind: Option<&'static str>,
}

impl Failure {
    pub(crate) fn of_ours(kind: &'static str, name: &str, message: impl Into<String>) -> Failure {
        Failure { name: name.into(), message: message.into(), trace: Vec::new(), status: None, report: None, kind: Some(kind) }
    }

    pub(crate) fn transfer(message: impl Into<String>) -> Failure {
        Failure::of_ours("transfer", "Sandbox::TransferException", message)
    }

    pub(crate) fn to_answer(&self) -> Vec<Wire> {
        vec![
            Wire::Integer(order::ERROR),
            Wire::text(&self.name),
            Wire::text(&self.message),
            Wire::Array(self.trace.iter().map(Wire::text).collect()),
            self.kind.map_or(Wire::Nil, Wire::text),
        ]
    }
}

/// A frozen box, and the program that it is an instance of.
#[derive(Clone)]
pub(crate) struct FrozenMember {
    pub(crate) frozen: Arc<Frozen>,
    pub(crate) program: Arc<Program>,
}

/// Runs the entry of an activation, whose order lies ready, and gives its last message.
async fn enter(store: &mut Store<State>, instance: &Instance, layout: Layout) -> wasm::wasmtime::Result<Vec<u8>> {
    let call = instance.get_typed_func::<(i32, i32, i32, i32), i32>(&mut *store, CALL)?;
    let (receiver, entry) = (layout.receiver.cast_signed(), layout.entry.cast_signed());
    let result = call.call_async(&mut *store, (receiver, entry, 0, 0)).await?;
    let memory = store.data().memory().ok_or(wasm::Ending::BadCall)?;
    let memory = memory.data(&*store);
    let result = result.cast_unsigned() as usize;
    let (value, state) = (objects::word(memory, result), objects::word(memory, result.saturating_add(4)));
    if state != Some(0) {
        // Not even the glue's own rescue could run.
        return Ok(Vec::new());
    }
    match value.and_then(|bits| objects::plain(bits, layout)) {
        Some(value) => Ok(said_value(&value)),
        None => Ok(read_string(memory, layout.outbox)?),
    }
}

/// The message that tells a value, as the box itself would have put it.
fn said_value(value: &Wire) -> Vec<u8> {
    let mut message = vec![b'a', 3, b'0', b'c', 1];
    value.write(&mut message);
    message
}

/// One box: an instance and what is on its way to it.
pub(crate) struct Member {
    pub(crate) ruby: Ruby,
    pub(crate) guest: Guest,
    /// Objects of the box's own that nobody holds any more, told with the next message.
    pub(crate) released: Vec<u32>,
    /// References that the box let go of.
    pub(crate) dropped: Vec<cell::Ref>,
    /// Variables that are to be told with the first order.
    environment: Vec<(String, String)>,
}

/// What a box is made with.
pub(crate) struct MemberSetup {
    pub(crate) world: World,
    pub(crate) memory: u64,
    pub(crate) output: Option<u64>,
}

impl Member {
    pub(crate) fn new(ruby: &Ruby, setup: MemberSetup) -> Member {
        Member::of(ruby, &ruby.program, setup)
    }

    /// A box of a kind: `program` is one of Ruby's.
    pub(crate) fn of(ruby: &Ruby, program: &Arc<Program>, setup: MemberSetup) -> Member {
        let environment = setup.world.environment.clone();
        let guest = Guest::new(Arc::clone(program), Self::setup(ruby.layout, setup));
        Member { ruby: ruby.clone(), guest, released: Vec::new(), dropped: Vec::new(), environment }
    }

    pub(crate) fn thaw(ruby: &Ruby, frozen: &FrozenMember, setup: MemberSetup) -> Member {
        let guest = Guest::thaw(Arc::clone(&frozen.program), &frozen.frozen, Self::setup(ruby.layout, setup));
        Member { ruby: ruby.clone(), guest, released: Vec::new(), dropped: Vec::new(), environment: Vec::new() }
    }

    fn setup(layout: Layout, setup: MemberSetup) -> Setup {
        let door = Door { layout, ..Door::default() };
        Setup { world: setup.world, memory: setup.memory, output: setup.output, extra: Box::new(door) }
    }

    /// Evaluates what fills Ruby's caches.
    pub(crate) fn warm(&mut self) -> Result<(), Error> {
        for source in WARM {
            self.start(vec![Wire::Integer(order::EVAL), Wire::text(source), Wire::text("(warm)"), Wire::Integer(1)])?;
            match self.poll(&mut Meter::new(None)) {
                Polled::Done(_) => {}
                other => return Err(Error::Host(format!("a box did not get warm: {other:?}"))),
            }
        }
        Ok(())
    }

    /// A program whose boxes start where this one is.
    pub(crate) fn rebase(&mut self, cache: Option<(&Cache, &str)>) -> Result<Arc<Program>, Error> {
        let mut trial = Door { layout: self.ruby.layout, ..Door::default() };
        let order = [Wire::Integer(order::EVAL), Wire::text("1+1"), Wire::text("(trial)"), Wire::Integer(1)];
        trial.load(Wire::short_message(&order, self.ruby.layout.room).unwrap_or_default());
        let setup = Setup { memory: crate::MEMORY, output: None, extra: Box::new(trial), ..Setup::default() };
        let layout = self.ruby.layout;
        let job: wasm::Job = Box::new(move |store, instance| Box::pin(enter(store, instance, layout)));
        let program = Arc::clone(self.guest.program());
        program.rebase(&mut self.guest, None, Some((setup, job)), cache)
    }

    pub(crate) fn console(&mut self) -> &mut Console {
        self.guest.console()
    }

    pub(crate) fn freeze(&mut self) -> Result<FrozenMember, Error> {
        let program = Arc::clone(self.guest.program());
        let frozen = Arc::new(program.freeze(&mut self.guest)?);
        Ok(FrozenMember { frozen, program })
    }

    /// Starts an activation in a quiet box.
    pub(crate) fn start(&mut self, mut order: Vec<Wire>) -> Result<(), Error> {
        let layout = self.ruby.layout;
        if !self.environment.is_empty() {
            // Ruby read its environment when the image was made.
            let variables = std::mem::take(&mut self.environment).into_iter().map(|(name, value)| (Wire::text(name), Wire::text(value)));
            order.splice(..0, [Wire::Integer(order::ENVIRONMENT), Wire::Hash(variables.collect())]);
        }
        let order = self.envelope(order);
        self.guest.submit(Box::new(move |store, instance| {
            Box::pin(async move {
                store.data_mut().owe(order.len() as u64);
                // The entry asks for its order first; it is there already.
                store.data_mut().extra.downcast_mut::<Door>().ok_or(wasm::Ending::BadCall)?.load(order);
                enter(store, instance, layout).await
            })
        }))
    }

    /// Answers a knock.
    pub(crate) fn answer(&mut self, answer: Vec<Wire>) {
        let answer = self.envelope(answer);
        self.guest.answer(answer);
    }

    /// A message to the box, with what it may forget.
    fn envelope(&mut self, mut fields: Vec<Wire>) -> Vec<u8> {
        let released = std::mem::take(&mut self.released);
        if released.is_empty()
            && let Some(message) = Wire::short_message(&fields, self.ruby.layout.room)
        {
            return message;
        }
        let released = if released.is_empty() {
            Wire::Nil
        } else {
            Wire::Array(released.into_iter().map(|index| Wire::Integer(index.into())).collect())
        };
        fields.insert(0, released);
        Wire::Array(fields).to_message(self.ruby.layout.room)
    }

    pub(crate) fn poll(&mut self, meter: &mut Meter) -> Polled {
        match self.guest.poll(meter) {
            Progress::Exchange(bytes) => match self.read(&bytes) {
                Some(said) => Polled::Knock(said),
                None => Polled::Broken("its message makes no sense".into()),
            },
            Progress::Done(bytes) => match self.read(&bytes) {
                Some(said @ (Said::Value(_) | Said::Error(_))) => Polled::Done(said),
                _ => Polled::Broken("it ended without a word that makes sense".into()),
            },
            Progress::Over(over) => Polled::Over(over),
            Progress::Halted(halt) => Polled::Halted(halt),
        }
    }

    /// Takes a message apart, and notes what the box let go of.
    fn read(&mut self, bytes: &[u8]) -> Option<Said> {
        let mut fields = Wire::parse(bytes).ok()?.into_array()?.into_iter();
        if let Wire::Array(dropped) = fields.next()? {
            for pair in dropped.chunks(2) {
                let [index, generation] = pair else { return None };
                let (index, generation) = (index.as_int()?, generation.as_int()?);
                self.dropped.push(cell::Ref { index: u32::try_from(index).ok()?, generation: u32::try_from(generation).ok()? });
            }
        }
        fn optional(field: Wire) -> Option<Wire> {
            if field == Wire::Nil { None } else { Some(field) }
        }
        fn name(field: Wire) -> Option<Option<String>> {
            match field {
                Wire::Nil => Some(None),
                Wire::Text(name) | Wire::Symbol(name) => Some(Some(name)),
                _ => None,
            }
        }
        Some(match fields.next()?.as_int()? {
            1 => Said::Value(fields.next()?),
            2 => {
                let name = fields.next()?.as_text()?.to_owned();
                let message = fields.next()?.as_text()?.to_owned();
                let trace = fields.next()?.into_array()?.iter().filter_map(|line| line.as_text().map(str::to_owned)).collect();
                let status = fields.next()?.as_int().and_then(|status| i32::try_from(status).ok());
                // In whatever encoding Ruby put it together.
                let report = match fields.next()? {
                    Wire::Text(text) => Some(text),
                    Wire::Bytes(bytes) | Wire::Encoded(_, bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                    _ => None,
                };
                Said::Error(Failure { name, message, trace, status, report, kind: None })
            }
            3 => Said::Call {
                target: fields.next()?,
                method: name(fields.next()?)?,
                arguments: fields.next()?.into_array()?,
                block: optional(fields.next()?),
            },
            4 => Said::Offer {
                name: fields.next()?.as_text()?.to_owned(),
                method: name(fields.next()?)?,
                arguments: fields.next()?.into_array()?,
                block: optional(fields.next()?),
            },
            5 => Said::Box { verb: fields.next()?.as_text()?.to_owned(), arguments: fields.collect() },
            6 => Said::Abandon,
            _ => return None,
        })
    }
}
