//! Boxes that live together: a main one, those it made, those they made. Objects cross between them by reference.
//!
//! Who calls whom is a list, never the host's stack. An entry is an activation: somebody started a box, or asked a box that waits
//! below to run something meanwhile. The box on top is the only one that runs. A box that is stopped for good takes with it the
//! activations above it; one below that was running something for it finishes that first, and is then told.

use crate::image::Ruby;
use crate::member::{Failure, FrozenMember, Member, MemberSetup, Polled, Said, order};
use crate::wire::Wire;
use cell::{Alarm, Clock, Error, GuestError, Halt, InterruptHandle, Meter, RefTable};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasm::{Ending, Over, World};

/// How many activations may wait for each other.
const MAX_CHAIN: usize = 64;
/// How many boxes one family may have.
const MAX_BOXES: usize = 4000;

/// A box of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) u32);

/// What a box may use for one order. `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Allowance {
    pub(crate) memory: u64,
    pub(crate) fuel: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) output: Option<u64>,
}

/// What the last order used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoxUsage {
    /// Units of fuel.
    pub fuel: u64,
    /// The most bytes held so far in the box's life, its image counted.
    pub memory_peak: u64,
}

/// Something that a box may reach.
#[derive(Clone, Copy)]
struct Reach {
    /// The box whose own it is.
    of: Id,
    index: u32,
}

/// An object of the embedder's, lent to boxes.
pub trait HostObject: Send {
    /// Its class, as boxes see it.
    fn class(&self) -> &str;
    /// Answers a call of a method; an empty name calls the object itself.
    ///
    /// # Errors
    /// What is raised in the box.
    fn call(&mut self, method: &str, arguments: Vec<cell::Value>) -> Result<cell::Value, GuestError>;
}

struct Boxed {
    /// Away while nothing is known of it but that it is dead.
    member: Option<Member>,
    parent: Option<Id>,
    reach: RefTable<Reach>,
    allowance: Allowance,
    dead: Option<String>,
    usage: BoxUsage,
    /// What a dead box wrote last.
    last_words: (Vec<u8>, Vec<u8>),
    /// Console text goes to the parent's console, or is kept.
    keep_output: bool,
    may_make_boxes: bool,
    rollback: bool,
}

/// How an activation came to be.
enum Activation {
    /// Started by the one below, or by the embedder at the bottom.
    Started { meter: Meter, alarm: Option<Box<dyn Alarm>>, before: Option<FrozenMember> },
    /// Runs something for the one below it, while it waits itself further down.
    Callback,
}

struct Frame {
    of: Id,
    activation: Activation,
    /// It left the call that it waited in by a jump: the one above is unwinding, and its result is of no use to anybody.
    abandoned: bool,
}

/// How an order to the box at the bottom ended.
#[derive(Debug)]
pub(crate) enum End {
    Value(Wire),
    Raised(Failure),
    /// Stopped by its meter: it can go on.
    Halted(Halt),
    /// It exited, broke, or ran out of something for good.
    Over(Dead),
}

/// Why a box is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dead {
    Exit(i32),
    Memory,
    Output,
    Trap(String, Vec<String>),
    Stack(String, Vec<String>),
    Broken(String),
    Internal,
}

impl Dead {
    fn text(&self) -> String {
        match self {
            Dead::Exit(code) => format!("it exited with {code}"),
            Dead::Memory => "it ran out of memory".into(),
            Dead::Output => "it wrote more than it may".into(),
            Dead::Trap(text, frames) | Dead::Stack(text, frames) => format!("{text} in {}", frames.first().map_or("?", String::as_str)),
            Dead::Broken(text) => text.clone(),
            Dead::Internal => "an error of the sandbox itself".into(),
        }
    }
}

/// Boxes that can reach each other.
pub(crate) struct Family {
    ruby: Ruby,
    clock: Option<Arc<dyn Clock>>,
    boxes: BTreeMap<Id, Boxed>,
    next: u32,
    chain: Vec<Frame>,
    snapshots: BTreeMap<u32, (FrozenMember, Allowance)>,
    offers: BTreeMap<String, Arc<Mutex<dyn HostObject>>>,
    /// Whose clock has run out is known by its own handle; whoever is running then must be stopped.
    running: Arc<Mutex<Option<InterruptHandle>>>,
    world: World,
}

impl Family {
    pub(crate) fn new(ruby: Ruby, clock: Option<Arc<dyn Clock>>, world: World) -> Family {
        Family {
            ruby,
            clock,
            boxes: BTreeMap::new(),
            next: 1,
            chain: Vec::new(),
            snapshots: BTreeMap::new(),
            offers: BTreeMap::new(),
            running: Arc::default(),
            world,
        }
    }

    fn fresh(&mut self) -> Id {
        let id = Id(self.next);
        self.next += 1;
        id
    }

    /// Adds the embedder's own box.
    pub(crate) fn add(&mut self, world: World, allowance: Allowance, may_make_boxes: bool) -> Id {
        let setup = MemberSetup { world, memory: allowance.memory, output: allowance.output };
        let member = Member::new(&self.ruby, setup);
        self.insert(member, None, allowance, may_make_boxes, true)
    }

    /// Adds the embedder's own box in a frozen state.
    pub(crate) fn add_frozen(&mut self, frozen: &FrozenMember, allowance: Allowance) -> Id {
        let setup = MemberSetup { world: World::default(), memory: allowance.memory, output: allowance.output };
        let member = Member::thaw(&self.ruby, frozen, setup);
        self.insert(member, None, allowance, false, true)
    }

    fn insert(&mut self, member: Member, parent: Option<Id>, allowance: Allowance, may_make_boxes: bool, keep_output: bool) -> Id {
        let id = self.fresh();
        self.boxes.insert(
            id,
            Boxed {
                member: Some(member),
                parent,
                reach: RefTable::default(),
                allowance,
                dead: None,
                usage: BoxUsage::default(),
                last_words: Default::default(),
                keep_output,
                may_make_boxes,
                rollback: false,
            },
        );
        id
    }

    pub(crate) fn member(&mut self, id: Id) -> Option<&mut Member> {
        self.boxes.get_mut(&id)?.member.as_mut()
    }

    /// What a box wrote since it was asked last, dead or alive.
    pub(crate) fn take_output(&mut self, id: Id) -> (Vec<u8>, Vec<u8>) {
        match self.boxes.get_mut(&id) {
            Some(Boxed { member: Some(member), .. }) => member.console().take(),
            Some(boxed) => std::mem::take(&mut boxed.last_words),
            None => Default::default(),
        }
    }

    pub(crate) fn usage(&self, id: Id) -> BoxUsage {
        self.boxes.get(&id).map(|boxed| boxed.usage).unwrap_or_default()
    }

    pub(crate) fn dead(&self, id: Id) -> Option<String> {
        self.boxes.get(&id).map_or_else(|| Some("it is gone".into()), |boxed| boxed.dead.clone())
    }

    /// Offers an object under a name to every box that is told of it.
    pub(crate) fn offer(&mut self, name: &str, object: Arc<Mutex<dyn HostObject>>) {
        self.offers.insert(name.to_owned(), object);
    }

    /// Gives an order to a box and runs until it has done it.
    ///
    /// # Errors
    /// [`Error::Dead`] and [`Error::State`] when there is no box to run, [`Error::LimitNotKept`] for a time limit without a clock.
    pub(crate) fn order(&mut self, id: Id, order: Vec<Wire>, allowance: Allowance) -> Result<End, Error> {
        if !self.chain.is_empty() {
            return Err(Error::State("a box of this family is stopped in the middle of an order".into()));
        }
        if let Some(why) = self.dead(id) {
            return Err(Error::Dead(why));
        }
        self.push_started(id, order, allowance)?;
        self.run()
    }

    /// Goes on after [`End::Halted`], with more fuel and a new stretch of time.
    pub(crate) fn go_on(&mut self, fuel: u64, time: Option<Duration>) -> Result<End, Error> {
        let Some(Frame { activation: Activation::Started { meter, alarm, .. }, .. }) = self.chain.first_mut() else {
            return Err(Error::State("there is nothing to go on with".into()));
        };
        meter.refuel(fuel);
        meter.interrupt_handle().clear_time_out();
        if let (Some(time), Some(clock)) = (time, &self.clock) {
            *alarm = Some(clock.arm(time, meter.interrupt_handle()));
        }
        self.run()
    }

    fn push_started(&mut self, id: Id, order: Vec<Wire>, allowance: Allowance) -> Result<(), Error> {
        let mut meter = Meter::new(allowance.fuel);
        if let Some(below) = self.meter_below() {
            // A callee spends what its caller has left, and no more.
            if let Some(left) = below.remaining() {
                meter.start(Some(allowance.fuel.map_or(left, |fuel| fuel.min(left))));
            }
        }
        let running = Arc::clone(&self.running);
        meter.interrupt_handle().on_raise("ruby", move || {
            if let Some(handle) = &*running.lock().unwrap_or_else(PoisonError::into_inner)
                && handle.is_raised().is_none()
            {
                handle.time_out();
            }
        });
        let alarm = match (allowance.time, &self.clock) {
            (Some(time), Some(clock)) => Some(clock.arm(time, meter.interrupt_handle())),
            (Some(_), None) => return Err(Error::LimitNotKept { limit: "wall", engine: "ruby without a clock" }),
            (None, _) => None,
        };
        let boxed = self.boxes.get_mut(&id).ok_or_else(|| Error::State("there is no such box".into()))?;
        let member = boxed.member.as_mut().ok_or_else(|| Error::Dead("the box is gone".into()))?;
        let before = if boxed.rollback { Some(member.freeze()?) } else { None };
        member.guest.begin(allowance.memory, allowance.output);
        member.start(order)?;
        self.chain.push(Frame { of: id, activation: Activation::Started { meter, alarm, before }, abandoned: false });
        Ok(())
    }

    /// The meter that the activation on top is charged to: that of the last start of the same box.
    fn meter_below(&self) -> Option<&Meter> {
        let of = self.chain.last()?.of;
        self.chain.iter().rev().find_map(|frame| match &frame.activation {
            Activation::Started { meter, .. } if frame.of == of => Some(meter),
            _ => None,
        })
    }

    fn poll_top(&mut self) -> Option<Polled> {
        let of = self.chain.last()?.of;
        let meter = self.chain.iter_mut().rev().find_map(|frame| match &mut frame.activation {
            Activation::Started { meter, .. } if frame.of == of => Some(meter),
            _ => None,
        })?;
        let member = self.boxes.get_mut(&of)?.member.as_mut()?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(meter.interrupt_handle());
        let polled = member.poll(meter);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Some(polled)
    }

    fn run(&mut self) -> Result<End, Error> {
        loop {
            if let Some(end) = self.kill_expired() {
                return Ok(end);
            }
            let Some(top) = self.chain.last().map(|frame| frame.of) else {
                return Err(Error::State("nothing runs".into()));
            };
            let polled = self.poll_top().ok_or_else(|| Error::State("the running box is gone".into()))?;
            self.pass_on_output(top);
            self.forget_dropped(top);
            let end = match polled {
                Polled::Knock(said) => self.heard(top, said),
                Polled::Done(Said::Value(value)) => self.finished(top, Ok(value)),
                Polled::Done(Said::Error(failure)) => self.finished(top, Err(failure)),
                Polled::Done(_) => self.died(top, Dead::Broken("it ended without a word that makes sense".into())),
                Polled::Broken(why) => self.died(top, Dead::Broken(why)),
                Polled::Over(over) => {
                    let refused = self.member(top).is_some_and(|member| member.guest.was_refused());
                    self.died(top, dead(over, refused))
                }
                Polled::Halted(halt) => self.halted(halt),
            };
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }

    /// A box that writes to its parent's console does so as soon as it gives way.
    fn pass_on_output(&mut self, id: Id) {
        let Some(boxed) = self.boxes.get_mut(&id) else { return };
        if boxed.keep_output {
            return;
        }
        let (Some(member), Some(parent)) = (&mut boxed.member, boxed.parent) else { return };
        if member.console().held() == 0 {
            return;
        }
        let (out, err) = member.console().take();
        if let Some(parent) = self.member(parent) {
            // What goes beyond the parent's cap is lost here; the parent meets its cap with its own next word.
            let _ = parent.console().write(cell::Stream::Out, &out);
            let _ = parent.console().write(cell::Stream::Err, &err);
        }
    }

    /// Lets go of what a box's collector let go of.
    fn forget_dropped(&mut self, id: Id) {
        let Some(boxed) = self.boxes.get_mut(&id) else { return };
        let Some(member) = &mut boxed.member else { return };
        for reference in std::mem::take(&mut member.dropped) {
            let reached = self.boxes.get_mut(&id).and_then(|boxed| boxed.reach.remove(reference));
            self.let_go(reached);
        }
    }

    fn let_go(&mut self, reached: Option<Reach>) {
        if let Some(Reach { of, index }) = reached
            && let Some(member) = self.member(of)
        {
            member.released.push(index);
        }
    }

    /// Whether frame `index` was stopped by its own clock.
    fn expired(&self, index: usize) -> Option<Halt> {
        match &self.chain.get(index)?.activation {
            Activation::Started { meter, .. } => meter.interrupt_handle().is_raised(),
            Activation::Callback => None,
        }
    }

    /// Kills what has run out of time, as far as nobody below is in the middle of something for it.
    fn kill_expired(&mut self) -> Option<End> {
        // The bottom is the embedder's: it is halted, not killed.
        for index in 1..self.chain.len() {
            if let Some(halt) = self.expired(index) {
                let busy_below = self.chain[index + 1..].iter().any(|frame| matches!(frame.activation, Activation::Callback));
                if busy_below {
                    return None;
                }
                return self.kill(index, halt);
            }
        }
        None
    }

    /// Ends the box that was started at `index`, and all above it, and tells the one below.
    fn kill(&mut self, index: usize, halt: Halt) -> Option<End> {
        let failure = match halt {
            Halt::OutOfFuel => Failure::of_ours("fuel", "Sandbox::FuelException", "the sandbox used up its fuel and was stopped"),
            Halt::OutOfTime => Failure::of_ours("timeout", "Sandbox::TimeoutException", "the sandbox ran out of time and was stopped"),
            Halt::Interrupted => Failure::of_ours("timeout", "Sandbox::TimeoutException", "the sandbox was interrupted"),
        };
        while self.chain.len() > index + 1 {
            let frame = self.chain.pop()?;
            self.bury(frame.of, "it was stopped together with the sandbox that used it");
        }
        let of = self.chain.last()?.of;
        let spent = self.close_meter();
        let frame = self.chain.pop()?;
        self.charge_caller(spent);
        match frame.activation {
            Activation::Started { before: Some(before), .. } => self.bring_back(of, &before),
            _ => self.bury(of, &failure.message),
        }
        self.deliver(Err(failure), of)
    }

    /// Puts a box back into the state it had before its last order.
    fn bring_back(&mut self, id: Id, before: &FrozenMember) {
        let ruby = self.ruby.clone();
        if let Some(boxed) = self.boxes.get_mut(&id) {
            let setup = MemberSetup { world: World::default(), memory: boxed.allowance.memory, output: boxed.allowance.output };
            boxed.member = Some(Member::thaw(&ruby, before, setup));
        }
    }

    fn bury(&mut self, id: Id, why: &str) {
        let Some(boxed) = self.boxes.get_mut(&id) else { return };
        boxed.dead = Some(why.to_owned());
        if let Some(mut member) = boxed.member.take() {
            boxed.last_words = member.console().take();
        }
        let reach = std::mem::take(&mut boxed.reach);
        let reached: Vec<Reach> = reach.iter().map(|(_, reach)| *reach).collect();
        for reach in reached {
            self.let_go(Some(reach));
        }
    }

    /// Notes what the box on top used; gives the fuel.
    fn close_meter(&mut self) -> u64 {
        let Some(Frame { of, activation: Activation::Started { meter, alarm, .. }, .. }) = self.chain.last_mut() else { return 0 };
        *alarm = None;
        let (of, fuel) = (*of, meter.used());
        if let Some(boxed) = self.boxes.get_mut(&of) {
            let memory_peak = boxed.member.as_ref().map_or(boxed.usage.memory_peak, |member| member.guest.memory().0);
            boxed.usage = BoxUsage { fuel, memory_peak };
        }
        fuel
    }

    fn charge_caller(&mut self, spent: u64) {
        let Some(of) = self.chain.last().map(|frame| frame.of) else { return };
        let caller = self.chain.iter_mut().rev().find_map(|frame| match &mut frame.activation {
            Activation::Started { meter, .. } if frame.of == of => Some(meter),
            _ => None,
        });
        if let Some(caller) = caller {
            let part = caller.remaining().map_or(spent, |left| left.min(spent));
            // A raised flag is met when the caller runs on.
            let _ = caller.charge(part);
        }
    }

    fn halted(&mut self, halt: Halt) -> Option<End> {
        let top = self.chain.len() - 1;
        let started = self
            .chain
            .iter()
            .rposition(|frame| frame.of == self.chain[top].of && matches!(frame.activation, Activation::Started { .. }))?;
        if halt == Halt::OutOfFuel {
            return if started == 0 { Some(End::Halted(halt)) } else { self.kill(started, halt) };
        }
        // The flag of the one that runs went up; whose clock it was, each one's own flag tells.
        if (1..self.chain.len()).any(|index| index != started && self.expired(index).is_some()) || self.expired(0).is_some() && started != 0
        {
            if let Activation::Started { meter, .. } = &self.chain[started].activation {
                meter.interrupt_handle().clear_time_out();
            }
            if self.expired(0).is_some() {
                return Some(End::Halted(halt));
            }
            let busy = self.chain.iter().skip(1).any(|frame| matches!(frame.activation, Activation::Callback));
            return if busy { None } else { self.kill_expired() };
        }
        if started == 0 {
            return Some(End::Halted(halt));
        }
        let busy_below = self.chain[started + 1..]
            .iter()
            .any(|frame| matches!(frame.activation, Activation::Callback) && frame.of != self.chain[started].of);
        if busy_below { None } else { self.kill(started, halt) }
    }

    /// The box on top is gone for good.
    fn died(&mut self, top: Id, why: Dead) -> Option<End> {
        let started = self.chain.iter().rposition(|frame| frame.of == top && matches!(frame.activation, Activation::Started { .. }))?;
        if started == 0 {
            self.close_meter();
            while let Some(frame) = self.chain.pop() {
                self.bury(frame.of, &why.text());
            }
            return Some(End::Over(why));
        }
        let kind = if why == Dead::Memory { ("memory", "Sandbox::MemoryException") } else { ("dead", "Sandbox::DeadException") };
        let failure = Failure::of_ours(kind.0, kind.1, format!("the sandbox is dead: {}", why.text()));
        while self.chain.len() > started + 1 {
            let frame = self.chain.pop()?;
            self.bury(frame.of, "it was stopped together with the sandbox that used it");
        }
        let spent = self.close_meter();
        self.chain.pop();
        self.charge_caller(spent);
        self.bury(top, &why.text());
        self.deliver(Err(failure), top)
    }

    /// The activation on top has ended by itself.
    fn finished(&mut self, top: Id, result: Result<Wire, Failure>) -> Option<End> {
        if self.chain.len() == 1 {
            self.close_meter();
            self.chain.pop();
            return Some(match result {
                Ok(value) => End::Value(value),
                Err(failure) => End::Raised(failure),
            });
        }
        let spent = self.close_meter();
        self.chain.pop();
        self.charge_caller(spent);
        self.deliver(result, top)
    }

    /// Gives the result of the activation that was just taken off to the one that waits for it, now on top.
    fn deliver(&mut self, result: Result<Wire, Failure>, from: Id) -> Option<End> {
        let frame = self.chain.last_mut()?;
        let (of, abandoned) = (frame.of, std::mem::take(&mut frame.abandoned));
        let answer = if abandoned {
            vec![Wire::Integer(order::VALUE), Wire::Nil]
        } else {
            match result.and_then(|value| self.translate(value, from, of)) {
                Ok(value) => vec![Wire::Integer(order::VALUE), value],
                Err(failure) => failure.to_answer(),
            }
        };
        self.member(of)?.answer(answer);
        None
    }

    fn refuse(&mut self, of: Id, failure: &Failure) -> Option<End> {
        self.member(of)?.answer(failure.to_answer());
        None
    }

    fn reply(&mut self, of: Id, value: Wire) -> Option<End> {
        self.member(of)?.answer(vec![Wire::Integer(order::VALUE), value]);
        None
    }

    /// The box on top has knocked.
    fn heard(&mut self, top: Id, said: Said) -> Option<End> {
        let is_callback = matches!(self.chain.last()?.activation, Activation::Callback);
        let unwinding = self.chain.len().checked_sub(2).is_some_and(|below| self.chain[below].abandoned);
        if unwinding && matches!(said, Said::Call { .. } | Said::Offer { .. } | Said::Box { .. }) {
            self.member(top)?.answer(vec![Wire::Integer(order::UNWIND)]);
            return None;
        }
        match said {
            Said::Value(value) if is_callback => self.callback_ended(top, Ok(value)),
            Said::Error(failure) if is_callback => self.callback_ended(top, Err(failure)),
            Said::Value(_) | Said::Error(_) => self.died(top, Dead::Broken("it answered what nobody asked".into())),
            Said::Abandon => self.abandon(top),
            Said::Call { target, method, arguments, block } => self.call(top, target, method, arguments, block),
            Said::Offer { name, method, arguments, block } => self.call_offer(top, &name, method, arguments, block.is_some()),
            Said::Box { verb, arguments } => self.serve(top, &verb, arguments),
        }
    }

    fn callback_ended(&mut self, top: Id, result: Result<Wire, Failure>) -> Option<End> {
        self.chain.pop();
        self.deliver(result, top)
    }

    /// The box on top leaves a callback by a jump: what it was called from must be unwound before it goes on.
    fn abandon(&mut self, top: Id) -> Option<End> {
        if !matches!(self.chain.last()?.activation, Activation::Callback) {
            // Out of the activation itself: the glue is being left, and the result message follows. Nothing waits.
            return self.reply(top, Wire::Nil);
        }
        self.chain.pop();
        // Now on top: the activation that asked for the callback. Below it, the one of `top` that waits for that activation.
        let caller = self.chain.last()?.of;
        let waiting = self.chain.len().checked_sub(2)?;
        self.chain.get_mut(waiting)?.abandoned = true;
        self.member(caller)?.answer(vec![Wire::Integer(order::UNWIND)]);
        None
    }

    fn call(&mut self, top: Id, target: Wire, method: Option<String>, arguments: Vec<Wire>, block: Option<Wire>) -> Option<End> {
        let Wire::Lent { reference, .. } = target else {
            return self.refuse(top, &Failure::transfer("only references can be called across"));
        };
        let reach = self.boxes.get(&top)?.reach.get(reference).copied();
        match reach {
            None => self.refuse(
                top,
                &Failure::of_ours("dead", "Sandbox::DeadException", "this reference was released, or never lent to this sandbox"),
            ),
            Some(Reach { of, index }) => {
                if let Some(why) = self.dead(of) {
                    let text = format!("the sandbox that this object lives in is dead: {why}");
                    return self.refuse(top, &Failure::of_ours("dead", "Sandbox::DeadException", text));
                }
                if self.chain.len() >= MAX_CHAIN {
                    return self
                        .refuse(top, &Failure::of_ours("transfer", "Sandbox::Exception", "sandboxes have called each other too deeply"));
                }
                let translated = arguments.into_iter().map(|argument| self.translate(argument, top, of)).collect::<Result<Vec<_>, _>>();
                let block = block.map(|block| self.translate(block, top, of)).transpose();
                let (arguments, block) = match (translated, block) {
                    (Ok(arguments), Ok(block)) => (arguments, block.unwrap_or(Wire::Nil)),
                    (Err(failure), _) | (_, Err(failure)) => return self.refuse(top, &failure),
                };
                // A box below calls up with its public methods only; whoever made the box may do more.
                let restricted = !self.descends(of, top);
                let order = vec![
                    Wire::Integer(order::RUN),
                    Wire::Integer(top.0.into()),
                    Wire::Own { index, class: String::new() },
                    method.map_or(Wire::Nil, Wire::Symbol),
                    Wire::Array(arguments),
                    block,
                    Wire::Bool(restricted),
                ];
                if self.chain.iter().any(|frame| frame.of == of) {
                    self.chain.push(Frame { of, activation: Activation::Callback, abandoned: false });
                    self.member(of)?.answer(order);
                    return None;
                }
                let allowance = self.boxes.get(&of)?.allowance;
                match self.push_started(of, order, allowance) {
                    Ok(()) => None,
                    Err(error) => self.refuse(top, &Failure::of_ours("dead", "Sandbox::DeadException", error.to_string())),
                }
            }
        }
    }

    /// Whether `child` was made by `ancestor`, or by one of its own.
    fn descends(&self, child: Id, ancestor: Id) -> bool {
        let mut at = self.boxes.get(&child).and_then(|boxed| boxed.parent);
        while let Some(id) = at {
            if id == ancestor {
                return true;
            }
            at = self.boxes.get(&id).and_then(|boxed| boxed.parent);
        }
        false
    }

    fn call_offer(&mut self, top: Id, name: &str, method: Option<String>, arguments: Vec<Wire>, block: bool) -> Option<End> {
        if block {
            return self.refuse(top, &Failure::transfer("a block cannot be given to an object of the embedder's here"));
        }
        match self.offers.get(name).cloned() {
            Some(object) => self.call_host(top, &object, method, arguments),
            None => {
                let failure = Failure::of_ours("transfer", "NoSuchOffer", format!("nothing called `{name}` is offered"));
                self.refuse(top, &Failure { kind: None, ..failure })
            }
        }
    }

    fn call_host(&mut self, top: Id, object: &Arc<Mutex<dyn HostObject>>, method: Option<String>, arguments: Vec<Wire>) -> Option<End> {
        let values: Result<Vec<_>, cell::TransferError> =
            arguments.into_iter().map(|argument| argument.into_argument()?.into_value()).collect();
        let values = match values {
            Ok(values) => values,
            Err(error) => return self.refuse(top, &Failure::transfer(error.to_string())),
        };
        let result = match object.try_lock() {
            Ok(mut object) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| object.call(&method.unwrap_or_default(), values)))
                .unwrap_or_else(|_| Err(GuestError::new("HostPanic", "an object of the embedder's failed"))),
            Err(_) => Err(GuestError::new("Busy", "this object is in the middle of a call already")),
        };
        match result {
            Ok(value) => self.reply(top, Wire::from_argument(&value.into())),
            Err(error) => {
                let failure =
                    Failure { name: error.name, message: error.message, trace: Vec::new(), status: None, report: None, kind: None };
                self.refuse(top, &failure)
            }
        }
    }

    /// Brings a value from one box's terms into another's.
    fn translate(&mut self, value: Wire, from: Id, to: Id) -> Result<Wire, Failure> {
        value.try_map_refs(&mut |reference| {
            let (reach, class) = match reference {
                Wire::Own { index, class } => (Reach { of: from, index }, class),
                Wire::Lent { reference, .. } => {
                    let found = self.boxes.get(&from).and_then(|boxed| boxed.reach.get(reference)).copied();
                    let reach = found.ok_or_else(|| Failure::transfer("a reference was released, or never lent to this sandbox"))?;
                    if reach.of == to {
                        return Ok(Wire::Own { index: reach.index, class: String::new() });
                    }
                    // An object of a third box would be kept alive by the one who passes it on; its owner is not asked.
                    return Err(Failure::transfer("an object of a third sandbox cannot be passed on"));
                }
                plain => return Ok(plain),
            };
            let owner = reach.of.0;
            let receiver = self.boxes.get_mut(&to).ok_or_else(|| Failure::transfer("the other sandbox is gone"))?;
            let reference =
                receiver.reach.insert(reach).ok_or_else(|| Failure::transfer("the sandbox holds too many references already"))?;
            Ok(Wire::Lent { reference, class: format!("{owner}#{class}") })
        })
    }

    /// A box asks for something about its own boxes.
    fn serve(&mut self, top: Id, verb: &str, mut arguments: Vec<Wire>) -> Option<End> {
        let id = arguments.first().and_then(Wire::as_int).and_then(|id| u32::try_from(id).ok()).map(Id);
        // Only whoever made a box gives it orders.
        let own = id.filter(|id| self.boxes.get(id).is_some_and(|boxed| boxed.parent == Some(top)));
        let nobody = || Failure::of_ours("dead", "Sandbox::DeadException", "there is no such sandbox");
        match (verb, own) {
            ("new", _) => match self.make(top, arguments.first()?.clone()) {
                Ok(End::Value(value)) => self.reply(top, value),
                Ok(_) => self.refuse(top, &nobody()),
                Err(failure) => self.refuse(top, &failure),
            },
            ("order", Some(id)) => {
                if arguments.len() < 4 {
                    return self.died(top, Dead::Broken("its order makes no sense".into()));
                }
                let dropped = arguments.swap_remove(3).into_array().unwrap_or_default();
                let fields = arguments.swap_remove(2).into_array().unwrap_or_default();
                let limits = arguments.swap_remove(1);
                for dropped in dropped.iter().filter_map(Wire::as_int).filter_map(|id| u32::try_from(id).ok()) {
                    self.drop_box(top, Id(dropped));
                }
                self.give_order(top, id, fields, &limits)
            }
            ("usage", Some(id)) => {
                let usage = self.usage(id);
                let entry = |name: &str, value: u64| (Wire::Symbol(name.into()), Wire::Integer(i64::try_from(value).unwrap_or(i64::MAX)));
                self.reply(top, Wire::Hash(vec![entry("fuel", usage.fuel), entry("memory", usage.memory_peak)]))
            }
            ("dead", Some(id)) => {
                let dead = self.dead(id).is_some();
                self.reply(top, Wire::Bool(dead))
            }
            ("output", Some(id)) => {
                let text = self.take_output(id).0;
                self.reply(top, String::from_utf8(text).map_or_else(|error| Wire::Bytes(error.into_bytes()), Wire::Text))
            }
            ("snapshot", Some(id)) => {
                let allowance = self.boxes.get(&id)?.allowance;
                match self.member(id).map(Member::freeze) {
                    Some(Ok(frozen)) => {
                        let number = self.fresh().0;
                        self.snapshots.insert(number, (frozen, allowance));
                        self.reply(top, Wire::Integer(number.into()))
                    }
                    Some(Err(error)) => self.refuse(top, &Failure::of_ours("dead", "Sandbox::Exception", error.to_string())),
                    None => self.refuse(top, &nobody()),
                }
            }
            ("spawn", _) => match id.and_then(|id| self.snapshots.get(&id.0)).cloned() {
                Some((frozen, allowance)) => {
                    let setup = MemberSetup { world: self.world.clone(), memory: allowance.memory, output: allowance.output };
                    let member = Member::thaw(&self.ruby, &frozen, setup);
                    let id = self.insert(member, Some(top), allowance, false, false);
                    self.reply(top, Wire::Integer(id.0.into()))
                }
                None => self.refuse(top, &nobody()),
            },
            _ => self.refuse(top, &nobody()),
        }
    }

    fn drop_box(&mut self, parent: Id, id: Id) {
        let mine = self.boxes.get(&id).is_some_and(|boxed| boxed.parent == Some(parent));
        if mine && !self.chain.iter().any(|frame| frame.of == id) {
            self.bury(id, "it was collected");
            self.boxes.remove(&id);
        }
    }

    fn give_order(&mut self, top: Id, id: Id, fields: Vec<Wire>, limits: &Wire) -> Option<End> {
        if let Some(why) = self.dead(id) {
            return self.refuse(top, &Failure::of_ours("dead", "Sandbox::DeadException", format!("the sandbox is dead: {why}")));
        }
        if self.chain.iter().any(|frame| frame.of == id) {
            return self
                .refuse(top, &Failure::of_ours("transfer", "Sandbox::Exception", "the sandbox is in the middle of an order already"));
        }
        let mut allowance = self.boxes.get(&id)?.allowance;
        read_limits(limits, &mut allowance);
        let order = match fields.into_iter().map(|field| self.translate(field, top, id)).collect::<Result<Vec<_>, _>>() {
            Ok(order) => order,
            Err(failure) => return self.refuse(top, &failure),
        };
        match self.push_started(id, order, allowance) {
            Ok(()) => None,
            Err(error) => self.refuse(top, &Failure::of_ours("dead", "Sandbox::Exception", error.to_string())),
        }
    }

    /// Makes a box for another one.
    fn make(&mut self, parent: Id, options: Wire) -> Result<End, Failure> {
        let fail = |text: &str| Failure::of_ours("transfer", "Sandbox::Exception", text);
        let maker = self.boxes.get(&parent).ok_or_else(|| fail("the sandbox is gone"))?;
        if !maker.may_make_boxes {
            return Err(fail("this sandbox may not make sandboxes"));
        }
        if self.boxes.len() >= MAX_BOXES {
            return Err(fail("there are too many sandboxes already"));
        }
        let mut allowance = Allowance { time: None, ..maker.allowance };
        read_limits(&options, &mut allowance);
        if let Some(memory) = options.get("memory").and_then(Wire::as_int) {
            allowance.memory =
                u64::try_from(memory).map_err(|_| fail("memory: must be positive"))?.min(maker.allowance.memory.max(crate::MEMORY));
        }
        let least = self.ruby.least_memory();
        if allowance.memory < least {
            return Err(fail(&format!("memory: must be at least {least} bytes: so much a box has from the start")));
        }
        let groups: Vec<String> = options
            .get("init")
            .and_then(|init| init.clone().into_array())
            .unwrap_or_default()
            .iter()
            .filter_map(|group| group.as_text().map(str::to_owned))
            .collect();
        if let Some(unknown) = groups.iter().find(|group| !["load", "io", "env", "real", "all"].contains(&group.as_str())) {
            return Err(fail(&format!("there is no part of Ruby called :{unknown}")));
        }
        let keep_output = options.get("output").and_then(Wire::as_text) == Some("keep");
        let may_make_boxes = options.get("boxes") == Some(&Wire::Bool(true));
        let rollback = options.get("rollback") == Some(&Wire::Bool(true));
        let member = self.member_of_kind(groups, allowance).map_err(|error| fail(&error.to_string()))?;
        let id = self.insert(member, Some(parent), allowance, may_make_boxes, keep_output);
        if let Some(boxed) = self.boxes.get_mut(&id) {
            boxed.rollback = rollback;
        }
        Ok(End::Value(Wire::Integer(id.0.into())))
    }

    /// A box that shows these parts of Ruby.
    pub(crate) fn member_of_kind(&mut self, mut groups: Vec<String>, allowance: Allowance) -> Result<Member, Error> {
        groups.sort();
        groups.dedup();
        let mut world = self.world.clone();
        if !groups.iter().any(|group| group == "all" || group == "env") {
            world.environment.clear();
        }
        let setup = MemberSetup { world, memory: allowance.memory, output: allowance.output };
        if groups.iter().any(|group| group == "all") {
            return Ok(Member::new(&self.ruby, setup));
        }
        let program = self.ruby.kind(&groups)?;
        Ok(Member::of(&self.ruby, &program, setup))
    }

    /// Adds a box of the embedder's that shows only parts of Ruby.
    pub(crate) fn add_kind(&mut self, groups: Vec<String>, allowance: Allowance, may_make_boxes: bool) -> Result<Id, Error> {
        let member = self.member_of_kind(groups, allowance)?;
        Ok(self.insert(member, None, allowance, may_make_boxes, true))
    }
}

fn read_limits(options: &Wire, allowance: &mut Allowance) {
    if let Some(seconds) = options.get("timeout").and_then(Wire::as_number)
        && seconds >= 0.0
    {
        allowance.time = Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    if let Some(fuel) = options.get("fuel").and_then(Wire::as_number)
        && fuel >= 0.0
    {
        allowance.fuel = Some(allowance.fuel.map_or(fuel as u64, |limit| limit.min(fuel as u64)));
    }
}

/// Why an instance that is over is dead; a refused growth explains any bad end.
pub(crate) fn dead(over: Over, refused: bool) -> Dead {
    match over {
        Over::Ending(Ending::OutputFull) => Dead::Output,
        Over::Ending(Ending::Exit(code)) if code != 0 && refused => Dead::Memory,
        Over::Ending(Ending::Exit(code)) => Dead::Exit(code),
        Over::Ending(Ending::BadCall) => Dead::Broken("its message makes no sense".into()),
        Over::Trap(Some(wasm::wasmtime::Trap::StackOverflow), text, frames) => Dead::Stack(text, frames),
        Over::Trap(..) if refused => Dead::Memory,
        Over::Trap(_, text, frames) => Dead::Trap(text, frames),
        Over::Start(_) if refused => Dead::Memory,
        Over::Start(text) => Dead::Broken(text),
        Over::Panicked => Dead::Internal,
    }
}
