//! The instruction set: one table, from which decoder, disassembler and the dispatch of interpreter and compiler are made.

use std::fmt;

/// Hands the table of all instructions to another macro: `(form, code, Name, "mnemonic", Shape, "meaning")` rows.
///
/// `A` and `B` are the registers' contents, left of an arrow the registers themselves; `imm` is the immediate or offset as decoded.
#[macro_export]
macro_rules! for_each_instruction {
    ($visit:ident) => {
        $visit! {
            (1, 0x01, LdiL, "ldi.l", RegImm, "A <- imm")
            (1, 0x02, Mov, "mov", RegReg, "A <- B")
            (1, 0x03, Jsra, "jsra", Imm, "sp -= 12; [sp+4] = return address; [sp] = fp; fp = sp; pc = imm")
            (1, 0x04, Ret, "ret", None, "t = fp; fp = [t]; pc = [t+4]; sp = t + 12")
            (1, 0x05, Add, "add", RegReg, "A <- A + B")
            (1, 0x06, Push, "push", RegReg, "t = A - 4; [t] = B; A <- t")
            (1, 0x07, Pop, "pop", RegReg, "t = A; B <- [t]; A <- t + 4")
            (1, 0x08, LdaL, "lda.l", RegImm, "A <- [imm].32")
            (1, 0x09, StaL, "sta.l", ImmReg, "[imm].32 <- A")
            (1, 0x0a, LdL, "ld.l", Load, "A <- [B].32")
            (1, 0x0b, StL, "st.l", Store, "[A].32 <- B")
            (1, 0x0c, LdoL, "ldo.l", LoadOffset, "A <- [B+imm].32")
            (1, 0x0d, StoL, "sto.l", StoreOffset, "[A+imm].32 <- B")
            (1, 0x0e, Cmp, "cmp", RegReg, "condition <- A ? B")
            (1, 0x0f, Nop, "nop", None, "nothing")
            (1, 0x10, SexB, "sex.b", RegReg, "A <- B.8 with its sign")
            (1, 0x11, SexS, "sex.s", RegReg, "A <- B.16 with its sign")
            (1, 0x12, ZexB, "zex.b", RegReg, "A <- B.8")
            (1, 0x13, ZexS, "zex.s", RegReg, "A <- B.16")
            (1, 0x14, UmulX, "umul.x", RegReg, "A <- high half of A * B, unsigned")
            (1, 0x15, MulX, "mul.x", RegReg, "A <- high half of A * B, signed")
            (1, 0x19, Jsr, "jsr", Reg, "as jsra, to A")
            (1, 0x1a, Jmpa, "jmpa", Imm, "pc = imm")
            (1, 0x1b, LdiB, "ldi.b", RegImm, "A <- imm, all of it")
            (1, 0x1c, LdB, "ld.b", Load, "A <- [B].8")
            (1, 0x1d, LdaB, "lda.b", RegImm, "A <- [imm].8")
            (1, 0x1e, StB, "st.b", Store, "[A].8 <- B")
            (1, 0x1f, StaB, "sta.b", ImmReg, "[imm].8 <- A")
            (1, 0x20, LdiS, "ldi.s", RegImm, "A <- imm, all of it")
            (1, 0x21, LdS, "ld.s", Load, "A <- [B].16")
            (1, 0x22, LdaS, "lda.s", RegImm, "A <- [imm].16")
            (1, 0x23, StS, "st.s", Store, "[A].16 <- B")
            (1, 0x24, StaS, "sta.s", ImmReg, "[imm].16 <- A")
            (1, 0x25, Jmp, "jmp", Reg, "pc = A")
            (1, 0x26, And, "and", RegReg, "A <- A & B")
            (1, 0x27, Lshr, "lshr", RegReg, "A <- A >> (B & 31)")
            (1, 0x28, Ashl, "ashl", RegReg, "A <- A << (B & 31)")
            (1, 0x29, Sub, "sub", RegReg, "A <- A - B")
            (1, 0x2a, Neg, "neg", RegReg, "A <- -B")
            (1, 0x2b, Or, "or", RegReg, "A <- A | B")
            (1, 0x2c, Not, "not", RegReg, "A <- ~B")
            (1, 0x2d, Ashr, "ashr", RegReg, "A <- A >> (B & 31), with the sign")
            (1, 0x2e, Xor, "xor", RegReg, "A <- A ^ B")
            (1, 0x2f, Mul, "mul", RegReg, "A <- low half of A * B")
            (1, 0x30, Swi, "swi", Imm, "special 2 = 3; special 3 = imm; call of the environment")
            (1, 0x31, Div, "div", RegReg, "A <- A / B, signed; by zero it traps; the most negative by -1 is itself")
            (1, 0x32, Udiv, "udiv", RegReg, "A <- A / B, unsigned; by zero it traps")
            (1, 0x33, Mod, "mod", RegReg, "A <- A % B, signed as A; by zero it traps")
            (1, 0x34, Umod, "umod", RegReg, "A <- A % B, unsigned; by zero it traps")
            (1, 0x35, Brk, "brk", None, "traps")
            (1, 0x36, LdoB, "ldo.b", LoadOffset, "A <- [B+imm].8")
            (1, 0x37, StoB, "sto.b", StoreOffset, "[A+imm].8 <- B")
            (1, 0x38, LdoS, "ldo.s", LoadOffset, "A <- [B+imm].16")
            (1, 0x39, StoS, "sto.s", StoreOffset, "[A+imm].16 <- B")
            (2, 0, Inc, "inc", RegByte, "A <- A + imm")
            (2, 1, Dec, "dec", RegByte, "A <- A - imm")
            (2, 2, Gsr, "gsr", RegByte, "A <- special imm")
            (2, 3, Ssr, "ssr", RegByte, "special imm <- A; 6 to 9 are checked")
            (3, 0, Beq, "beq", Branch, "if the last cmp said A == B: pc += 2 + imm")
            (3, 1, Bne, "bne", Branch, "if A != B")
            (3, 2, Blt, "blt", Branch, "if A < B, signed")
            (3, 3, Bgt, "bgt", Branch, "if A > B, signed")
            (3, 4, Bltu, "bltu", Branch, "if A < B, unsigned")
            (3, 5, Bgtu, "bgtu", Branch, "if A > B, unsigned")
            (3, 6, Bge, "bge", Branch, "if A >= B, signed")
            (3, 7, Ble, "ble", Branch, "if A <= B, signed")
            (3, 8, Bgeu, "bgeu", Branch, "if A >= B, unsigned")
            (3, 9, Bleu, "bleu", Branch, "if A <= B, unsigned")
        }
    };
}

/// How an instruction's operands are laid out and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    None,
    /// `A`.
    Reg,
    /// `A, B`.
    RegReg,
    /// `A, imm32`.
    RegImm,
    /// `imm32, A`.
    ImmReg,
    /// `imm32`.
    Imm,
    /// `A, (B)`.
    Load,
    /// `(A), B`.
    Store,
    /// `A, off16(B)`.
    LoadOffset,
    /// `off16(A), B`.
    StoreOffset,
    /// `A, imm8`.
    RegByte,
    /// A target relative to the next instruction.
    Branch,
}

impl Shape {
    /// Bytes of an instruction of this shape: 2, 4 or 6.
    pub const fn length(self) -> u8 {
        match self {
            Self::RegImm | Self::ImmReg | Self::Imm => 6,
            Self::LoadOffset | Self::StoreOffset => 4,
            _ => 2,
        }
    }
}

macro_rules! define {
    ($(($form:literal, $code:literal, $name:ident, $mnemonic:literal, $shape:ident, $meaning:literal))*) => {
        /// The operations.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Op {
            $(#[doc = concat!("`", $mnemonic, "`: `", $meaning, "`")] $name,)*
        }

        impl Op {
            /// All operations, in the order of their numbers (`op as usize`).
            pub const ALL: &'static [Op] = &[$(Op::$name,)*];

            /// The assembler's word for it.
            pub const fn mnemonic(self) -> &'static str {
                match self { $(Op::$name => $mnemonic,)* }
            }

            /// Its operands.
            pub const fn shape(self) -> Shape {
                match self { $(Op::$name => Shape::$shape,)* }
            }

            /// What it does, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Op::$name => $meaning,)* }
            }

            /// The first halfword of this operation with all operands zero.
            pub const fn encoding(self) -> u16 {
                match self { $(Op::$name => match $form {
                    1 => $code << 8,
                    2 => 0x8000 | $code << 12,
                    _ => 0xc000 | $code << 10,
                },)* }
            }

            const fn from_parts(form: u8, code: u8) -> Option<Op> {
                match (form, code) {
                    $(($form, $code) => Some(Op::$name),)*
                    _ => None,
                }
            }
        }
    };
}

for_each_instruction!(define);

/// What the high byte of the first halfword says.
const BY_HIGH_BYTE: [Option<Op>; 256] = {
    let mut table = [None; 256];
    let mut high = 0;
    while high < 256 {
        table[high] = match high >> 6 {
            0 | 1 => Op::from_parts(1, high as u8),
            2 => Op::from_parts(2, (high >> 4 & 3) as u8),
            _ => Op::from_parts(3, (high >> 2 & 15) as u8),
        };
        high += 1;
    }
    table
};

/// Longest instruction in bytes.
pub const LONGEST: usize = 6;

/// A decoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub op: Op,
    /// Register A, 0 to 15.
    pub a: u8,
    /// Register B, 0 to 15.
    pub b: u8,
    /// Immediate: 32 bits as they are, offsets of 16 bits and branch displacements (in bytes) with their sign, 8 bits without.
    pub imm: u32,
}

/// Why bytes are no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnInstruction {
    /// There is no such operation.
    Illegal,
    /// The operation is there, or may be, but this many bytes are needed to know all of it.
    Needs(u8),
}

impl Instruction {
    /// Decodes the instruction that `bytes` start with.
    ///
    /// # Errors
    /// [`NotAnInstruction`].
    ///
    /// ```
    /// use moxie::isa::{Instruction, Op};
    /// let push = Instruction::decode(&[0x12, 0x06]).unwrap();
    /// assert_eq!((push.op, push.a, push.b, push.length()), (Op::Push, 1, 2, 2));
    /// assert_eq!(push.text(0), "push $sp, $r0");
    /// ```
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAnInstruction> {
        let [low, high, rest @ ..] = bytes else { return Err(NotAnInstruction::Needs(2)) };
        let op = BY_HIGH_BYTE[usize::from(*high)].ok_or(NotAnInstruction::Illegal)?;
        let (mut a, mut b) = (low >> 4, low & 15);
        let imm = match op.shape().length() {
            6 => {
                let [w, x, y, z, ..] = rest else { return Err(NotAnInstruction::Needs(6)) };
                u32::from_le_bytes([*w, *x, *y, *z])
            }
            4 => {
                let [x, y, ..] = rest else { return Err(NotAnInstruction::Needs(4)) };
                i32::from(i16::from_le_bytes([*x, *y])).cast_unsigned()
            }
            _ => match op.shape() {
                Shape::RegByte => {
                    (a, b) = (high & 15, 0);
                    u32::from(*low)
                }
                Shape::Branch => {
                    (a, b) = (0, 0);
                    let halfword = i32::from(*high) << 8 | i32::from(*low);
                    (halfword << 22 >> 21).cast_unsigned()
                }
                _ => 0,
            },
        };
        Ok(Self { op, a, b, imm })
    }

    /// Its bytes: the inverse of [`decode`](Instruction::decode), up to bits that are not looked at.
    pub fn encode(&self) -> Vec<u8> {
        let halfword = match self.op.shape() {
            Shape::RegByte => self.op.encoding() | u16::from(self.a & 15) << 8 | (self.imm & 0xff) as u16,
            Shape::Branch => self.op.encoding() | (self.imm >> 1 & 0x3ff) as u16,
            _ => self.op.encoding() | u16::from(self.a & 15) << 4 | u16::from(self.b & 15),
        };
        let mut bytes = halfword.to_le_bytes().to_vec();
        bytes.extend(&self.imm.to_le_bytes()[..usize::from(self.length()) - 2]);
        bytes
    }

    /// Its length in bytes: 2, 4 or 6.
    #[inline]
    pub const fn length(&self) -> u8 {
        self.op.shape().length()
    }

    /// Where a branch goes, or where a direct jump or call goes.
    #[inline]
    pub fn target(&self, pc: u32) -> Option<u32> {
        match self.op {
            Op::Jsra | Op::Jmpa => Some(self.imm),
            _ if self.is_branch() => Some(pc.wrapping_add(2).wrapping_add(self.imm)),
            _ => None,
        }
    }

    /// Whether it depends on the last compare.
    #[inline]
    pub const fn is_branch(&self) -> bool {
        matches!(self.op.shape(), Shape::Branch)
    }

    /// Whether the next instruction may be another one than that which follows: branches, jumps, calls, `swi` and `brk`.
    #[inline]
    pub const fn ends_block(&self) -> bool {
        self.is_branch() || matches!(self.op, Op::Jsra | Op::Jsr | Op::Jmpa | Op::Jmp | Op::Ret | Op::Swi | Op::Brk)
    }

    /// It in the assembler's notation, as it stands at `pc`.
    pub fn text(&self, pc: u32) -> String {
        let name = self.op.mnemonic();
        let (a, b, imm) = (Register(self.a), Register(self.b), self.imm);
        let signed = imm.cast_signed();
        match self.op.shape() {
            Shape::None => name.to_owned(),
            Shape::Reg => format!("{name} {a}"),
            Shape::RegReg => format!("{name} {a}, {b}"),
            Shape::RegImm => format!("{name} {a}, {imm:#x}"),
            Shape::ImmReg => format!("{name} {imm:#x}, {a}"),
            Shape::Imm => format!("{name} {imm:#x}"),
            Shape::Load => format!("{name} {a}, ({b})"),
            Shape::Store => format!("{name} ({a}), {b}"),
            Shape::LoadOffset => format!("{name} {a}, {signed}({b})"),
            Shape::StoreOffset => format!("{name} {signed}({a}), {b}"),
            Shape::RegByte => format!("{name} {a}, {imm}"),
            Shape::Branch => format!("{name} {:#x}", pc.wrapping_add(2).wrapping_add(imm)),
        }
    }
}

/// What a condition says of the operands of the last compare; false for an operation that is no branch.
#[inline(always)]
pub const fn condition(op: Op, a: u32, b: u32) -> bool {
    match op {
        Op::Beq => a == b,
        Op::Bne => a != b,
        Op::Blt => (a as i32) < b as i32,
        Op::Bgt => a as i32 > b as i32,
        Op::Bltu => a < b,
        Op::Bgtu => a > b,
        Op::Bge => a as i32 >= b as i32,
        Op::Ble => a as i32 <= b as i32,
        Op::Bgeu => a >= b,
        Op::Bleu => a <= b,
        _ => false,
    }
}

/// What an operation that touches registers only leaves in A; `None` for any other, and for a division that traps.
#[inline(always)]
pub const fn compute(op: Op, a: u32, b: u32, imm: u32) -> Option<u32> {
    Some(match op {
        Op::LdiL | Op::LdiS | Op::LdiB => imm,
        Op::Mov => b,
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Neg => b.wrapping_neg(),
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::Not => !b,
        Op::Ashl => a.wrapping_shl(b),
        Op::Lshr => a.wrapping_shr(b),
        Op::Ashr => (a as i32).wrapping_shr(b) as u32,
        Op::Mul => a.wrapping_mul(b),
        Op::MulX => ((a as i32 as i64 * b as i32 as i64) >> 32) as u32,
        Op::UmulX => ((a as u64 * b as u64) >> 32) as u32,
        Op::SexB => b as i8 as u32,
        Op::SexS => b as i16 as u32,
        Op::ZexB => b as u8 as u32,
        Op::ZexS => b as u16 as u32,
        Op::Inc => a.wrapping_add(imm),
        Op::Dec => a.wrapping_sub(imm),
        Op::Div if b != 0 => (a as i32).wrapping_div(b as i32) as u32,
        Op::Mod if b != 0 => (a as i32).wrapping_rem(b as i32) as u32,
        Op::Udiv if b != 0 => a / b,
        Op::Umod if b != 0 => a % b,
        _ => return None,
    })
}

/// A general register by its encoding number, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register(pub u8);

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("$fp"),
            1 => f.write_str("$sp"),
            number => write!(f, "$r{}", number.wrapping_sub(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_halfword_decodes_to_what_encodes_to_it() {
        for halfword in 0..=u16::MAX {
            let [low, high] = halfword.to_le_bytes();
            let bytes = [low, high, 0x34, 0x92, 0x56, 0x78];
            match Instruction::decode(&bytes) {
                Ok(instruction) => {
                    let length = usize::from(instruction.length());
                    assert_eq!(instruction.encode(), bytes[..length], "{halfword:#06x}");
                    if length > 2 {
                        assert_eq!(Instruction::decode(&bytes[..length - 1]), Err(NotAnInstruction::Needs(length as u8)));
                    }
                }
                Err(error) => {
                    assert_eq!(error, NotAnInstruction::Illegal);
                    let form1 = high < 0x80 && (high == 0 || (0x16..=0x18).contains(&high) || high > 0x39);
                    assert!(form1 || high >= 0xc0 + (10 << 2), "{halfword:#06x}");
                }
            }
        }
    }

    #[test]
    fn the_assemblers_notation() {
        let cases: [(&[u8], &str); 8] = [
            (&[0x20, 0x01, 0x78, 0x56, 0x34, 0x12], "ldi.l $r0, 0x12345678"),
            (&[0x23, 0x0c, 0xfc, 0xff], "ldo.l $r0, -4($r1)"),
            (&[0x02, 0x0d, 0x08, 0x00], "sto.l 8($fp), $r0"),
            (&[0x23, 0x0b], "st.l ($r0), $r1"),
            (&[0x30, 0x09, 0x00, 0x20, 0x00, 0x00], "sta.l 0x2000, $r1"),
            (&[0x10, 0x91], "dec $sp, 16"),
            (&[0xff, 0xc3], "beq 0x1000"),
            (&[0x00, 0xc2], "beq 0xc02"),
        ];
        for (bytes, text) in cases {
            assert_eq!(Instruction::decode(bytes).unwrap().text(0x1000), text);
        }
    }
}
