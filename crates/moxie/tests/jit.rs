//! Compiled code against the machine by the book: same registers, memory, fuel and ends, wherever a slice stops.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]

#[path = "../examples/lockstep/compare.rs"]
mod compare;
#[path = "../examples/lockstep/generator.rs"]
mod generator;

use memory::{Granularity, Permission};
use moxie::Cpu;
use moxie::isa::{Instruction, Op};
use moxie::jit::{CODE_BUDGET, Compiler};
use proptest::prelude::*;

use generator::{Bytes, Case, Random};

const CODE: u32 = 0x1000;
const DATA: u32 = 0x8000;

/// Operands at the edges of things.
const VALUES: [u32; 12] = [0, 1, 2, 7, 31, 32, 0x7f, 0x80, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// Registers with and without a host register, the one that division needs among them.
const PAIRS: [(u8, u8); 9] = [(2, 3), (3, 2), (2, 12), (12, 2), (12, 13), (9, 4), (4, 9), (5, 5), (13, 13)];

fn compiler() -> Compiler {
    Compiler::new(CODE_BUDGET).expect("this host allows compiled code")
}

fn bytes(code: &[(Op, u8, u8, u32)]) -> Vec<u8> {
    code.iter().flat_map(|(op, a, b, imm)| Instruction { op: *op, a: *a, b: *b, imm: *imm }.encode()).collect()
}

/// A machine with this code, registers that differ from each other, a stack, and a slice that covers all of it.
fn case(code: &[(Op, u8, u8, u32)]) -> Case {
    let mut cpu = Cpu { pc: CODE, ..Cpu::default() };
    for register in 0..16 {
        cpu.registers[register as usize] = 0x0101_0101u32.wrapping_mul(register + 3);
    }
    cpu.registers[0] = DATA + 0x800;
    cpu.registers[1] = DATA + 0x700;
    cpu.compare(1, 2);
    let mut code = bytes(code);
    code.extend(bytes(&[(Op::Swi, 0, 0, 1)]));
    let data = (0..0x1000u32).map(|at| (at * 7 + 129) as u8).collect();
    Case {
        granularity: Granularity::Page,
        regions: vec![(CODE, 0x1000, Permission::ReadOnly), (DATA, 0x1000, Permission::ReadWrite)],
        contents: vec![(CODE, code), (DATA, data)],
        cpu,
        slices: vec![1000],
    }
}

fn agrees(compiler: &mut Compiler, case: &Case, what: impl FnOnce() -> String) -> compare::Ran {
    compare::run(case, compiler, 10_000).unwrap_or_else(|difference| panic!("{}: {difference}", what()))
}

#[test]
fn every_arithmetic_instruction_with_registers_and_constants() {
    use Op::*;
    let mut compiler = compiler();
    for op in [Mov, Add, Sub, And, Or, Xor, Neg, Not, Ashl, Lshr, Ashr, Mul, MulX, UmulX, SexB, SexS, ZexB, ZexS, Div, Udiv, Mod, Umod] {
        for (a, b) in PAIRS {
            for x in VALUES {
                for y in VALUES {
                    let what = || format!("{op:?} {a}, {b} of {x:#x} and {y:#x}");
                    // Operands that the compiler knows, of which it knows one, of which it knows none.
                    let known = case(&[(LdiL, a, 0, x), (LdiL, b, 0, y), (op, a, b, 0), (Cmp, a, b, 0)]);
                    agrees(&mut compiler, &known, what);
                    let mut half = case(&[(LdiL, b, 0, y), (op, a, b, 0), (Mov, 6, a, 0), (op, 6, b, 0)]);
                    half.cpu.registers[usize::from(a)] = x;
                    agrees(&mut compiler, &half, what);
                    let mut unknown = case(&[(Mov, 7, a, 0), (op, a, b, 0), (op, 7, a, 0), (Inc, a, 0, 3), (op, a, b, 0)]);
                    unknown.cpu.registers[usize::from(a)] = x;
                    unknown.cpu.registers[usize::from(b)] = y;
                    let ran = agrees(&mut compiler, &unknown, what);
                    let divides = matches!(op, Div | Udiv | Mod | Umod);
                    assert!(divides || ran.compiled == 5, "{op:?}: {} of 5 instructions were compiled", ran.compiled);
                }
            }
        }
    }
}

#[test]
fn rotations_and_what_only_looks_like_one() {
    use Op::*;
    let mut compiler = compiler();
    for (left, right) in [(5, 27), (27, 5), (5, 26), (5, 28), (16, 16), (31, 1), (31, 2), (0, 32), (1, 30)] {
        for op in [Or, Xor, And, Add] {
            for (x, y) in [(3, 4), (13, 4), (4, 13)] {
                let code = [
                    (Mov, x, 2, 0),
                    (Mov, y, 2, 0),
                    (LdiL, 14, 0, right),
                    (Lshr, x, 14, 0),
                    (LdiL, 14, 0, left),
                    (Ashl, y, 14, 0),
                    (op, x, y, 0),
                ];
                agrees(&mut compiler, &case(&code), || format!("{op:?} of shifts by {left} and {right} in {x}, {y}"));
            }
        }
    }
}

#[test]
fn every_branch_on_every_relation() {
    use Op::*;
    let mut compiler = compiler();
    for op in [Beq, Bne, Blt, Bgt, Bltu, Bgtu, Bge, Ble, Bgeu, Bleu] {
        for x in VALUES {
            for y in VALUES {
                // Compared here, compared with a constant, and compared before a call.
                let mut plain = case(&[(Cmp, 2, 12, 0), (op, 0, 0, 2), (Inc, 3, 0, 1), (op, 0, 0, 2), (Inc, 4, 0, 1)]);
                (plain.cpu.registers[2], plain.cpu.registers[12]) = (x, y);
                agrees(&mut compiler, &plain, || format!("{op:?} of {x:#x} and {y:#x}"));
                let mut constant = case(&[(LdiL, 5, 0, y), (Cmp, 5, 2, 0), (LdiL, 5, 0, 9), (Inc, 2, 0, 1), (op, 0, 0, 2), (Inc, 3, 0, 1)]);
                constant.cpu.registers[2] = x;
                agrees(&mut compiler, &constant, || format!("{op:?} of constant {y:#x} and {x:#x}"));
                let function = CODE + 2 + 6 + 2 + 2 + 6;
                let mut across =
                    case(&[(Cmp, 2, 3, 0), (Jsra, 0, 0, function), (op, 0, 0, 2), (Inc, 4, 0, 1), (Swi, 0, 0, 1), (Ret, 0, 0, 0)]);
                (across.cpu.registers[2], across.cpu.registers[3]) = (x, y);
                agrees(&mut compiler, &across, || format!("{op:?} of {x:#x} and {y:#x} across a call"));
            }
        }
    }
}

#[test]
fn every_access_of_every_width_at_every_edge() {
    use Op::*;
    let mut compiler = compiler();
    for at in [DATA, DATA + 1, DATA + 0x7fe, DATA + 0xffd, DATA + 0xffe, DATA + 0xfff, DATA + 0x1000, CODE, DATA - 1, 0, 0xffff_fffe] {
        for (op, offset) in [(LdL, 0), (LdS, 0), (LdB, 0), (LdoL, 4), (LdoS, 0xffff_fffc), (LdoB, 0x7fff), (LdoL, 0xffff_8000)] {
            for (a, b) in PAIRS {
                let mut case = case(&[(LdiL, 8, 0, 5), (op, a, b, offset), (Inc, a, 0, 1)]);
                case.cpu.registers[usize::from(b)] = at.wrapping_sub(offset);
                agrees(&mut compiler, &case, || format!("{op:?} {a}, {offset:#x}({b}) at {at:#x}"));
            }
        }
        for (op, offset) in [(StL, 0), (StS, 0), (StB, 0), (StoL, 4), (StoS, 0xffff_fffc), (StoB, 0x7fff), (Push, 4), (Pop, 0)] {
            for (a, b) in PAIRS {
                let imm = if matches!(op, Push | Pop) { 0 } else { offset };
                let mut case = case(&[(Mov, 8, b, 0), (op, a, b, imm), (LdiL, b, 0, 77), (op, a, b, imm)]);
                case.cpu.registers[usize::from(a)] = at.wrapping_sub(if op == Push { 0u32.wrapping_sub(4) } else { offset });
                agrees(&mut compiler, &case, || format!("{op:?} {offset:#x}({a}), {b} at {at:#x}"));
            }
        }
        for op in [LdaL, LdaS, LdaB, StaL, StaS, StaB] {
            let case = case(&[(op, 4, 0, at), (op, 13, 0, at)]);
            agrees(&mut compiler, &case, || format!("{op:?} {at:#x}"));
        }
        let mut frames = case(&[(Jsra, 0, 0, CODE + 6), (Ret, 0, 0, 0)]);
        frames.cpu.registers[1] = at;
        agrees(&mut compiler, &frames, || format!("call with the stack at {at:#x}"));
    }
}

#[test]
fn random_machines_agree() {
    let mut compiler = compiler();
    let mut total = compare::Ran::default();
    for seed in 1..600 {
        let case = generator::case(&mut Random::new(seed));
        let ran = agrees(&mut compiler, &case, || format!("seed {seed}"));
        total.instructions += ran.instructions;
        total.compiled += ran.compiled;
    }
    assert!(total.compiled > total.instructions / 4, "the cases are meant to reach compiled code: {total:?}");
}

#[test]
fn code_memory_that_is_too_small_evicts_and_nothing_else() {
    let mut small = Compiler::new(0).expect("this host allows compiled code");
    // Two hundred functions of sixty stores, called in turn twenty times over: more host code than there is room for.
    const OTHER: u32 = 0x4_0000;
    let program = |functions_at: u32| {
        let mut code = vec![(Op::Cmp, 2, 3, 0), (Op::LdiL, 8, 0, 20)];
        code.extend((0..200).map(|index| (Op::Jsra, 0, 0, functions_at + index * (60 * 6 + 2))));
        code.extend([(Op::Dec, 8, 0, 1), (Op::LdiL, 9, 0, 0), (Op::Cmp, 8, 9, 0), (Op::Beq, 0, 0, 6), (Op::Jmpa, 0, 0, CODE + 8)]);
        code.push((Op::Swi, 0, 0, 1));
        code
    };
    let mut code = program(0);
    code = program(CODE + bytes(&code).len() as u32);
    for index in 0..200 {
        code.extend((0..60).map(|at| (Op::StaL, 2 + (at % 4) as u8, 0, OTHER + 4 * at + index)));
        code.push((Op::Ret, 0, 0, 0));
    }
    let mut case = case(&code);
    case.regions = vec![(CODE, 0x2_0000, Permission::ReadOnly), (OTHER, 0x1000, Permission::ReadWrite)];
    case.contents.truncate(1);
    case.cpu.registers[0] = OTHER + 0xf00;
    case.cpu.registers[1] = OTHER + 0xf00;
    let ran = compare::run(&case, &mut small, 300_000).unwrap();
    assert_eq!((ran.swi, ran.traps), (1, 0), "{ran:?}");
    assert!(ran.instructions > 200_000 && ran.compiled > ran.instructions / 2, "{ran:?}");
    assert!(small.compiled() > 3 * bytes(&code).len() as u64, "code is compiled again after it was evicted");
    assert!(small.code_size() <= 64 << 10, "{} bytes of code stand", small.code_size());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn machines_made_of_any_bytes_agree(bytes in proptest::collection::vec(any::<u8>(), 64..4096)) {
        let case = generator::case(&mut Bytes(&bytes));
        let mut compiler = compiler();
        let result = compare::run(&case, &mut compiler, 5_000);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}
