//! Ways out of compiled code, and the joining of a unit's parts.

use std::mem;

use super::Translator;
use crate::jit::product::{ExitSite, FaultSite, Link, PendingRange, Reason};
use crate::jit::unit::Unit;

impl Translator {
    pub(super) fn call_stub(&mut self, stub: usize) {
        let at = self.hot.call();
        self.to_stub.push((self.swapped, at as u32, stub as u32));
    }

    /// Leaves compiled code with everything in place.
    pub(super) fn leave(&mut self, reason: Reason, pc: u32) {
        self.flush();
        self.call_stub(self.stubs.exit);
        let host = self.hot.len() as u32;
        self.product.exits.push(ExitSite { host, pc, refund: 0, reason, pending: PendingRange::default() });
        // Jumps are bound over the first bytes of a leader when its unit is compiled again.
    }

    /// Adds a way out at the end of the cold code.
    pub(super) fn cold_exit(&mut self, site: ExitSite) {
        let at = self.cold.call();
        self.to_stub.push((true, at as u32, self.stubs.exit as u32));
        let host = self.cold.len() as u32;
        self.product.cold_exits.push(ExitSite { host, ..site });
    }

    /// Notes that the next host instruction may fault.
    pub(super) fn may_fault(&mut self, unit: &Unit, index: usize) {
        let pending = self.record();
        let step = &unit.steps[index];
        let host = (self.base + self.hot.len()) as u32;
        self.product.faults.push(FaultSite { host, pc: step.pc, refund: step.cost, pending });
    }

    pub(super) fn swap(&mut self) {
        mem::swap(&mut self.hot, &mut self.cold);
        self.swapped = !self.swapped;
    }

    /// Binds a displacement to a guest address.
    pub(super) fn bind(&mut self, unit: &Unit, at: usize, pc: u32) {
        match unit.at(pc) {
            Some(index) => self.to_label.push((self.swapped, at as u32, index as u16)),
            None => self.leaving.push((self.swapped, at as u32, pc)),
        }
    }

    /// Binds everything and joins both parts.
    pub(super) fn finish(&mut self) {
        let mut fuel_exits = mem::take(&mut self.fuel_exits);
        for (at, pc, refund) in fuel_exits.drain(..) {
            self.to_cold.push((at, self.cold.len() as u32));
            self.cold_exit(ExitSite { host: 0, pc, refund, reason: Reason::Fuel, pending: PendingRange::default() });
        }
        self.fuel_exits = fuel_exits;
        let mut leaving = mem::take(&mut self.leaving);
        let mut links = mem::take(&mut self.product.links);
        for (cold, at, pc) in leaving.drain(..) {
            let otherwise = self.cold.len() as u32;
            self.cold_exit(ExitSite { host: 0, pc, refund: 0, reason: Reason::Jump, pending: PendingRange::default() });
            links.push(Link { at: at | u32::from(cold) << 31, otherwise, pc });
        }
        self.leaving = leaving;
        let hot_length = self.hot.len();
        let place = |cold: bool, at: u32| at as usize + if cold { hot_length } else { 0 };
        self.hot.append(self.cold.bytes());
        for (at, target) in &self.to_cold {
            self.hot.patch(*at as usize, hot_length + *target as usize);
        }
        for (cold, at, index) in &self.to_label {
            self.hot.patch(place(*cold, *at), self.labels[usize::from(*index)] as usize);
        }
        for (cold, at, stub) in &self.to_stub {
            // Stubs lie before the unit: the target is a negative offset from its beginning.
            self.hot.patch(place(*cold, *at), (*stub as usize).wrapping_sub(self.base));
        }
        for link in &mut links {
            let at = place(link.at >> 31 != 0, link.at & 0x7fff_ffff);
            let otherwise = place(true, link.otherwise);
            self.hot.patch(at, otherwise);
            link.at = (self.base + at) as u32;
            link.otherwise = (self.base + otherwise) as u32;
        }
        let product = &mut self.product;
        product.links = links;
        for site in &mut product.exits {
            site.host += self.base as u32;
        }
        for site in product.cold_exits.drain(..) {
            product.exits.push(ExitSite { host: site.host + (self.base + hot_length) as u32, ..site });
        }
    }
}
