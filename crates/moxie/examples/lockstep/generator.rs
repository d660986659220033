//! Random machines: regions, registers, and code that looks like code often enough to get somewhere.
#![allow(dead_code, reason = "shared by the example, the tests and the fuzz target, none of which needs all of it")]

use memory::{Granularity, Permission, Space};
use moxie::isa::{Instruction, Op};
use moxie::{Cpu, Machine};

/// Where random numbers come from: a generator, or the bytes of a fuzzer.
pub(crate) trait Source {
    /// The next 32 bits.
    fn next(&mut self) -> u32;

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next()) * u64::from(bound)) >> 32) as u32
    }

    /// True once in `n` times.
    fn once_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    fn pick<T: Copy>(&mut self, from: &[T]) -> T
    where
        Self: Sized,
    {
        from[self.below(from.len() as u32) as usize]
    }
}

/// A small generator with a good enough period.
pub(crate) struct Random(u64);

impl Random {
    /// A generator that always gives the same numbers for a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
}

impl Source for Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
}

/// A fuzzer's bytes, then zeros.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Source for Bytes<'_> {
    fn next(&mut self) -> u32 {
        let mut word = [0; 4];
        let count = self.0.len().min(4);
        word[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        u32::from_le_bytes(word)
    }
}

/// A machine to be run in two ways.
pub(crate) struct Case {
    pub(crate) granularity: Granularity,
    pub(crate) regions: Vec<(u32, u32, Permission)>,
    pub(crate) contents: Vec<(u32, Vec<u8>)>,
    pub(crate) cpu: Cpu,
    pub(crate) slices: Vec<u64>,
}

impl Case {
    /// Sets the machine up.
    pub(crate) fn machine(&self) -> Machine {
        let mut space = Space::new(self.granularity, None, 0x4_0000);
        for (start, length, permission) in &self.regions {
            // A region that overlaps an earlier one is left out, here as there.
            let _ = space.map(*start, *length, *permission, "region");
        }
        for (at, bytes) in &self.contents {
            let _ = space.initialize(*at, bytes);
        }
        Machine { cpu: self.cpu.clone(), space, announced: 0, stack: (0x1_0000, 0x1_4000) }
    }
}

const CODE: u32 = 0x1000;
const DATA: u32 = 0x8000;
const STACK: u32 = 0x1_0000;

/// Makes up a case.
pub(crate) fn case(source: &mut impl Source) -> Case {
    let ragged = source.once_in(3);
    let odd = |source: &mut dyn Source, length: u32| if ragged { length - source.below(200) } else { length };
    let granularity = if source.once_in(2) { Granularity::Page } else { Granularity::Byte };
    let writable = source.once_in(3);
    let code_permission = if writable { Permission::ReadWrite } else { Permission::ReadOnly };
    let code_length = odd(source, 0x2000);
    let data_length = odd(source, 0x1000);
    let stack_length = odd(source, 0x1000);
    let mut regions = vec![(CODE, code_length, code_permission), (DATA, data_length, Permission::ReadWrite)];
    if source.once_in(3) {
        // Code and data on one page, as the stock linker script has it.
        regions.push((CODE + code_length.next_multiple_of(16), 0x300, Permission::ReadWrite));
    }
    regions.push((STACK - (source.below(2) * 0x234), stack_length, Permission::ReadWrite));
    if source.once_in(8) {
        regions.push((0xffff_f000, 0x1000, Permission::ReadWrite));
    }
    if source.once_in(8) {
        regions.push((0, 0x800, Permission::ReadWrite));
    }
    let shift = source.once_in(6);
    // Now and then across the end of a page, which is watched for changes by itself.
    let page = if source.once_in(3) { 0x1000 - source.below(0x200) * 2 } else { 0 };
    let start = CODE + page + source.below(0x40) * 2 + u32::from(shift);
    let code = code(source, start, writable);
    let mut data = Vec::new();
    for _ in 0..64 {
        data.extend(interesting(source).to_le_bytes());
    }
    let mut cpu = Cpu { pc: start, ..Cpu::default() };
    for register in 0..16 {
        cpu.registers[register] = interesting(source);
    }
    cpu.registers[0] = STACK + 0xc00 - source.below(64) * 4;
    cpu.registers[1] = STACK + 0xb00 - source.below(64) * 4 - if source.once_in(10) { source.below(4) } else { 0 };
    if source.once_in(4) {
        cpu.registers[1] = STACK + 0xff8;
    }
    cpu.special[6] = DATA;
    let slices = match source.below(4) {
        0 => vec![1],
        1 => (0..8).map(|_| 1 + u64::from(source.below(40))).collect(),
        2 => vec![1000],
        _ => vec![1 + u64::from(source.below(300)), 5000],
    };
    Case { granularity, regions, contents: vec![(start, code), (DATA, data)], cpu, slices }
}

fn interesting(source: &mut dyn Source) -> u32 {
    match source.below(10) {
        0 => 0,
        1 => source.below(40),
        2 => u32::MAX - source.below(4),
        3 => 0x8000_0000u32.wrapping_sub(source.below(3)),
        4 | 5 => DATA + source.below(0x1000),
        6 => CODE + source.below(0x1000) * 2,
        7 => 1 << source.below(32),
        _ => source.next(),
    }
}

/// Code in stretches: straight runs, loops, calls, jumps through registers, and now and then a store to code or plain noise.
fn code(source: &mut impl Source, start: u32, writable: bool) -> Vec<u8> {
    let pieces = 3 + source.below(40);
    let mut bytes: Vec<u8> = Vec::new();
    let mut places: Vec<u32> = vec![start];
    // Words to be filled in with the address of some piece.
    let mut holes: Vec<usize> = Vec::new();
    for _ in 0..pieces {
        places.push(start + bytes.len() as u32);
        match source.below(12) {
            0..=3 => straight(source, &mut bytes),
            4 | 5 => {
                // A loop that ends.
                let counter = 2 + source.below(14) as u8;
                let other = 2 + (counter - 1 + source.below(12) as u8) % 14;
                push(&mut bytes, Op::LdiL, counter, 0, 1 + source.below(30));
                let top = bytes.len();
                straight(source, &mut bytes);
                push(&mut bytes, Op::Dec, counter, 0, 1);
                push(&mut bytes, Op::LdiL, other, 0, 0);
                push(&mut bytes, Op::Cmp, counter, other, 0);
                let back = (top as i64 - bytes.len() as i64 - 2) as i32;
                let op = source.pick(&[Op::Bne, Op::Bgt, Op::Bgtu, Op::Bne]);
                push(&mut bytes, op, 0, 0, back.cast_unsigned());
            }
            6 => {
                // A branch over something.
                comparison(source, &mut bytes);
                let mut inner = Vec::new();
                straight(source, &mut inner);
                let op = branch(source);
                push(&mut bytes, op, 0, 0, inner.len() as u32);
                bytes.extend(inner);
            }
            7 => {
                // A function that is called over, and called.
                let mut body = Vec::new();
                if source.once_in(2) {
                    push(&mut body, Op::Push, 1, 8, 0);
                    push(&mut body, Op::Dec, 1, 0, 4 * source.below(8));
                }
                straight(source, &mut body);
                push(&mut body, Op::Ret, 0, 0, 0);
                let at = start + bytes.len() as u32 + 6;
                push(&mut bytes, Op::Jmpa, 0, 0, at + body.len() as u32);
                bytes.extend(body);
                push(&mut bytes, Op::Jsra, 0, 0, at);
                if source.once_in(3) {
                    push(&mut bytes, Op::LdiL, 4, 0, at);
                    push(&mut bytes, Op::Jsr, 4, 0, 0);
                }
            }
            8 => {
                comparison(source, &mut bytes);
                let op = branch(source);
                let far = source.below(400) as i32 * 2 - 400;
                push(&mut bytes, op, 0, 0, far.cast_unsigned());
            }
            9 => {
                let register = source.below(16) as u8;
                push(&mut bytes, Op::LdiL, register, 0, 0);
                holes.push(bytes.len() - 4);
                push(&mut bytes, source.pick(&[Op::Jmp, Op::Jsr, Op::Jmp]), register, 0, 0);
            }
            10 if writable || source.once_in(4) => {
                // Code that writes code: a small instruction over one that is there, or somewhere else and on to it.
                let word = u32::from(Op::Inc.encoding() | (source.below(16) as u16) << 8 | source.below(256) as u16);
                push(&mut bytes, Op::LdiL, 5, 0, word);
                push(&mut bytes, Op::StaS, 5, 0, 0);
                holes.push(bytes.len() - 4);
            }
            10 => {
                let at = DATA + 0x400 + source.below(64) * 2;
                push(&mut bytes, Op::LdiL, 6, 0, 0x0000_1a00);
                push(&mut bytes, Op::StaL, 6, 0, at);
                push(&mut bytes, Op::LdiL, 6, 0, 0);
                holes.push(bytes.len() - 4);
                push(&mut bytes, Op::StaL, 6, 0, at + 2);
                push(&mut bytes, Op::Jmpa, 0, 0, at);
            }
            _ => {
                if source.once_in(3) {
                    bytes.extend((source.next() as u16).to_le_bytes());
                } else {
                    push(&mut bytes, Op::Jmpa, 0, 0, 0);
                    holes.push(bytes.len() - 4);
                }
            }
        }
    }
    for hole in holes {
        let mut target = source.pick(&places);
        if source.once_in(10) {
            target = target.wrapping_add(source.below(12));
        }
        bytes[hole..hole + 4].copy_from_slice(&target.to_le_bytes());
    }
    push(&mut bytes, Op::Swi, 0, 0, 1);
    bytes
}

fn branch(source: &mut impl Source) -> Op {
    source.pick(&[Op::Beq, Op::Bne, Op::Blt, Op::Bgt, Op::Bltu, Op::Bgtu, Op::Bge, Op::Ble, Op::Bgeu, Op::Bleu])
}

fn push(bytes: &mut Vec<u8>, op: Op, a: u8, b: u8, imm: u32) {
    bytes.extend(Instruction { op, a, b, imm }.encode());
}

fn comparison(source: &mut impl Source, bytes: &mut Vec<u8>) {
    let (a, b) = (source.below(16) as u8, source.below(16) as u8);
    if source.once_in(2) {
        let value = interesting(source);
        push(bytes, Op::LdiL, b, 0, value);
    }
    push(bytes, Op::Cmp, a, b, 0);
}

fn straight(source: &mut impl Source, bytes: &mut Vec<u8>) {
    for _ in 0..1 + source.below(8) {
        let (a, b) = (source.below(16) as u8, source.below(16) as u8);
        match source.below(20) {
            0 | 1 => {
                let value = interesting(source);
                push(bytes, source.pick(&[Op::LdiL, Op::LdiB, Op::LdiS]), a, 0, value);
            }
            2..=4 => push(bytes, Op::Mov, a, b, 0),
            5..=8 => {
                let op = source.pick(&[
                    Op::Add,
                    Op::Sub,
                    Op::And,
                    Op::Or,
                    Op::Xor,
                    Op::Neg,
                    Op::Not,
                    Op::Mul,
                    Op::MulX,
                    Op::UmulX,
                    Op::SexB,
                    Op::SexS,
                    Op::ZexB,
                    Op::ZexS,
                    Op::Ashl,
                    Op::Lshr,
                    Op::Ashr,
                ]);
                push(bytes, op, a, b, 0);
            }
            9 => {
                // A rotation the way a compiler writes it, and what only looks like one.
                let count = source.below(33);
                let (x, y) = (2 + source.below(6) as u8, 8 + source.below(6) as u8);
                push(bytes, Op::Mov, x, a, 0);
                push(bytes, Op::Mov, y, a, 0);
                push(bytes, Op::LdiL, 14, 0, count);
                push(bytes, Op::Lshr, x, 14, 0);
                let rest = if source.once_in(4) { source.below(33) } else { 32 - count };
                push(bytes, Op::LdiL, 14, 0, rest);
                push(bytes, Op::Ashl, y, 14, 0);
                push(bytes, source.pick(&[Op::Or, Op::Xor, Op::Or]), x, y, 0);
            }
            10 => {
                let value = interesting(source);
                push(bytes, Op::LdiL, b, 0, value);
                push(bytes, source.pick(&[Op::Div, Op::Udiv, Op::Mod, Op::Umod]), a, b, 0);
            }
            11 => push(bytes, source.pick(&[Op::Inc, Op::Dec]), 2 + a % 14, 0, source.next() & 0xff),
            12 => comparison(source, bytes),
            13 | 14 => {
                let at = DATA + source.below(0x1000);
                let op = source.pick(&[Op::LdaL, Op::LdaS, Op::LdaB, Op::StaL, Op::StaS, Op::StaB]);
                push(bytes, op, a, 0, at);
            }
            15 | 16 => {
                // Through a register that points into data, most of the time.
                let pointer = 2 + source.below(14) as u8;
                if !source.once_in(12) {
                    let at = DATA + 0x200 + source.below(0xc00);
                    push(bytes, Op::LdiL, pointer, 0, at);
                }
                let offset = (source.below(0x400) as i32 - 0x200).cast_unsigned();
                let op = source.pick(&[
                    Op::LdL,
                    Op::LdS,
                    Op::LdB,
                    Op::StL,
                    Op::StS,
                    Op::StB,
                    Op::LdoL,
                    Op::LdoS,
                    Op::LdoB,
                    Op::StoL,
                    Op::StoS,
                    Op::StoB,
                ]);
                let is_load = matches!(op, Op::LdL | Op::LdS | Op::LdB | Op::LdoL | Op::LdoS | Op::LdoB);
                let imm = if matches!(op, Op::LdoL | Op::LdoS | Op::LdoB | Op::StoL | Op::StoS | Op::StoB) { offset } else { 0 };
                let (x, y) = if is_load { (a, pointer) } else { (pointer, a) };
                push(bytes, op, x, y, imm);
            }
            17 => {
                let frame = source.below(2) as u8;
                let offset = (source.below(64) as i32 * 4 - 128).cast_unsigned();
                if source.once_in(2) {
                    push(bytes, Op::LdoL, 2 + a % 14, frame, offset);
                } else {
                    push(bytes, Op::StoL, frame, a, offset);
                }
            }
            18 => {
                push(bytes, Op::Push, 1, a, 0);
                if !source.once_in(4) {
                    push(bytes, Op::Pop, 1, b, 0);
                }
            }
            _ => match source.below(6) {
                0 => push(bytes, Op::Gsr, a, 0, source.below(12)),
                1 => push(bytes, Op::Ssr, a, 0, source.pick(&[2, 3, 10, 200])),
                2 => push(bytes, Op::Pop, a, b, 0),
                3 => push(bytes, Op::Push, a, b, 0),
                _ => push(bytes, Op::Nop, 0, 0, 0),
            },
        }
    }
}
