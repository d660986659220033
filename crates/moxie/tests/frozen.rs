//! A machine that has something in every corner of its state is frozen before each of its instructions, and nothing of it is lost.

mod common;

use cell::{Bound, Cell, CellSnapshot, Limits, Outcome, Stop, Task};
use common::{Asm, DATA, R0, R1, R2, R3, SP};
use moxie::isa::Op;
use moxie::{Layout, Moxie, Options, Tier};

/// Where the contract keeps what it will give out: 64 bytes of output, then its hatch call, then the answers' room.
const OUTPUT: u32 = DATA + 0x100;
const CALL: u32 = DATA + 0x200;
const ANSWER: u32 = DATA + 0x300;

/// Callee-saved registers, for what must last.
const HEAP: u8 = 8;
const MAPPED: u8 = 9;

/// Uses, and looks at again later: registers, a branch before any compare and one long after it, special registers, heap, mapped memory, console,
/// a held answer of the hatch, output and state announced in two steps, the stack.
fn every_corner() -> Vec<u8> {
    let fields = [DATA, 3, DATA + 3, 4, ANSWER, 2];
    let asm = Asm::default().to(Op::Bne, "wrong").op(Op::Gsr, SP, 0, 7);
    let asm = asm.ldi(R0, 0x1800).swi(moxie::SBRK).op(Op::Mov, HEAP, R0, 0).ldi(R1, 77).op(Op::StoL, HEAP, R1, 0x1000);
    let asm = asm.ldi(R0, 0).ldi(R1, 4096).ldi(R2, 7).ldi(R3, 6).swi(moxie::MMAP).op(Op::Mov, MAPPED, R0, 0).op(Op::StoL, MAPPED, R2, 8);
    let asm = asm.ldi(R1, 0xabcd).op(Op::Ssr, R1, 0, 200).ldi(R0, OUTPUT).op(Op::Ssr, R0, 0, 6).op(Op::Ssr, HEAP, 0, 8);
    let asm = (0u32..).zip(fields).fold(asm, |asm, (index, field)| asm.ldi(R1, field).op(Op::StaL, R1, 0, CALL + 4 * index));
    // The answer does not fit, so the machine holds it.
    let asm = asm.ldi(R0, CALL).swi(moxie::HATCH_CALL).op(Op::StaL, R0, 0, OUTPUT);
    let asm = asm.ldi(R0, 5).ldi(R1, 5).op(Op::Cmp, R0, R1, 0).op(Op::Push, SP, HEAP, 0).write(1, DATA, 7).write(2, DATA, 3);
    let asm = asm.ldi(R0, OUTPUT + 32).ldi(R1, 32).swi(moxie::HATCH_RESULT).op(Op::StaL, R0, 0, OUTPUT + 4);
    // A second piece of each: they go behind the first ones.
    let asm = asm.ldi(R0, 0x2000).swi(moxie::SBRK).op(Op::StaL, R0, 0, OUTPUT + 8);
    let asm = asm.ldi(R0, 0).ldi(R1, 8192).ldi(R2, 7).ldi(R3, 6).swi(moxie::MMAP).op(Op::StaL, R0, 0, OUTPUT + 12);
    let asm = asm.op(Op::Gsr, R1, 0, 200).op(Op::StaL, R1, 0, OUTPUT + 16).ldi(R0, OUTPUT + 24).swi(moxie::FUEL_USED);
    let asm = asm.op(Op::Pop, SP, R1, 0).op(Op::StaL, R1, 0, OUTPUT + 20).to(Op::Beq, "equal").to(Op::Jmpa, "wrong").label("equal");
    let asm = asm.ldi(R0, 64).op(Op::Ssr, R0, 0, 7).ldi(R0, 0x1004).op(Op::Ssr, R0, 0, 9);
    // Most of the heap goes back before the end: the peak was higher.
    asm.ldi(R0, 0xffff_e000).swi(moxie::SBRK).exit(3).label("wrong").exit(99).program(b"askping")
}

fn offer(cell: &mut Cell<Moxie>) {
    cell.offer_function("ask", |call| Ok(format!("pong to {} bytes", call.value(0)?.as_bytes().map_or(0, <[u8]>::len)).into())).unwrap();
}

fn started(tier: Tier, layout: Layout, fuel: u64) -> Cell<Moxie> {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().memory(1 << 20).fuel(fuel) };
    let mut cell = Cell::new(Moxie::new(Options { layout, tier }), limits, None).unwrap();
    offer(&mut cell);
    cell.prepare(&Task::program("corners", every_corner()).input("data", &b"input"[..])).unwrap();
    cell
}

/// The outcome of a run that came in two parts: the first part's text comes first, and was part of what the machine held until it was taken.
fn joined(first: &Outcome, mut rest: Outcome) -> Outcome {
    rest.usage.memory_peak += (first.stdout.len() + first.stderr.len()) as u64;
    rest.stdout.splice(0..0, first.stdout.iter().copied());
    rest.stderr.splice(0..0, first.stderr.iter().copied());
    rest
}

#[test]
fn nothing_is_lost_wherever_a_run_is_frozen() {
    for (tier, layout) in [(Tier::Interpreter, Layout::Pages), (Tier::Jit, Layout::Classic)] {
        let whole = started(tier, layout, 1 << 20).run().unwrap();
        assert_eq!((&whole.stop, whole.output.len()), (&Stop::Finished(3), 64), "{whole:?}");
        assert_eq!(&whole.output[32..47], b"pong to 4 bytes");
        let state = whole.state.as_ref().expect("a state was announced");
        assert_eq!((state.len(), state[0x1000]), (0x1004, 77));
        let total = whole.usage.fuel.unwrap();
        let mut last = None;
        for fuel in 0..total {
            let mut first = started(tier, layout, fuel);
            let stopped = first.run().unwrap();
            assert_eq!(stopped.stop, Stop::OutOfFuel);
            // A call that costs more than its unit stands still until all of it can be paid.
            if last.replace(stopped.usage.instructions) == Some(stopped.usage.instructions) {
                continue;
            }
            let mut saved = Vec::new();
            first.snapshot().unwrap().save(&mut saved).unwrap();
            let mut second = CellSnapshot::<Moxie>::load(&mut saved.as_slice()).unwrap().spawn(None).unwrap();
            offer(&mut second);
            second.refuel(total - fuel);
            let joined = joined(&stopped, second.run().unwrap());
            let what = format!("frozen after {fuel} units, {tier:?}, {layout:?}");
            assert_eq!((&joined.stop, joined.usage, &joined.extra), (&whole.stop, whole.usage, &whole.extra), "{what}");
            assert!(joined == whole, "{what}: output, state or text differ");
        }
    }
}

#[test]
fn a_run_in_brief_pieces_is_the_same_run() {
    for tier in [Tier::Interpreter, Tier::Jit] {
        let whole = started(tier, Layout::Pages, 1 << 20).run().unwrap();
        for units in [1, 37, 400] {
            let mut cell = started(tier, Layout::Pages, 1 << 20);
            for piece in 0..2 {
                assert_eq!(cell.run_briefly(units).unwrap(), None, "piece {piece} of {units}");
            }
            let outcome = cell.run().unwrap();
            assert!(outcome == whole, "after two pieces of {units}: {:?}, not {:?}", outcome.usage, whole.usage);
        }
        // A limit that is reached within the piece is a stop, not a pause.
        let mut short = started(tier, Layout::Pages, 10);
        assert_eq!(short.run_briefly(1000).unwrap().map(|outcome| outcome.stop), Some(Stop::OutOfFuel));
        let mut all = started(tier, Layout::Pages, 1 << 20);
        assert!(all.run_briefly(1 << 19).unwrap().is_some_and(|outcome| outcome == whole));
    }
}
