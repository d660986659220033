//! The contract suite: what every engine must pass, whatever it runs.
//!
//! An engine's tests name a [`Subject`] (how to make a cell, and a program for each [`Program`]) and call [`contract_tests!`](crate::contract_tests):
//!
//! ```ignore
//! cell::contract_tests!(MySubject);
//! ```
//!
//! A subject may leave a program out where its guests cannot express it; it says why, and the case is then skipped with that reason. What may be
//! left out is written beside each program.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::hatch::{Call, HostObject, HostResult};
use crate::{
    Alarm, Argument, Bound, Cell, CellSnapshot, Clock, Engine, Error, GuestError, InterruptHandle, Limits, Meter, Offer, Outcome, Stop,
    Task, Value,
};

/// Programs that a subject supplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// Finishes at once with exit code 7; where guests have no exit codes, with 0.
    Finish,
    /// Writes `hello\n` to standard output and `oops\n` to standard error, and finishes with 0.
    Print,
    /// Writes to standard output forever.
    Flood,
    /// Computes forever, calling nothing.
    Spin,
    /// Computes for 200,000 units of fuel or more (at most 20 million), writes `done\n`, finishes with 0.
    Work,
    /// Takes memory and writes to all of it, forever. When it is refused it may finish or raise.
    Hoard,
    /// Calls itself forever.
    Recurse,
    /// Calls the offer `ask` with the text or bytes `ping`, writes what comes back (text or bytes) to standard output, finishes with 0. If the
    /// call raises, writes `raised` instead.
    Ask,
    /// Calls the offer `ask` with `ping` forever, ignoring what comes back, errors too.
    AskForever,
}

/// An engine under test.
pub trait Subject {
    /// The engine.
    type Engine: Engine + 'static;

    /// A cell with these limits.
    ///
    /// # Errors
    /// Those of [`Cell::new`].
    fn cell(&self, limits: Limits, clock: Option<Arc<dyn Clock>>) -> Result<Cell<Self::Engine>, Error>;

    /// The task for a program, or why this engine has none.
    ///
    /// # Errors
    /// The reason, as a sentence.
    fn task(&self, program: Program) -> Result<Task, &'static str>;

    /// The exit code that [`Program::Finish`] ends with.
    fn exit_code(&self) -> i32 {
        7
    }

    /// Fuel in which [`Program::AskForever`] makes a few calls, and far from as many as units.
    fn asking_fuel(&self) -> u64 {
        200_000
    }

    /// Memory, in bytes, that [`Program::Hoard`] soon fills.
    fn tight_memory(&self) -> u64 {
        <Self::Engine as Engine>::keeps().default_memory / 2
    }

    /// A wall-clock bound for what the outside must be able to stop; for engines that keep no fuel.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// One `#[test]` per case of the contract.
#[macro_export]
macro_rules! contract_tests {
    ($subject:expr) => {
        $crate::contract_tests!(@each $subject;
            finishes_with_its_exit_code, captures_the_console, caps_the_console, stops_at_exactly_its_fuel, uses_the_same_fuel_whatever_the_slices,
            goes_on_after_a_refuel, keeps_the_memory_cap, survives_endless_recursion, stops_when_interrupted, stops_when_the_clock_ends,
            an_interrupt_before_the_run_stops_it_at_once, asks_the_host_and_hears_the_answer, hears_the_hosts_errors, survives_a_panic_of_the_host,
            an_unknown_offer_is_the_guests_error, a_hatch_call_forever_is_stopped, a_hostile_answer_is_refused, freezes_and_goes_on_elsewhere,
            refuses_damaged_snapshots, a_dropped_cell_leaves_nothing, replays_to_the_instruction, replays_an_outside_stop,
            refuses_limits_it_cannot_keep, runs_again_after_it_finished);
    };
    (@each $subject:expr; $($case:ident),* $(,)?) => {
        mod contract_of_every_cell {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::contract::$case(&$subject);
                }
            )*
        }
    };
}

fn limits() -> Limits {
    // No wall clock: nothing here may depend on it but what says so.
    Limits { wall: Bound::Unlimited, ..Limits::default() }
}

fn task<S: Subject>(subject: &S, program: Program) -> Option<Task> {
    match subject.task(program) {
        Ok(task) => Some(task),
        Err(reason) => {
            eprintln!("skipped: no {program:?}: {reason}");
            None
        }
    }
}

fn cell<S: Subject>(subject: &S, limits: Limits) -> Cell<S::Engine> {
    subject.cell(limits, None).expect("a cell with ordinary limits")
}

fn run<S: Subject>(subject: &S, limits: Limits, task: &Task) -> Outcome {
    cell(subject, limits).execute(task).expect("the program can be prepared and run")
}

fn keeps_fuel<S: Subject>(_: &S) -> bool {
    <S::Engine as Engine>::keeps().fuel
}

/// Finishes with the exit code of the program.
pub fn finishes_with_its_exit_code<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Finish) else { return };
    let outcome = run(subject, limits(), &task);
    assert_eq!(outcome.stop, Stop::Finished(subject.exit_code()), "{outcome:?}");
    assert_eq!(outcome.usage.fuel.is_some(), keeps_fuel(subject));
}

/// Console text is captured, both streams apart.
pub fn captures_the_console<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Print) else { return };
    let outcome = run(subject, limits(), &task);
    assert_eq!(outcome.stop, Stop::Finished(0), "{outcome:?}");
    assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_slice()), (&b"hello\n"[..], &b"oops\n"[..]));
}

/// At the cap of the console the stop is `OutputFull`, with the text up to the cap kept.
pub fn caps_the_console<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Flood) else { return };
    for cap in [0u64, 1, 1000] {
        let outcome = run(subject, limits().output(cap), &task);
        assert_eq!(outcome.stop, Stop::OutputFull, "cap {cap}");
        assert_eq!((outcome.stdout.len() + outcome.stderr.len()) as u64, cap);
    }
}

/// Runs out of fuel with every unit used, never one more; a stop, not an error.
pub fn stops_at_exactly_its_fuel<S: Subject>(subject: &S) {
    if !keeps_fuel(subject) {
        return;
    }
    let Some(task) = task(subject, Program::Spin) else { return };
    for fuel in [100_000, 100_001, 3 * Meter::SLICE + 17] {
        let outcome = run(subject, limits().fuel(fuel), &task);
        assert_eq!(outcome.stop, Stop::OutOfFuel, "fuel {fuel}: {outcome:?}");
        let used = outcome.usage.fuel.expect("an engine that keeps fuel reports it");
        // An instruction or a native that costs more than is left is not begun; it costs less than this.
        assert!(used <= fuel && fuel - used < 10_000, "used {used} of {fuel}");
    }
}

/// The size of the slices that fuel is lent in never shows.
pub fn uses_the_same_fuel_whatever_the_slices<S: Subject>(subject: &S) {
    if !keeps_fuel(subject) {
        return;
    }
    let Some(task) = task(subject, Program::Work) else { return };
    let expected = run(subject, limits(), &task);
    assert_eq!((&expected.stop, expected.stdout.as_slice()), (&Stop::Finished(0), &b"done\n"[..]), "{expected:?}");
    for slice in [1000, 777, 7] {
        let mut cell = cell(subject, limits());
        cell.set_slice(slice);
        let outcome = cell.execute(&task).expect("runs");
        assert_eq!(
            (&outcome.stop, outcome.usage.fuel, &outcome.stdout),
            (&expected.stop, expected.usage.fuel, &expected.stdout),
            "slice {slice}"
        );
    }
}

/// After `OutOfFuel` and a refuel the run goes on; in pieces it uses what it uses in one.
pub fn goes_on_after_a_refuel<S: Subject>(subject: &S) {
    if !keeps_fuel(subject) {
        return;
    }
    let Some(task) = task(subject, Program::Work) else { return };
    let whole = run(subject, limits(), &task);
    let mut cell = cell(subject, limits().fuel(60_000));
    let mut outcome = cell.execute(&task).expect("runs");
    let (mut text, mut stops) = (outcome.stdout.clone(), 0);
    while outcome.stop == Stop::OutOfFuel {
        stops += 1;
        cell.refuel(60_001);
        outcome = cell.run().expect("goes on");
        text.extend_from_slice(&outcome.stdout);
    }
    assert!(stops >= 2, "the program is too short to be stopped");
    assert_eq!((outcome.stop, outcome.usage.fuel, text), (whole.stop, whole.usage.fuel, whole.stdout));
}

/// Memory never grows beyond the cap, and the end is clear.
pub fn keeps_the_memory_cap<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Hoard) else { return };
    let cap = subject.tight_memory();
    let outcome = run(subject, limits().memory(cap), &task);
    assert!(
        matches!(outcome.stop, Stop::OutOfMemory | Stop::Finished(_) | Stop::Raised(_) | Stop::Trapped(_)),
        "a clear end, not {:?}",
        outcome.stop
    );
    assert!(outcome.usage.memory_peak <= cap, "peak {} over the cap {cap}", outcome.usage.memory_peak);
    assert!(outcome.usage.memory_peak > cap / 4, "peak {} of {cap}: the program did not try", outcome.usage.memory_peak);
}

/// Endless recursion ends the guest, not the host.
pub fn survives_endless_recursion<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Recurse) else { return };
    let outcome = run(subject, limits(), &task);
    assert!(!matches!(outcome.stop, Stop::Finished(0)), "{outcome:?}");
    assert!(!matches!(&outcome.stop, Stop::Trapped(trap) if trap.kind == crate::TrapKind::Internal), "{outcome:?}");
}

/// Another thread stops a run that would never end.
pub fn stops_when_interrupted<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Spin) else { return };
    let mut unlimited = limits();
    unlimited.fuel = Bound::Unlimited;
    let mut cell = cell(subject, unlimited);
    let handle = cell.interrupt_handle();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        handle.interrupt();
    });
    let outcome = cell.execute(&task).expect("runs");
    thread.join().expect("the other thread");
    assert_eq!(outcome.stop, Stop::Interrupted);
}

/// The keeper of the clock stops a run that would never end.
pub fn stops_when_the_clock_ends<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Spin) else { return };
    let mut limits = limits().wall(Duration::from_millis(50));
    limits.fuel = Bound::Unlimited;
    let mut cell = subject.cell(limits, Some(Arc::new(ThreadClock))).expect("a cell with a clock");
    assert_eq!(cell.execute(&task).expect("runs").stop, Stop::OutOfTime);
}

/// An interrupt that comes before the run stops it at once, and once only.
pub fn an_interrupt_before_the_run_stops_it_at_once<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Finish) else { return };
    let mut cell = cell(subject, limits());
    cell.interrupt_handle().interrupt();
    let outcome = cell.execute(&task).expect("runs");
    if outcome.stop == Stop::Interrupted {
        assert_eq!(cell.run().expect("goes on").stop, Stop::Finished(subject.exit_code()));
    } else {
        // A program so short that nobody asked the meter.
        assert_eq!(outcome.stop, Stop::Finished(subject.exit_code()));
    }
}

/// What the guest says reaches the host's function, and its answer the guest.
pub fn asks_the_host_and_hears_the_answer<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Ask) else { return };
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut cell = cell(subject, limits());
    let sink = Arc::clone(&heard);
    cell.offer_function("ask", move |call| {
        sink.lock().expect("not poisoned").push(call.value(0)?);
        Ok("pong".into())
    })
    .expect("offered");
    let outcome = cell.execute(&task).expect("runs");
    assert_eq!((&outcome.stop, outcome.stdout.as_slice()), (&Stop::Finished(0), &b"pong"[..]), "{outcome:?}");
    let heard = heard.lock().expect("not poisoned");
    assert!(
        matches!(heard.as_slice(), [Value::Text(text)] if text == "ping")
            || matches!(heard.as_slice(), [Value::Bytes(bytes)] if bytes == b"ping")
    );
}

/// An error of the host's is the guest's to handle.
pub fn hears_the_hosts_errors<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Ask) else { return };
    let mut cell = cell(subject, limits());
    cell.offer_function("ask", |_| Err(GuestError::new("NoAnswer", "not today"))).expect("offered");
    let outcome = cell.execute(&task).expect("runs");
    assert_eq!((&outcome.stop, outcome.stdout.as_slice()), (&Stop::Finished(0), &b"raised"[..]), "{outcome:?}");
}

/// A host function that panics hurts nobody but its caller.
pub fn survives_a_panic_of_the_host<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Ask) else { return };
    let mut cell = cell(subject, limits());
    cell.offer_function("ask", |_| panic!("this panic is part of a test")).expect("offered");
    let outcome = cell.execute(&task).expect("runs");
    assert_eq!((&outcome.stop, outcome.stdout.as_slice()), (&Stop::Finished(0), &b"raised"[..]), "{outcome:?}");
}

/// Calling what nobody offered is an error of the guest's.
pub fn an_unknown_offer_is_the_guests_error<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Ask) else { return };
    let outcome = run(subject, limits(), &task);
    match &outcome.stop {
        Stop::Finished(0) => assert_eq!(outcome.stdout, b"raised"),
        Stop::Raised(_) => {}
        other => panic!("{other:?}"),
    }
}

/// Calls through the hatch cost fuel: a guest that does nothing else is stopped too.
pub fn a_hatch_call_forever_is_stopped<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::AskForever) else { return };
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let mut cell = if keeps_fuel(subject) {
        cell(subject, limits().fuel(subject.asking_fuel()))
    } else {
        subject.cell(limits().wall(Duration::from_secs(1)), Some(Arc::new(ThreadClock))).expect("a cell with a clock")
    };
    cell.offer_function("ask", move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(Argument::default())
    })
    .expect("offered");
    let outcome = cell.execute(&task).expect("runs");
    assert!(matches!(outcome.stop, Stop::OutOfFuel | Stop::OutOfTime), "{:?}", outcome.stop);
    let calls = calls.load(Ordering::Relaxed);
    assert!(calls > 1, "the guest made {calls} calls");
    assert!(!keeps_fuel(subject) || calls < subject.asking_fuel(), "the guest made {calls} calls");
}

/// An answer beyond the bounds never reaches the guest as one.
pub fn a_hostile_answer_is_refused<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Ask) else { return };
    let mut cell = cell(subject, limits());
    cell.offer_function("ask", |_| Ok((0..1000).fold(Value::Null, |inner, _| Value::List(vec![inner])).into())).expect("offered");
    let outcome = cell.execute(&task).expect("runs");
    assert_eq!((&outcome.stop, outcome.stdout.as_slice()), (&Stop::Finished(0), &b"raised"[..]), "{outcome:?}");
}

/// Frozen in the middle, saved, loaded and spawned twice, the run ends as if nothing had been. Engines that cannot freeze say so.
pub fn freezes_and_goes_on_elsewhere<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Work) else { return };
    if !keeps_fuel(subject) {
        return;
    }
    let whole = run(subject, limits(), &task);
    let mut cell = cell(subject, limits().fuel(100_000));
    let first = cell.execute(&task).expect("runs");
    assert_eq!(first.stop, Stop::OutOfFuel);
    let snapshot = match cell.snapshot() {
        Ok(snapshot) => snapshot,
        Err(error) => {
            assert!(matches!(error, Error::Unsupported(_)), "a refusal that says why, not {error:?}");
            assert!(error.to_string().len() > 20, "{error}");
            return;
        }
    };
    drop(cell);
    let mut saved = Vec::new();
    snapshot.save(&mut saved).expect("saves");
    let loaded = CellSnapshot::<S::Engine>::load(&mut saved.as_slice()).expect("loads");
    for snapshot in [&snapshot, &loaded, &loaded] {
        let mut cell = snapshot.spawn(None).expect("spawns");
        cell.refuel(1_000_000_000);
        let outcome = cell.run().expect("goes on");
        let text = [first.stdout.as_slice(), outcome.stdout.as_slice()].concat();
        assert_eq!((outcome.stop, outcome.usage.fuel, text), (whole.stop.clone(), whole.usage.fuel, whole.stdout.clone()));
    }
}

/// A saved snapshot that was cut or changed anywhere is refused with a sentence.
pub fn refuses_damaged_snapshots<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Finish) else { return };
    let mut cell = cell(subject, limits());
    cell.prepare(&task).expect("prepares");
    let Ok(snapshot) = cell.snapshot() else { return };
    let mut saved = Vec::new();
    snapshot.save(&mut saved).expect("saves");
    let step = (saved.len() / 64).max(1);
    for at in (0..saved.len()).step_by(step) {
        let mut changed = saved.clone();
        changed[at] ^= 0x55;
        for bytes in [changed.as_slice(), &saved[..at]] {
            match CellSnapshot::<S::Engine>::load(&mut &*bytes) {
                Err(Error::Damaged(why)) => assert!(!why.is_empty()),
                Err(other) => panic!("damage at {at} gives {other:?}"),
                Ok(_) => panic!("damage at {at} goes unnoticed"),
            }
        }
    }
}

/// A host object that notices when it is dropped.
struct Canary(Arc<AtomicBool>);

impl HostObject for Canary {
    fn class(&self) -> &str {
        "Canary"
    }
    fn call(&mut self, _method: &str, _call: &mut Call<'_>) -> HostResult {
        Ok("pong".into())
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// With the cell everything goes that was lent to it, also from the middle of a run.
pub fn a_dropped_cell_leaves_nothing<S: Subject>(subject: &S) {
    let program = if keeps_fuel(subject) { Program::Spin } else { Program::Finish };
    let Some(task) = task(subject, program) else { return };
    let dropped = Arc::new(AtomicBool::new(false));
    let mut cell = cell(subject, if keeps_fuel(subject) { limits().fuel(100_000) } else { limits() });
    cell.offer("canary", Offer::object(Canary(Arc::clone(&dropped)))).expect("offered");
    cell.execute(&task).expect("runs");
    assert!(!dropped.load(Ordering::Relaxed));
    drop(cell);
    assert!(dropped.load(Ordering::Relaxed), "the object that was lent outlived its cell");
}

/// Recorded and replayed, a run that asks the world is the same to the instruction, with nobody there to ask.
pub fn replays_to_the_instruction<S: Subject>(subject: &S) {
    if !keeps_fuel(subject) {
        return;
    }
    let Some(task) = task(subject, Program::Ask) else { return };
    let mut recorded = cell(subject, limits());
    recorded.offer_function("ask", |_| Ok("pong".into())).expect("offered");
    recorded.record();
    let expected = recorded.execute(&task).expect("runs");
    let journal = recorded.journal().expect("a journal was asked for").clone();
    let bytes = journal.to_bytes().expect("encodes");
    let mut again = cell(subject, limits());
    again.offer("ask", Offer::function(|_| panic!("a replay must not ask the world"))).expect("offered");
    again.replay(crate::Journal::from_bytes(&bytes).expect("decodes"));
    let outcome = again.execute(&task).expect("runs");
    assert_eq!((outcome.stop, outcome.usage.fuel, outcome.stdout), (expected.stop, expected.usage.fuel, expected.stdout));
    // A journal of another run is noticed.
    let mut other = cell(subject, limits());
    other.offer("ask", Offer::function(|_| Ok(Argument::default()))).expect("offered");
    other.replay(crate::Journal::default());
    assert!(matches!(other.execute(&task).expect("runs").stop, Stop::Trapped(_)));
}

/// A stop by the outside comes again at the same reading.
pub fn replays_an_outside_stop<S: Subject>(subject: &S) {
    if !keeps_fuel(subject) {
        return;
    }
    let Some(task) = task(subject, Program::Spin) else { return };
    let mut unlimited = limits();
    unlimited.fuel = Bound::Unlimited;
    let mut recorded = cell(subject, unlimited);
    recorded.record();
    let handle = recorded.interrupt_handle();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        handle.interrupt();
    });
    let expected = recorded.execute(&task).expect("runs");
    thread.join().expect("the other thread");
    let mut again = cell(subject, unlimited);
    again.replay(recorded.journal().expect("a journal was asked for").clone());
    let outcome = again.execute(&task).expect("runs");
    assert_eq!((outcome.stop, outcome.usage.fuel), (expected.stop, expected.usage.fuel));
}

/// A limit that cannot be kept is refused, never ignored.
pub fn refuses_limits_it_cannot_keep<S: Subject>(subject: &S) {
    let keeps = <S::Engine as Engine>::keeps();
    let kept = |limits: Limits, kept: bool, what: &str| match subject.cell(limits, None) {
        Ok(_) => assert!(kept, "a limit on {what} is not kept, yet taken"),
        Err(error) => assert!(!kept && matches!(error, Error::LimitNotKept { .. }), "{what}: {error}"),
    };
    kept(limits().fuel(1_000_000), keeps.fuel, "fuel");
    kept(limits().memory(keeps.default_memory), keeps.memory, "memory");
    kept(limits().output(1000), keeps.output, "output");
    kept(limits().depth(1000), keeps.depth, "depth");
    kept(limits().wall(Duration::from_secs(1)), false, "wall clock, with no clock there");
}

/// A cell that has finished takes another task, or says that it does not; one with nothing to run says so.
pub fn runs_again_after_it_finished<S: Subject>(subject: &S) {
    let Some(task) = task(subject, Program::Print) else { return };
    let mut cell = cell(subject, limits());
    assert!(matches!(cell.run(), Err(Error::State(_))), "nothing was prepared");
    let first = cell.execute(&task).expect("runs");
    assert!(matches!(cell.run(), Err(Error::State(_))), "it has finished");
    match cell.execute(&task) {
        Ok(second) => assert_eq!((second.stop, second.stdout), (first.stop, first.stdout)),
        Err(error) => assert!(matches!(error, Error::State(_) | Error::Unsupported(_)), "{error}"),
    }
}

/// A clock for tests: one thread an alarm.
#[derive(Default)]
pub struct ThreadClock;

struct ThreadAlarm(Arc<Mutex<bool>>);

impl Alarm for ThreadAlarm {}

impl Drop for ThreadAlarm {
    fn drop(&mut self) {
        *self.0.lock().expect("not poisoned") = true;
    }
}

impl Clock for ThreadClock {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn arm(&self, after: Duration, handle: InterruptHandle) -> Box<dyn Alarm> {
        let off = Arc::new(Mutex::new(false));
        let flag = Arc::clone(&off);
        std::thread::spawn(move || {
            std::thread::sleep(after);
            let off = flag.lock().expect("not poisoned");
            if !*off {
                handle.time_out();
            }
        });
        Box::new(ThreadAlarm(off))
    }
}
