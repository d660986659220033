//! Values as operands of host instructions, and registers as their results.

use super::Translator;
use crate::jit::block::{HOMES, slot};
use crate::jit::emit::{Address, EAX, ECX, Host, Operand, Shift};
use crate::jit::value::{Kind, Value};

/// Farthest from an index register that an access may be: the guards around guest memory cover it.
const REACH: i32 = 0xfff0;

impl Translator {
    /// Computes a value into a host register.
    pub(super) fn load_value(&mut self, value: Value, d: Host) {
        let source = match value.kind {
            Kind::Constant => return self.hot.mov_imm(d, value.imm),
            Kind::Kept => unreachable!("kept operands are read from the block"),
            _ => match HOMES[usize::from(value.home)] {
                Some(host) => host,
                None => {
                    self.hot.load_slot(d, slot(value.home));
                    d
                }
            },
        };
        match value.kind {
            Kind::Home if value.imm != 0 => self.hot.lea(d, source, value.imm),
            Kind::Left | Kind::Right => {
                if source != d {
                    self.hot.mov(d, source);
                }
                self.hot.shift(if value.kind == Kind::Left { Shift::Left } else { Shift::Right }, d, value.imm as u8);
            }
            _ if source != d => self.hot.mov(d, source),
            _ => {}
        }
    }

    /// A host register that holds the value: its home, or `scratch`.
    pub(super) fn in_register(&mut self, value: Value, scratch: Host) -> Host {
        if value.kind == Kind::Home
            && value.imm == 0
            && let Some(host) = HOMES[usize::from(value.home)]
        {
            return host;
        }
        self.load_value(value, scratch);
        scratch
    }

    /// The value as the right operand of arithmetic.
    pub(super) fn operand(&mut self, value: Value, scratch: Host) -> Operand {
        match value.kind {
            Kind::Constant => Operand::Imm(value.imm),
            Kind::Home if value.imm == 0 && HOMES[usize::from(value.home)].is_none() => Operand::Slot(slot(value.home)),
            _ => Operand::Reg(self.in_register(value, scratch)),
        }
    }

    /// The guest address `register + offset`; uses `ecx`.
    pub(super) fn address(&mut self, register: u8, offset: u32) -> Address {
        let value = self.value(register);
        match value.kind {
            Kind::Constant => self.absolute(value.imm.wrapping_add(offset)),
            Kind::Home => {
                let total = value.imm.wrapping_add(offset);
                let near = (-REACH..=REACH).contains(&total.cast_signed());
                let host = match HOMES[usize::from(value.home)] {
                    Some(host) => host,
                    None => {
                        self.hot.load_slot(ECX, slot(value.home));
                        ECX
                    }
                };
                if near {
                    return Address { index: Some(host), offset: total.cast_signed() };
                }
                self.hot.lea(ECX, host, total);
                Address { index: Some(ECX), offset: 0 }
            }
            _ => {
                self.load_value(value, ECX);
                Address { index: Some(ECX), offset: offset.cast_signed() }
            }
        }
    }

    /// A constant guest address; uses `ecx`.
    pub(super) fn absolute(&mut self, address: u32) -> Address {
        match i32::try_from(address) {
            Ok(offset) => Address { index: None, offset },
            Err(_) => {
                self.hot.mov_imm(ECX, address);
                Address { index: Some(ECX), offset: 0 }
            }
        }
    }

    /// Prepares a register to be defined anew: the result is computed into the host register that is returned, before [`defined`].
    pub(super) fn define(&mut self, register: u8) -> Host {
        self.overwrite(register);
        HOMES[usize::from(register)].unwrap_or(EAX)
    }

    pub(super) fn defined(&mut self, register: u8, host: Host) {
        self.defined_plus(register, host, 0);
    }

    /// As [`defined`](Self::defined), with a constant to be added some time.
    pub(super) fn defined_plus(&mut self, register: u8, host: Host, imm: u32) {
        if HOMES[usize::from(register)].is_none() {
            self.hot.store_slot(slot(register), host);
        }
        self.set(register, Value { imm, ..Value::home(register) });
    }

    /// As [`define`](Self::define), with the register's value in the host register.
    pub(super) fn modify(&mut self, register: u8) -> Host {
        let host = self.define(register);
        self.load_value(self.value(register), host);
        host
    }

    /// Gives a register a value that is known.
    pub(super) fn assign(&mut self, register: u8, value: Value) {
        if !value.uses(register) {
            self.release(register);
        }
        self.set(register, value);
    }

    pub(super) fn add_constant(&mut self, register: u8, imm: u32) {
        let value = self.value(register);
        match value.kind {
            Kind::Home | Kind::Constant => self.set(register, Value { imm: value.imm.wrapping_add(imm), ..value }),
            _ => {
                self.settle(register);
                self.set(register, Value { imm, ..Value::home(register) });
            }
        }
    }
}
