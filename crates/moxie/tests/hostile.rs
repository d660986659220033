//! What is handed in may be anything, and what is in memory too: each gives its own clear outcome, and the host stays whole.

mod common;

use cell::{Bound, Cell, Engine, Error, Limits, Meter, Snapshot, Stop, Task, TrapKind};
use common::{Asm, DATA, R0, R1, R2, TEXT, elf};
use moxie::isa::Op;
use moxie::{Layout, Moxie, MoxieSnapshot, Options, Tier};
use proptest::prelude::*;

fn limits() -> Limits {
    Limits { wall: Bound::Unlimited, ..Limits::default().fuel(1_000_000) }
}

fn cell(tier: Tier, limits: Limits) -> Cell<Moxie> {
    Cell::new(Moxie::new(Options { layout: Layout::Pages, tier }), limits, None).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    match cell(Tier::Auto, limits()).execute(&Task::program("x.elf", bytes)) {
        Err(Error::Program(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = Asm::default().exit(0).program(b"data");
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// Offsets of the first program header's fields: offset, address, size in the file, size in memory.
const FIRST: [usize; 4] = [52 + 4, 52 + 8, 52 + 16, 52 + 20];

#[test]
fn each_kind_of_bad_executable_has_its_own_sentence() {
    let good = Asm::default().exit(0).program(b"data");
    assert_eq!(cell(Tier::Auto, limits()).execute(&Task::program("x.elf", good.clone())).unwrap().stop, Stop::Finished(0));
    let word = |value: u32| value.to_le_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("is too short to be an executable (0 bytes)", Vec::new()),
        ("is too short", good[..40].to_vec()),
        ("is no ELF file", b"#!/bin/sh\n".repeat(20)),
        ("is a 64-bit ELF file", patched(4, &[2])),
        ("is big-endian", patched(5, &[2])),
        ("broken ELF header", patched(4, &[9])),
        ("is for another machine (ELF machine number 62, not 223)", patched(18, &[62, 0])),
        ("program headers lie outside of the file", patched(28, &word(1 << 30))),
        ("program headers lie outside of the file", good[..80].to_vec()),
        ("nothing to load", patched(44, &[0, 0])),
        ("is cut short: the segment at 0x8000", good[..good.len() - 1].to_vec()),
        ("is cut short: the segment at 0x1000", patched(FIRST[0], &word(0xffff_fff0))),
        ("larger in the file", patched(FIRST[3], &word(1))),
        ("passes the end of the address space", patched(FIRST[1], &word(0xffff_fff8))),
        ("segments that overlap", patched(FIRST[1], &word(0x8002))),
        ("has its entry point at 0x7000, where nothing is loaded", patched(24, &word(0x7000))),
    ];
    for (sentence, bytes) in cases {
        let message = refusal(&bytes);
        assert!(message.starts_with("`x.elf` ") && message.contains(sentence), "{sentence}: {message}");
    }
    let many: Vec<(u32, &[u8], u32, u32)> = (0..300).map(|index| (index * 0x2000 + TEXT, &b"x"[..], 1, 4)).collect();
    assert!(refusal(&elf(TEXT, &many)).contains("more than 256 loadable segments"));
}

#[test]
fn what_does_not_fit_under_the_cap_is_an_outcome() {
    let program = Asm::default().exit(0).program(b"");
    let large = elf(TEXT, &[(TEXT, &Asm::default().exit(0).bytes(), 100, 5), (DATA, b"", 0x7000_0000, 6)]);
    let with_input = Task::program("x.elf", program).input("block", vec![1; 2 << 20]);
    for (task, reason) in [(Task::program("x.elf", large), "the segment"), (with_input, "the input `block` of 2097152 bytes")] {
        let outcome = cell(Tier::Auto, limits().memory(1 << 20)).execute(&task).unwrap();
        assert_eq!(outcome.stop, Stop::OutOfMemory);
        assert!(outcome.extra["reason"].as_text().unwrap().contains(reason), "{:?}", outcome.extra);
    }
}

#[test]
fn names_of_inputs_are_checked() {
    let program = Asm::default().exit(0).program(b"");
    for name in ["two words", "a,b", "twenty-characters-in", "\u{e9}"] {
        let task = Task::program("x.elf", program.clone()).input(name, &b"x"[..]);
        assert!(matches!(cell(Tier::Auto, limits()).execute(&task), Err(Error::Program(_))), "{name}");
    }
    for name in ["state", "stack", "heap0", "elf12"] {
        let task = Task::program("x.elf", program.clone()).input(name, &b"x"[..]);
        assert!(matches!(cell(Tier::Auto, limits()).execute(&task), Err(Error::Program(why)) if why.contains(name)), "{name}");
    }
    for name in ["heap", "elf", "elf1a", "data7", "mapdesc"] {
        let task = Task::program("x.elf", program.clone()).input(name, &b"x"[..]);
        assert_eq!(cell(Tier::Auto, limits()).execute(&task).unwrap().stop, Stop::Finished(0), "{name}");
    }
    let twice = Task::program("x.elf", program).input("data1", &b"x"[..]).input("", &b"y"[..]);
    assert!(matches!(cell(Tier::Auto, limits()).execute(&twice), Err(Error::Program(why)) if why.contains("both be called `data1`")));
}

/// Each in its own words: endless loops and recursion, jumps into data, divisions, stores, buffers.
#[test]
fn each_bad_deed_has_its_own_stop() {
    type Deed = fn(Asm) -> Asm;
    let trapped: [(Deed, TrapKind); 8] = [
        (|asm| asm.label("f").to(Op::Jsra, "f"), TrapKind::StackOverflow),
        (|asm| asm.op(Op::Jmpa, 0, 0, DATA + 0x800), TrapKind::IllegalInstruction),
        (|asm| asm.op(Op::Jmpa, 0, 0, 0xdead_beef), TrapKind::Unmapped),
        (|asm| asm.op(Op::Div, R0, R1, 0), TrapKind::DivisionByZero),
        (|asm| asm.op(Op::StaL, R0, 0, TEXT), TrapKind::ReadOnly),
        (|asm| asm.op(Op::StaL, R0, 0, 4), TrapKind::Unmapped),
        (|asm| asm.op(Op::Brk, 0, 0, 0), TrapKind::BreakInstruction),
        (|asm| asm.ldi(R0, DATA).op(Op::Ssr, R0, 0, 6).ldi(R0, 0x1001).op(Op::Ssr, R0, 0, 7), TrapKind::BadOutput),
    ];
    let stack = |asm: Asm| asm.op(Op::Gsr, 1, 0, 7);
    for tier in [Tier::Interpreter, Tier::Jit] {
        for (deed, kind) in trapped {
            let outcome = cell(tier, limits()).execute(&Task::program("x.elf", deed(stack(Asm::default())).program(b""))).unwrap();
            assert!(matches!(&outcome.stop, Stop::Trapped(trap) if trap.kind == kind), "{kind:?}: {:?}", outcome.stop);
        }
        let spin = Asm::default().label("f").to(Op::Jmpa, "f").program(b"");
        assert_eq!(cell(tier, limits()).execute(&Task::program("x.elf", spin)).unwrap().stop, Stop::OutOfFuel);
        let large = Asm::default().ldi(R0, DATA).op(Op::Ssr, R0, 0, 6).ldi(R0, 100).op(Op::Ssr, R0, 0, 7).exit(0).program(b"");
        assert_eq!(cell(tier, limits().output(99)).execute(&Task::program("x.elf", large)).unwrap().stop, Stop::OutputFull);
    }
}

/// The environment's calls with any arguments: an errno or a stop, nothing else.
#[test]
fn hostile_arguments_of_our_calls_are_refused() {
    let errno = |number: i32| (-number).cast_unsigned();
    let page_end = DATA + 0x1000;
    let cases: [(u32, [u32; 3], u32, u64); 18] = [
        (moxie::CONSOLE_WRITE, [3, DATA, 1], errno(9), 1),
        (moxie::CONSOLE_WRITE, [1, DATA, 0x8000_0000], errno(22), 1),
        (moxie::CONSOLE_WRITE, [1, page_end - 1, 2], errno(14), 1),
        (moxie::CONSOLE_WRITE, [1, 0xffff_ffff, 2], errno(14), 1),
        (moxie::CONSOLE_WRITE, [1, 0x1234_5678, 0], 0, 1),
        (moxie::CONSOLE_WRITE, [2, DATA, 17], 17, 3),
        (moxie::SBRK, [0xffff_ffff, 0, 0], errno(22), 1),
        (moxie::SBRK, [0x7fff_ffff, 0, 0], errno(12), 1 + (1 << 27)),
        (moxie::FUEL_USED, [page_end - 7, 0, 0], errno(14), 1),
        (moxie::FUEL_USED, [TEXT, 0, 0], errno(14), 1),
        (moxie::RANDOM, [DATA, 4, 0], errno(38), 1),
        (moxie::RANDOM, [DATA, 0xffff_ffff, 0], errno(22), 1),
        (moxie::CLOCK, [DATA, 0, 0], errno(38), 1),
        (moxie::CLOCK, [0, 0, 0], errno(14), 1),
        (moxie::HATCH_CALL, [page_end - 27, 0, 0], errno(14), 1),
        (moxie::HATCH_CALL, [DATA, 0, 0], errno(22), 1),
        (moxie::HATCH_RESULT, [DATA, 1, 0], errno(2), 1),
        (0x4f55_0008, [77, 0, 0], 77, 1),
    ];
    for (number, [r0, r1, r2], answer, price) in cases {
        // The answer goes out as the output, so that all of it is seen.
        let asm = Asm::default().ldi(R0, r0).ldi(R1, r1).ldi(R2, r2).swi(number);
        let asm = asm.op(Op::StaL, R0, 0, DATA + 64).ldi(R0, DATA + 64).op(Op::Ssr, R0, 0, 6).ldi(R0, 4).op(Op::Ssr, R0, 0, 7).exit(0);
        let outcome = cell(Tier::Auto, limits().fuel(1 << 30)).execute(&Task::program("x.elf", asm.program(b""))).unwrap();
        assert_eq!(outcome.output, answer.to_le_bytes(), "{number:#x}({r0:#x}, {r1:#x}, {r2:#x})");
        assert_eq!(outcome.usage.fuel, Some(10 + price), "{number:#x}({r0:#x}, {r1:#x}, {r2:#x})");
        assert_eq!(outcome.usage.instructions, Some(11));
    }
}

#[test]
fn a_price_that_cannot_be_paid_leaves_everything_as_it_was() {
    let program = Asm::default().write(1, DATA, 160).exit(0).program(b"");
    let mut cell = cell(Tier::Auto, limits().fuel(13));
    let stopped = cell.execute(&Task::program("x.elf", program)).unwrap();
    assert_eq!((stopped.stop, stopped.usage.fuel, stopped.stdout.len()), (Stop::OutOfFuel, Some(3), 0));
    assert_eq!(stopped.extra["pc"].as_i64(), Some(i64::from(TEXT) + 18), "on the `swi`");
    cell.refuel(3);
    let rest = cell.run().unwrap();
    assert_eq!((rest.stop, rest.usage.fuel, rest.stdout.len()), (Stop::Finished(0), Some(16), 160));
}

#[test]
fn the_old_mmap_keeps_its_rules() {
    let call = |registers: [u32; 4]| {
        let asm = (2u8..).zip(registers).fold(Asm::default(), |asm, (register, value)| asm.ldi(register, value));
        let asm = asm.swi(moxie::MMAP).op(Op::StaL, R0, 0, DATA);
        let asm = asm.ldi(R0, DATA).op(Op::Ssr, R0, 0, 6).ldi(R0, 4).op(Op::Ssr, R0, 0, 7).exit(0);
        let outcome = cell(Tier::Auto, limits()).execute(&Task::program("x.elf", asm.program(b""))).unwrap();
        i32::from_le_bytes(outcome.output.try_into().unwrap())
    };
    assert!(call([0, 4096, 7, 6]) > 0);
    assert!(call([0, 8192, 0xff, 0xff]) > 0, "further bits do not matter");
    for (registers, errno) in [
        ([0x1_0000, 4096, 7, 6], 22),
        ([0, 0, 7, 6], 22),
        ([0, 4097, 7, 6], 22),
        ([0, 0x8000_0000, 7, 6], 22),
        ([0, 4096, 3, 6], 22),
        ([0, 4096, 7, 2], 22),
        ([0, 0x1000_0000, 7, 6], 12),
        ([0, 0x0800_0000, 7, 6], 12),
    ] {
        assert_eq!(call(registers), -errno, "{registers:x?}");
    }
}

/// A contract that uses stack, heap, calls and its own data; not that it matters once its memory is overwritten.
fn busy() -> Vec<u8> {
    let asm = Asm::default().op(Op::Gsr, 1, 0, 7).ldi(R0, 0x4000).swi(moxie::SBRK).op(Op::Mov, 8, R0, 0).to(Op::Jmpa, "loop");
    let asm =
        asm.label("f").op(Op::Push, 1, R0, 0).op(Op::LdoL, R1, 8, 64).op(Op::Inc, R1, 0, 1).op(Op::StoL, 8, R1, 64).op(Op::Ret, 0, 0, 0);
    let asm = asm.label("loop").to(Op::Jsra, "f").op(Op::LdaL, R2, 0, DATA).op(Op::Add, R0, R2, 0);
    let asm = asm.write(1, DATA, 3).ldi(R1, 100).op(Op::LdoL, R0, 8, 64).op(Op::Cmp, R0, R1, 0).to(Op::Bltu, "loop");
    let text = asm.exit(0).bytes();
    // Code in writable memory, so that it is hit too.
    elf(TEXT, &[(TEXT, &text, 0x1000, 7), (DATA, b"abcd", 0x1000, 6)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_overwritten_in_mid_run_harms_the_guest_only(
        writes in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 1u64..400), 1..12),
        jit in any::<bool>(),
    ) {
        let tier = if jit { Tier::Jit } else { Tier::Interpreter };
        let mut cell = cell(tier, limits().fuel(500));
        let mut outcome = cell.execute(&Task::program("busy", busy())).unwrap();
        for (at, value, fuel) in writes {
            if outcome.stop != Stop::OutOfFuel {
                break;
            }
            let machine = cell.engine().machine_mut().unwrap();
            let regions: Vec<(u32, u32)> = machine.space.regions().iter().map(|region| (region.start, region.length)).collect();
            let (start, length) = regions[at.index(regions.len())];
            let address = start + at.index(length.max(8) as usize - 7) as u32;
            let _ = machine.space.write(address, &value.to_le_bytes());
            cell.refuel(fuel);
            outcome = cell.run().unwrap();
        }
        prop_assert!(!matches!(&outcome.stop, Stop::Trapped(trap) if trap.kind == TrapKind::Internal), "{:?}", outcome.stop);
    }

    #[test]
    fn a_changed_snapshot_is_refused_or_runs_within_its_limits(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut cell = cell(Tier::Interpreter, limits().fuel(700));
        let stopped = cell.execute(&Task::program("busy", busy())).unwrap();
        prop_assert_eq!(stopped.stop, Stop::OutOfFuel);
        // The engine's own part: the frame with its checksum would notice every change.
        let mut bytes = Vec::new();
        cell.engine().snapshot().unwrap().save(&mut bytes).unwrap();
        for (index, value) in changes {
            // Most of it is memory: aim at the head as often.
            let range = if value % 2 == 0 { bytes.len() } else { bytes.len().min(1500) };
            let at = index.index(range);
            bytes[at] = value;
        }
        if let Ok(snapshot) = MoxieSnapshot::load(&mut bytes.as_slice())
            && let Ok(mut engine) = snapshot.spawn()
        {
            let mut meter = Meter::new(Some(20_000));
            let event = engine.run(&mut meter);
            prop_assert!(meter.used() <= 20_000);
            if let cell::Event::Stop(stop) = &event {
                prop_assert!(!matches!(stop, Stop::Trapped(trap) if trap.kind == TrapKind::Internal), "{:?}", stop);
                let _ = engine.collect(stop);
            }
        }
    }
}
