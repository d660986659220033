//! A small assembler and linker for programs that tests are made of.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::collections::HashMap;

use moxie::isa::{Instruction, Op};

/// Encoding numbers of registers.
pub const SP: u8 = 1;
pub const R0: u8 = 2;
pub const R1: u8 = 3;
pub const R2: u8 = 4;
pub const R3: u8 = 5;
pub const R4: u8 = 6;
pub const R5: u8 = 7;

/// Where code goes.
pub const TEXT: u32 = 0x1000;
/// Where writable data goes: a page of it.
pub const DATA: u32 = 0x8000;

/// Machine code in the making.
#[derive(Default)]
pub struct Asm {
    code: Vec<Instruction>,
    labels: HashMap<&'static str, u32>,
    uses: Vec<(usize, &'static str)>,
    length: u32,
}

impl Asm {
    pub fn op(mut self, op: Op, a: u8, b: u8, imm: u32) -> Self {
        let instruction = Instruction { op, a, b, imm };
        self.length += u32::from(instruction.length());
        self.code.push(instruction);
        self
    }

    pub fn label(mut self, name: &'static str) -> Self {
        self.labels.insert(name, TEXT + self.length);
        self
    }

    /// A jump, call or branch to a label.
    pub fn to(mut self, op: Op, label: &'static str) -> Self {
        self.uses.push((self.code.len(), label));
        self.op(op, 0, 0, 0)
    }

    pub fn ldi(self, register: u8, value: u32) -> Self {
        self.op(Op::LdiL, register, 0, value)
    }

    pub fn swi(self, number: u32) -> Self {
        self.op(Op::Swi, 0, 0, number)
    }

    pub fn exit(self, code: u32) -> Self {
        self.ldi(R0, code).swi(moxie::EXIT)
    }

    pub fn write(self, descriptor: u32, address: u32, length: u32) -> Self {
        self.ldi(R0, descriptor).ldi(R1, address).ldi(R2, length).swi(moxie::CONSOLE_WRITE)
    }

    pub fn bytes(mut self) -> Vec<u8> {
        let mut at = TEXT;
        let starts: Vec<u32> = self
            .code
            .iter()
            .map(|instruction| {
                at += u32::from(instruction.length());
                at - u32::from(instruction.length())
            })
            .collect();
        for (index, label) in &self.uses {
            let target = self.labels[label];
            let instruction = &mut self.code[*index];
            instruction.imm = if instruction.is_branch() { target.wrapping_sub(starts[*index] + 2) } else { target };
        }
        self.code.iter().flat_map(Instruction::encode).collect()
    }

    /// An executable of this code, and a page of writable data that starts with these bytes.
    pub fn program(self, data: &[u8]) -> Vec<u8> {
        let text = self.bytes();
        elf(TEXT, &[(TEXT, &text, text.len() as u32, 5), (DATA, data, 0x1000, 6)])
    }
}

/// An executable from segments: address, contents, length in memory, flags (4 read, 2 write, 1 execute).
pub fn elf(entry: u32, segments: &[(u32, &[u8], u32, u32)]) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for half in [2u16, 223] {
        file.extend(half.to_le_bytes());
    }
    for word in [1, entry, 52, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    for half in [52u16, 32, segments.len() as u16, 40, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let mut offset = (52 + 32 * segments.len()) as u32;
    for (address, contents, length, flags) in segments {
        for word in [1, offset, *address, *address, contents.len() as u32, *length, *flags, 1] {
            file.extend(word.to_le_bytes());
        }
        offset += contents.len() as u32;
    }
    for (_, contents, _, _) in segments {
        file.extend(*contents);
    }
    file
}
