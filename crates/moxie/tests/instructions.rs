//! What each instruction does, by a table written by hand, in every way of running; and random code does the same in all of them.

mod common;

use cell::{Bound, Cell, Limits, Outcome, Stop, Task, Value};
use common::{Asm, DATA, R0, R1, R2, R3, TEXT, elf};
use moxie::isa::{Op, Shape};
use moxie::{Layout, Machine, Moxie, Observer, Options, Tier};
use proptest::prelude::*;

const DATA_BYTES: [u8; 8] = [0x00, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87];

fn cell(tier: Tier, layout: Layout, fuel: u64) -> Cell<Moxie> {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().fuel(fuel) };
    Cell::new(Moxie::new(Options { layout, tier }), limits, None).unwrap()
}

/// Lets everything pass, and so makes the machine execute by the book.
struct ByTheBook;

impl Observer for ByTheBook {
    fn before(&mut self, _: &Machine, _: u64) -> bool {
        true
    }
}

fn registers(outcome: &Outcome) -> Vec<u32> {
    let Some(Value::List(list)) = outcome.extra.get("registers") else { panic!("registers are there") };
    list.iter().map(|register| register.as_i64().unwrap() as u32).collect()
}

fn ways() -> [(&'static str, Tier, bool); 3] {
    [("by the book", Tier::Interpreter, true), ("interpreted", Tier::Interpreter, false), ("compiled", Tier::Jit, false)]
}

fn run(tier: Tier, observed: bool, layout: Layout, fuel: u64, slice: u64, program: &[u8]) -> (Outcome, Cell<Moxie>) {
    let mut cell = cell(tier, layout, fuel);
    cell.set_slice(slice);
    if observed {
        cell.engine().set_observer(Some(Box::new(ByTheBook)));
    }
    let outcome = cell.execute(&Task::program("test", program)).unwrap();
    (outcome, cell)
}

#[test]
fn every_instruction_does_what_its_table_says() {
    let table = include_str!("cases/semantics.txt");
    let mut seen = std::collections::BTreeSet::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (before, after) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
        let words: Vec<&str> = before.split(' ').collect();
        let number = |word: &str| u32::from_str_radix(word, 16).unwrap_or_else(|_| panic!("{line}"));
        let op = *Op::ALL.iter().find(|op| op.mnemonic() == words[0]).unwrap_or_else(|| panic!("{line}"));
        let (a, b, imm) = (number(words[1]), number(words[2]), number(words[3]));
        seen.insert(op);
        for layout in [Layout::Pages, Layout::Classic] {
            for (way, tier, observed) in ways() {
                let program = Asm::default().ldi(R0, a).ldi(R1, b).op(op, R0, R1, imm).op(Op::Mov, R2, R0, 0).exit(0).program(&DATA_BYTES);
                let (outcome, _) = run(tier, observed, layout, 1000, 1000, &program);
                let found = match &outcome.stop {
                    Stop::Finished(_) => format!("{:x}", registers(&outcome)[usize::from(R2)]),
                    Stop::Trapped(trap) => {
                        let jumps = matches!(op, Op::Jmp | Op::Jmpa);
                        if !jumps {
                            let pc = outcome.extra["pc"].as_i64();
                            assert_eq!(pc, Some(i64::from(TEXT) + 12), "{line}, {way}: `pc` stays on the instruction");
                            assert_eq!(registers(&outcome)[usize::from(R0)], a, "{line}, {way}: nothing has changed");
                            assert_eq!(outcome.usage.fuel, Some(3), "{line}, {way}: a trap costs its unit");
                        }
                        trap.kind.name().to_owned()
                    }
                    other => other.name().to_owned(),
                };
                assert_eq!(found, after, "{line}, {way}, {layout:?}");
            }
        }
    }
    // What is not in the table is in the tests below.
    let elsewhere = [Op::Jsra, Op::Jsr, Op::Swi, Op::Gsr, Op::Ssr, Op::StS, Op::StoL, Op::StoB, Op::StaB, Op::StaS];
    let missing: Vec<_> =
        Op::ALL.iter().filter(|op| !seen.contains(op) && !elsewhere.contains(op) && op.shape() != Shape::Branch).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}

#[test]
fn every_store_stores_its_size() {
    for (way, tier, observed) in ways() {
        let asm = Asm::default().ldi(R0, DATA + 16).ldi(R1, 0xa1b2_c3d4);
        let asm = asm.op(Op::StL, R0, R1, 0).op(Op::StoL, R0, R1, 5).op(Op::StaL, R1, 0, DATA + 26);
        let asm = asm.op(Op::Inc, R0, 0, 16).op(Op::StS, R0, R1, 0).op(Op::StoS, R0, R1, 3).op(Op::StaS, R1, 0, DATA + 38);
        let asm = asm.op(Op::StoB, R0, R1, 0xffff_ffff).op(Op::StaB, R1, 0, DATA + 41).op(Op::Inc, R0, 0, 12).op(Op::StB, R0, R1, 0);
        let (outcome, mut cell) = run(tier, observed, Layout::Pages, 1000, 1000, &asm.exit(0).program(&[]));
        assert_eq!(outcome.stop, Stop::Finished(0), "{way}");
        let mut bytes = [0; 32];
        cell.engine().machine().unwrap().space.read(DATA + 16, &mut bytes).unwrap();
        let mut expected = [0; 32];
        for (at, value) in [(0, &[0xd4, 0xc3, 0xb2, 0xa1][..]), (5, &[0xd4, 0xc3, 0xb2, 0xa1]), (10, &[0xd4, 0xc3, 0xb2, 0xa1])] {
            expected[at..at + value.len()].copy_from_slice(value);
        }
        for (at, value) in [(15, &[0xd4][..]), (16, &[0xd4, 0xc3]), (19, &[0xd4, 0xc3]), (22, &[0xd4, 0xc3]), (25, &[0xd4]), (28, &[0xd4])]
        {
            expected[at..at + value.len()].copy_from_slice(value);
        }
        assert_eq!(bytes, expected, "{way}");
    }
}

#[test]
fn a_call_makes_a_frame_and_a_return_takes_it_down() {
    for (way, tier, observed) in ways() {
        for register in [false, true] {
            let call = |asm: Asm| if register { asm.op(Op::Jsr, R3, 0, 0) } else { asm.op(Op::Jsra, 0, 0, TEXT + 0x100) };
            let asm = Asm::default().op(Op::Gsr, 1, 0, 7).ldi(0, 0x55).ldi(R3, TEXT + 0x100);
            let before = asm.bytes().len() as u32;
            let asm = Asm::default().op(Op::Gsr, 1, 0, 7).ldi(0, 0x55).ldi(R3, TEXT + 0x100);
            let back = TEXT + before + if register { 2 } else { 6 };
            let mut text = call(asm).exit(0).bytes();
            text.resize(0x100, 0);
            // The callee looks at its frame and returns.
            let callee = Asm::default().op(Op::LdL, R1, 0, 0).op(Op::LdoL, R2, 0, 4).op(Op::Ret, 0, 0, 0);
            text.extend(callee.bytes());
            let program = elf(TEXT, &[(TEXT, &text, text.len() as u32, 5)]);
            let (outcome, _) = run(tier, observed, Layout::Pages, 1000, 1000, &program);
            let found = registers(&outcome);
            assert_eq!(outcome.stop, Stop::Finished(0), "{way}");
            assert_eq!((found[usize::from(R1)], found[usize::from(R2)], found[0]), (0x55, back, 0x55), "{way}, register {register}");
        }
    }
}

/// For each condition: whether it holds for less, equal, greater as signed numbers, and as unsigned ones.
#[test]
fn branches_go_by_the_last_compare_and_by_none_before_it() {
    let pairs = [(5, 5), (1, 2), (2, 1), (0xffff_ffff, 1), (1, 0xffff_ffff), (0x8000_0000, 0x7fff_ffff)];
    let table: [(Op, [bool; 6]); 10] = [
        (Op::Beq, [true, false, false, false, false, false]),
        (Op::Bne, [false, true, true, true, true, true]),
        (Op::Blt, [false, true, false, true, false, true]),
        (Op::Bgt, [false, false, true, false, true, false]),
        (Op::Bltu, [false, true, false, false, true, false]),
        (Op::Bgtu, [false, false, true, true, false, true]),
        (Op::Bge, [true, false, true, false, true, false]),
        (Op::Ble, [true, true, false, true, false, true]),
        (Op::Bgeu, [true, false, true, true, false, true]),
        (Op::Bleu, [true, true, false, false, true, false]),
    ];
    for (op, expected) in table {
        for (way, tier, observed) in ways() {
            let code = |asm: Asm| asm.to(op, "taken").exit(1).label("taken").exit(2).program(&[]);
            for ((a, b), taken) in pairs.into_iter().zip(expected) {
                // Fused with the compare, and far from it.
                for far in [false, true] {
                    let asm = Asm::default().ldi(R0, a).ldi(R1, b).op(Op::Cmp, R0, R1, 0);
                    let asm = if far { asm.to(Op::Jmpa, "far").label("far").ldi(R0, 0).ldi(R1, 0) } else { asm };
                    let (outcome, _) = run(tier, observed, Layout::Pages, 1000, 1000, &code(asm));
                    assert_eq!(outcome.stop, Stop::Finished(1 + i32::from(taken)), "{op:?} of {a:#x} and {b:#x}, {way}, far {far}");
                }
            }
            let (outcome, _) = run(tier, observed, Layout::Pages, 1000, 1000, &code(Asm::default()));
            assert_eq!(outcome.stop, Stop::Finished(1), "{op:?} before any compare, {way}");
        }
    }
}

#[test]
fn special_registers_keep_what_they_are_given_and_buffers_are_checked() {
    for (way, tier, observed) in ways() {
        let asm = Asm::default().ldi(R0, 0xabcd).op(Op::Ssr, R0, 0, 200).op(Op::Gsr, R2, 0, 200).swi(12345).op(Op::Gsr, R3, 0, 3).exit(0);
        let (outcome, _) = run(tier, observed, Layout::Pages, 1000, 1000, &asm.program(&[]));
        let found = registers(&outcome);
        assert_eq!((found[usize::from(R2)], found[usize::from(R3)]), (0xabcd, 12345), "{way}");
        for (address, length, good) in
            [(DATA, 0, true), (DATA, 0x1000, true), (DATA, 0x1001, false), (DATA, u32::MAX, false), (DATA + 0xfff, 1, true), (0, 1, false)]
        {
            let asm = Asm::default().ldi(R0, address).op(Op::Ssr, R0, 0, 6).ldi(R0, length).op(Op::Ssr, R0, 0, 7).exit(0);
            let (outcome, _) = run(tier, observed, Layout::Pages, 1000, 1000, &asm.program(&[7; 0x1000]));
            assert_eq!(outcome.stop == Stop::Finished(0), good, "{length} bytes at {address:#x}, {way}: {:?}", outcome.stop);
            assert_eq!(outcome.output, vec![7; if good { length as usize } else { 0 }], "{way}");
        }
    }
}

fn operation() -> impl Strategy<Value = (Op, u8, u8, u32)> {
    let immediate = prop_oneof![
        Just(0u32),
        Just(DATA),
        any::<u32>(),
        (0u32..0x40).prop_map(|at| TEXT + 2 * at),
        (0u32..0x1000).prop_map(|at| DATA + at),
        0u32..64,
        (0u32..32).prop_map(|at| at.wrapping_sub(16) & !1),
    ];
    (0..Op::ALL.len(), 0u8..16, 0u8..16, immediate).prop_map(|(op, a, b, imm)| {
        let op = Op::ALL[op];
        let imm = match op.shape() {
            Shape::Branch => (imm & 0x3e).wrapping_sub(0x20),
            Shape::LoadOffset | Shape::StoreOffset => i32::from(imm as i16).cast_unsigned(),
            Shape::RegByte => imm & 0xff,
            _ => imm,
        };
        (op, a, b, imm)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    /// Code lies in writable memory, so that random stores change it too.
    #[test]
    fn random_code_does_the_same_in_every_way(
        code in prop::collection::vec(operation(), 1..60),
        start in prop::collection::vec(prop_oneof![any::<u32>(), (0u32..0x1100).prop_map(|at| DATA + at), (0u32..0x80).prop_map(|at| TEXT + at)], 16),
        fuel in 1u64..3000,
        slice in prop_oneof![Just(1u64), Just(7), Just(1000)],
        classic in any::<bool>(),
    ) {
        let setup = (0u8..).zip(&start).fold(Asm::default(), |asm, (register, value)| asm.ldi(register, *value));
        let asm = code.into_iter().fold(setup, |asm, (op, a, b, imm)| asm.op(op, a, b, imm));
        let text = asm.bytes();
        let program = elf(TEXT, &[(TEXT, &text, 0x900, 7), (DATA, &DATA_BYTES, 0x1000, 6)]);
        let layout = if classic { Layout::Classic } else { Layout::Pages };
        let mut first: Option<(Outcome, Vec<u8>)> = None;
        for (way, tier, observed) in ways() {
            let (outcome, mut cell) = run(tier, observed, layout, fuel, if observed { 50_000 } else { slice }, &program);
            let space = &cell.engine().machine().unwrap().space;
            let mut memory = vec![0; 0x1900];
            space.read(TEXT, &mut memory[..0x900]).unwrap();
            space.read(DATA, &mut memory[0x900..]).unwrap();
            match &first {
                None => first = Some((outcome, memory)),
                Some((expected, bytes)) => {
                    prop_assert_eq!(&outcome, expected, "{}", way);
                    prop_assert!(memory == *bytes, "memory differs, {}", way);
                }
            }
        }
    }
}
