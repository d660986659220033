//! Loads and stores.

use super::Translator;
use crate::jit::emit::{Address, EAX, Width};
use crate::jit::unit::Unit;

impl Translator {
    pub(super) fn load(&mut self, unit: &Unit, index: usize, width: Width, to: u8, from: u8, offset: u32) {
        let d = self.define(to);
        let address = self.address(from, offset);
        self.may_fault(unit, index);
        self.hot.load(width, d, address);
        self.defined(to, d);
    }

    pub(super) fn load_absolute(&mut self, unit: &Unit, index: usize, width: Width, to: u8, at: u32) {
        let d = self.define(to);
        let address = self.absolute(at);
        self.may_fault(unit, index);
        self.hot.load(width, d, address);
        self.defined(to, d);
    }

    pub(super) fn store(&mut self, unit: &Unit, index: usize, width: Width, to: u8, offset: u32, from: u8) {
        let address = self.address(to, offset);
        self.store_at(unit, index, width, address, from);
    }

    pub(super) fn store_absolute(&mut self, unit: &Unit, index: usize, width: Width, at: u32, from: u8) {
        let address = self.absolute(at);
        self.store_at(unit, index, width, address, from);
    }

    pub(super) fn store_at(&mut self, unit: &Unit, index: usize, width: Width, address: Address, from: u8) {
        let value = self.value(from);
        match value.as_constant() {
            Some(imm) => {
                self.may_fault(unit, index);
                self.hot.store_imm(width, address, imm);
            }
            None => {
                let s = self.in_register(value, EAX);
                self.may_fault(unit, index);
                self.hot.store(width, address, s);
            }
        }
    }
}
