//! The handler of compiled code's faults leaves every other fault to whoever was there before it.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use cell::{Cell, Limits, Stop, Task};
use moxie::{Moxie, Options, Tier};

/// What a host's own handler ends the process with.
const CHAINED: i32 = 77;

extern "C" fn of_the_host(_signal: i32) {
    // SAFETY: ends the process at once, as a signal handler may.
    unsafe { libc::_exit(CHAINED) }
}

/// Faults in guest memory, taken care of by the compiler: a store to read-only memory ends in a trap.
fn run_compiled() {
    let program = include_bytes!("../../../guest/moxie/fixtures/store_ro.elf");
    let engine = Moxie::new(Options { tier: Tier::Jit, ..Options::default() });
    let mut cell = Cell::new(engine, Limits::default(), None).expect("a cell");
    let outcome = cell.execute(&Task::program("store_ro.elf", program.as_slice())).expect("runs");
    assert!(matches!(outcome.stop, Stop::Trapped(_)), "{:?}", outcome.stop);
    assert!(cell.engine().compiled_instructions() > 0, "nothing ran compiled");
}

fn fault() -> ! {
    // SAFETY: not sound, and meant so: the process is to die of this, in a child made for it.
    unsafe { std::ptr::without_provenance_mut::<u8>(16).write_volatile(1) };
    unreachable!("the page at address zero is not mapped")
}

/// Runs this test's body in a process of its own: signal handlers are the process's.
fn in_a_child(test: &str, body: impl FnOnce()) -> Option<ExitStatus> {
    if std::env::var_os("SIGNALS_CHILD").is_some() {
        body();
        return None;
    }
    let myself = std::env::current_exe().expect("the test's own path");
    let output = Command::new(myself).args(["--exact", test, "--test-threads", "1"]).env("SIGNALS_CHILD", "1").output().expect("starts");
    Some(output.status)
}

#[test]
fn a_host_with_a_handler_gets_its_own_faults() {
    let status = in_a_child("a_host_with_a_handler_gets_its_own_faults", || {
        // SAFETY: a handler that only ends the process.
        unsafe { libc::signal(libc::SIGSEGV, of_the_host as *const () as usize) };
        run_compiled();
        fault();
    });
    if let Some(status) = status {
        assert_eq!(status.code(), Some(CHAINED), "{status}");
    }
}

#[test]
fn a_host_without_a_handler_dies_of_its_faults() {
    let status = in_a_child("a_host_without_a_handler_dies_of_its_faults", || {
        // SAFETY: back to the default, which the test's run-time library had replaced for its stack guards.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        run_compiled();
        fault();
    });
    if let Some(status) = status {
        assert_eq!(status.signal(), Some(libc::SIGSEGV), "{status}");
    }
}
