//! What the environment promises in `guest/moxie/ABI.md`: the memory map, what calls cost, what they leave alone.

mod common;

use cell::{Bound, Cell, GuestError, Limits, Outcome, Stop, Task};
use common::{Asm, DATA, R0, R1, R2, R3, TEXT, elf};
use moxie::isa::Op;
use moxie::{Layout, Moxie, Options, Tier};

fn limits() -> Limits {
    Limits { wall: Bound::Unlimited, ..Limits::default().fuel(1 << 30) }
}

fn cell(layout: Layout, limits: Limits) -> Cell<Moxie> {
    Cell::new(Moxie::new(Options { layout, tier: Tier::Auto }), limits, None).unwrap()
}

fn run(limits: Limits, asm: Asm) -> Outcome {
    let mut cell = cell(Layout::Pages, limits);
    cell.offer_function("long", |_| Ok(vec![b'x'; 100].into())).unwrap();
    cell.offer_function("fail", |_| Err(GuestError::new("Refused", "no"))).unwrap();
    cell.execute(&Task::program("test", asm.program(b"longfail"))).unwrap()
}

/// Ends with a word of memory as the output.
fn give(asm: Asm, address: u32, length: u32) -> Asm {
    asm.ldi(R0, address).op(Op::Ssr, R0, 0, 6).ldi(R0, length).op(Op::Ssr, R0, 0, 7).exit(0)
}

/// Of a map: address, length and tags of each entry but the last.
fn map_of(layout: Layout, task: &Task) -> Vec<(u32, u32, String)> {
    let mut cell = cell(layout, limits());
    cell.prepare(task).unwrap();
    let machine = cell.engine_ref().machine().unwrap();
    let map = machine.cpu.special[6];
    let entries: Vec<_> = (0..)
        .map(|index| {
            let mut bytes = [0; 32];
            machine.space.read(map + 32 * index, &mut bytes).unwrap();
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            (word(0), word(4), String::from_utf8(bytes[8..].iter().copied().take_while(|byte| *byte != 0).collect()).unwrap())
        })
        .take_while(|(address, _, _)| *address != 0)
        .collect();
    let (stack, length, _) = entries.last().unwrap();
    assert_eq!(machine.cpu.special[7], stack + length, "special register 7 is the stack's top");
    assert_eq!(machine.space.load_u32(map + 32 * (entries.len() as u32 + 1)), Some(0), "a second entry of zeros follows");
    entries
}

#[test]
fn the_memory_map_lists_everything_in_its_order() {
    let program = elf(TEXT, &[(TEXT, &Asm::default().exit(0).bytes(), 0x101, 5), (DATA, b"data", 0x1003, 6)]);
    let task = Task::program("p", program).input("", vec![1; 5]).input("order", vec![2; 0x1001]).input("none", vec![]).state(vec![3; 7]);
    let (data, gap) = (DATA + 0x1003, 0x1000);
    // To the byte as in the old simulator: each region starts 4096 bytes after the end of the last one.
    let mut at = data;
    let mut classic = vec![(TEXT, 0x101, "ro,elf0,".to_owned()), (DATA, 0x1003, "rw,elf1,".to_owned())];
    for (length, tags) in [(5, "ro,data0,"), (0x1001, "ro,order,"), (0, "ro,none,"), (7, "ro,state,"), (0x1_0000, "rw,stack,")] {
        classic.push((at + gap, length, tags.to_owned()));
        at += gap + length;
    }
    assert_eq!(map_of(Layout::Classic, &task), classic);
    let pages = map_of(Layout::Pages, &task);
    let without_addresses = |map: &[(u32, u32, String)]| map.iter().map(|(_, length, tags)| (*length, tags.clone())).collect::<Vec<_>>();
    assert_eq!(without_addresses(&pages), without_addresses(&classic));
    assert!(pages[2..].iter().all(|(address, _, _)| address % 0x1000 == 0), "{pages:x?}");
    assert!(pages.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0), "{pages:x?}");
}

#[test]
fn inputs_and_state_cannot_be_written() {
    for name in ["order", "state"] {
        for (layout, tier) in [(Layout::Pages, Tier::Interpreter), (Layout::Pages, Tier::Jit), (Layout::Classic, Tier::Interpreter)] {
            let task = |asm: Asm| Task::program("p", asm.program(b"")).input("order", vec![2; 9]).state(vec![3; 9]);
            let tag = format!("ro,{name},");
            let map = map_of(layout, &task(Asm::default().exit(0)));
            let (address, _, _) = map.iter().find(|(_, _, tags)| *tags == tag).unwrap();
            let mut cell = Cell::new(Moxie::new(Options { layout, tier }), limits(), None).unwrap();
            let outcome = cell.execute(&task(Asm::default().op(Op::StaL, R0, 0, *address).exit(0))).unwrap();
            assert!(matches!(&outcome.stop, Stop::Trapped(trap) if trap.kind == cell::TrapKind::ReadOnly), "{name}: {:?}", outcome.stop);
        }
    }
}

/// The structure of a hatch call: name, argument, result.
fn hatch(name: (u32, u32), argument: u32, capacity: u32) -> Asm {
    let fields = [name.0, name.1, DATA, argument, DATA + 0x400, capacity];
    let call = DATA + 0x200;
    let asm = (0u32..).zip(fields).fold(Asm::default(), |asm, (index, field)| asm.ldi(R1, field).op(Op::StaL, R1, 0, call + 4 * index));
    asm.ldi(R0, call).swi(moxie::HATCH_CALL)
}

#[test]
fn every_call_costs_what_the_abi_says() {
    let (long, fail, nobody) = ((DATA, 4), (DATA + 4, 4), (DATA + 1, 4));
    let call =
        |number: u32, registers: [u32; 4]| (2u8..).zip(registers).fold(Asm::default(), |asm, (to, value)| asm.ldi(to, value)).swi(number);
    let two = |first: Asm, number: u32, registers: [u32; 4]| {
        (2u8..).zip(registers).fold(first, |asm, (to, value)| asm.ldi(to, value)).swi(number)
    };
    // The code before it, its price beyond one unit for each instruction, what it answers.
    let cases: Vec<(&str, Asm, u64, i32)> = vec![
        ("an unknown call", call(77, [5, 0, 0, 0]), 0, 5),
        ("mmap of four pages", call(moxie::MMAP, [0, 0x4000, 7, 6]), 0, -1),
        ("console, nothing", call(moxie::CONSOLE_WRITE, [1, DATA, 0, 0]), 0, 0),
        ("console, 16 bytes", call(moxie::CONSOLE_WRITE, [1, DATA, 16, 0]), 1, 16),
        ("console, 17 bytes", call(moxie::CONSOLE_WRITE, [2, DATA, 17, 0]), 2, 17),
        ("sbrk of nothing", call(moxie::SBRK, [0; 4]), 0, -1),
        ("sbrk of 4097 bytes", call(moxie::SBRK, [4097, 0, 0, 0]), 257, -1),
        ("giving back is free", two(call(moxie::SBRK, [4096, 0, 0, 0]), moxie::SBRK, [4096u32.wrapping_neg(), 0, 0, 0]), 256, -1),
        ("fuel_used", call(moxie::FUEL_USED, [DATA + 64, 0, 0, 0]), 0, 0),
        ("hatch_call, name 4, argument 30, room 0x101", hatch(long, 30, 0x101), 19, 0),
        ("hatch_call, the host's error", hatch(fail, 0, 16), 2, -5),
        ("hatch_call, nobody there", hatch(nobody, 0, 16), 2, -38),
        ("hatch_call, too little room", hatch(long, 0, 99), 7, -75),
        ("hatch_result, all of it", two(hatch(long, 0, 0), moxie::HATCH_RESULT, [DATA + 0x400, 500, 0, 0]), 1 + 7, 100),
        ("hatch_result, a part", two(hatch(long, 0, 0), moxie::HATCH_RESULT, [DATA + 0x400, 16, 0, 0]), 1 + 1, 16),
        ("hatch_result, nothing of it", two(hatch(long, 0, 0), moxie::HATCH_RESULT, [0, 0, 0, 0]), 1, 0),
    ];
    for (what, asm, price, answer) in cases {
        let outcome = run(limits(), give(asm.op(Op::StaL, R0, 0, DATA + 0x800), DATA + 0x800, 4));
        assert_eq!(outcome.stop, Stop::Finished(0), "{what}");
        let (fuel, instructions) = (outcome.usage.fuel.unwrap(), outcome.usage.instructions.unwrap());
        assert_eq!(fuel - instructions, price, "{what}: the price beyond the instructions' own");
        let found = i32::from_le_bytes(outcome.output.try_into().unwrap());
        assert!(if answer == -1 { found > 0 } else { found == answer }, "{what} answers {found}, not {answer}");
    }
}

#[test]
fn fuel_used_counts_its_own_unit() {
    let asm = Asm::default().ldi(R1, 7).ldi(R0, DATA + 64).swi(moxie::FUEL_USED);
    assert_eq!(run(limits(), give(asm, DATA + 64, 8)).output, 3u64.to_le_bytes());
}

#[test]
fn an_answer_that_is_too_large_leaves_the_buffer_alone() {
    for (capacity, first) in [(99, 0u8), (100, b'x')] {
        let outcome = run(limits(), give(hatch((DATA, 4), 0, capacity), DATA + 0x400, 1));
        assert_eq!(outcome.output, [first], "room for {capacity} of 100 bytes");
        let length = run(limits(), give(hatch((DATA, 4), 0, capacity), DATA + 0x200 + 24, 4));
        assert_eq!(length.output, 100u32.to_le_bytes(), "its length is told in any case");
    }
}

#[test]
fn memory_given_back_reads_as_zeros_when_it_is_taken_again() {
    // A page and a half; back to within the first page; the same again. And the whole of it.
    for (back, look) in [(0x1000u32, 0x900), (0x1000, 0x1700), (0x1800, 0), (0x1800, 0x1700)] {
        let asm = Asm::default().ldi(R0, 0x1800).swi(moxie::SBRK).op(Op::Mov, 8, R0, 0).ldi(R1, look).op(Op::Add, R1, 8, 0);
        let asm = asm.ldi(R2, u32::MAX).op(Op::StL, R1, R2, 0).ldi(R0, back.wrapping_neg()).swi(moxie::SBRK).ldi(R0, back).swi(moxie::SBRK);
        let outcome = run(limits(), give(asm.op(Op::LdL, R3, R1, 0).op(Op::StaL, R3, 0, DATA + 0x800), DATA + 0x800, 4));
        assert_eq!((&outcome.stop, outcome.output.as_slice()), (&Stop::Finished(0), &[0; 4][..]), "{look:#x} after giving {back:#x} back");
    }
}

#[test]
fn mmap_hands_out_65535_pages_in_all() {
    let map = |asm: Asm, length: u32| asm.ldi(R0, 0).ldi(R1, length).ldi(R2, 7).ldi(R3, 6).swi(moxie::MMAP);
    let unlimited = Limits { memory: Bound::Unlimited, ..limits() };
    for (second, good) in [(0x07ff_f000, true), (0x0800_0000, false)] {
        let asm = map(map(Asm::default(), 0x0800_0000), second).op(Op::StaL, R0, 0, DATA);
        let outcome = run(unlimited, give(asm, DATA, 4));
        let answer = i32::from_le_bytes(outcome.output.try_into().unwrap());
        assert!(if good { answer > 0 } else { answer == -12 }, "{second:#x} more: {answer}");
    }
}

#[test]
fn text_and_answers_that_wait_count_against_the_memory_cap() {
    // Pages of program, stack and map leave some 40 KiB of this cap.
    let cap = 128 << 10;
    let small = Limits { output: Bound::Unlimited, ..limits().memory(cap) };
    let flood = Asm::default().label("more").write(1, DATA, 0x1000).to(Op::Jmpa, "more");
    let outcome = run(small, flood);
    assert_eq!(outcome.stop, Stop::OutOfMemory);
    assert!(
        outcome.stdout.len() > 8 << 10 && outcome.usage.memory_peak <= cap,
        "{} bytes of text, {:?}",
        outcome.stdout.len(),
        outcome.usage
    );
    // The same memory cannot be taken twice: what text holds is not there for the heap.
    let asm = Asm::default().write(1, DATA, 0x1000).write(1, DATA, 0x1000).ldi(R0, 0x4000).swi(moxie::SBRK);
    let text = run(small, give(asm.op(Op::StaL, R0, 0, DATA), DATA, 4));
    assert!(text.usage.memory_peak <= cap);
    let mut cell = cell(Layout::Pages, small);
    cell.offer_function("long", |_| Ok(vec![0; 100 << 10].into())).unwrap();
    let held = cell.execute(&Task::program("test", give(hatch((DATA, 4), 0, 0), DATA, 4).program(b"long"))).unwrap();
    assert_eq!(held.stop, Stop::OutOfMemory, "an answer that does not fit under the cap");
}
