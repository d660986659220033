//! What can be known of every node before code is made: how much text it takes, and with which
//! code units a match can begin.

use super::ast::{Assert, Node, Tree};
use super::budget::Budget;
use super::error::Error;
use super::set::Set;

/// The code units that may come next, seen from a place in the pattern: a superset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First {
    /// Units below 256.
    pub(crate) low: [u64; 4],
    /// Some unit from 256 up may.
    pub(crate) high: bool,
    /// The text may end here.
    pub(crate) end: bool,
}

impl First {
    /// Nothing can come.
    pub(crate) const NONE: First = First { low: [0; 4], high: false, end: false };
    /// Anything can, the end too: nothing is known.
    pub(crate) const ANY: First = First { low: [u64::MAX; 4], high: true, end: true };

    pub(crate) fn union(mut self, other: First) -> First {
        for (a, b) in self.low.iter_mut().zip(other.low) {
            *a |= b;
        }
        self.high |= other.high;
        self.end |= other.end;
        self
    }

    /// Whether no unit is in both (the end is not a unit).
    pub(crate) fn disjoint(&self, other: &First) -> bool {
        !(self.high && other.high) && self.low.iter().zip(other.low).all(|(a, b)| a & b == 0)
    }

    /// Whether what comes next decides between the two.
    pub(crate) fn excludes(&self, other: &First) -> bool {
        self.disjoint(other) && !(self.end && other.end)
    }

    pub(crate) fn contains(&self, unit: u32) -> bool {
        match self.low.get(unit as usize / 64) {
            Some(bits) => bits >> (unit % 64) & 1 != 0,
            None => self.high,
        }
    }

    /// The units, if there are at most three, all below 256, and the end is not allowed.
    pub(crate) fn few(&self) -> Option<Vec<u32>> {
        let count: u32 = self.low.iter().map(|w| w.count_ones()).sum();
        let few = !self.high && !self.end && count <= 3;
        few.then(|| (0..256).filter(|&u| self.contains(u)).collect())
    }

    fn add(&mut self, low: u32, high: u32) {
        for unit in low..=high.min(0xFF) {
            self.low[unit as usize / 64] |= 1 << (unit % 64);
        }
        self.high |= high > 0xFF;
    }

    /// The first units of a set's characters.
    pub(crate) fn of_set(set: &Set) -> First {
        let mut first = First::NONE;
        for &(low, high) in set.ranges() {
            first.add(low, high);
        }
        first
    }

    fn of_char(c: u32) -> First {
        let mut first = First::NONE;
        first.add(c, c);
        first
    }
}

/// What is known of one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// May match without taking a character.
    pub(crate) empty: bool,
    /// Never takes a character.
    pub(crate) zero_width: bool,
    /// What follows the node has a say in what comes next; else `first` says it all.
    pub(crate) open: bool,
    /// The code units that may come next, without what `open` adds.
    pub(crate) first: First,
    pub(crate) anchor: Anchor,
}

/// Where alone a match can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Anchor {
    Anywhere,
    Line,
    Start,
}

impl Facts {
    /// What may come next if `follow` is what may come behind the node.
    pub(crate) fn first_with(&self, follow: First) -> First {
        if self.open { self.first.union(follow) } else { self.first }
    }
}

/// Facts of all nodes, children first.
pub(crate) fn analyse(tree: &Tree, budget: &mut Budget<'_>) -> Result<Vec<Facts>, Error> {
    budget.memory(tree.nodes.len() * size_of::<Facts>())?;
    let mut facts: Vec<Facts> = Vec::with_capacity(tree.nodes.len());
    let one = |first| Facts { empty: false, zero_width: false, open: false, first, anchor: Anchor::Anywhere };
    let passes = Facts { empty: true, zero_width: true, open: true, first: First::NONE, anchor: Anchor::Anywhere };
    let mut of_sets: Vec<First> = Vec::with_capacity(tree.sets.len());
    budget.memory(tree.sets.len() * size_of::<First>())?;
    for set in &tree.sets {
        budget.work(set.cost() / 4 + 8)?;
        of_sets.push(First::of_set(set));
    }
    for node in &tree.nodes {
        budget.work(2)?;
        let of = |id: u32| facts[id as usize];
        facts.push(match *node {
            Node::Empty => passes,
            Node::Char(c) => one(First::of_char(c)),
            Node::Set(index) => one(of_sets[index as usize]),
            Node::Concat(list) => {
                budget.work(u64::from(list.count))?;
                let mut all = passes;
                for (&item, i) in tree.list(list).iter().zip(0..) {
                    let item = of(item);
                    if i == 0 {
                        all.anchor = item.anchor;
                    }
                    if all.open {
                        all.first = all.first.union(item.first);
                    }
                    all.open &= item.open;
                    all.empty &= item.empty;
                    all.zero_width &= item.zero_width;
                }
                all
            }
            Node::Alternatives(list) => {
                budget.work(u64::from(list.count))?;
                let mut all = Facts { empty: false, zero_width: true, open: false, first: First::NONE, anchor: Anchor::Start };
                for &item in tree.list(list) {
                    let item = of(item);
                    all.first = all.first.union(item.first);
                    all.anchor = all.anchor.min(item.anchor);
                    all.open |= item.open;
                    all.empty |= item.empty;
                    all.zero_width &= item.zero_width;
                }
                all
            }
            Node::Group { child, .. } => of(child),
            Node::Repeat(repeat) if repeat.max == 0 => passes,
            Node::Repeat(repeat) => {
                let child = of(repeat.child);
                let none = repeat.min == 0;
                let anchor = if none { Anchor::Anywhere } else { child.anchor };
                Facts { empty: none || child.empty, open: none || child.open, anchor, ..child }
            }
            Node::Assert(Assert::Start) => Facts { anchor: Anchor::Start, ..passes },
            Node::Assert(Assert::StartOfLine) => Facts { anchor: Anchor::Line, ..passes },
            Node::Assert(Assert::End) => Facts { open: false, first: First { end: true, ..First::NONE }, ..passes },
            Node::Assert(Assert::EndOfLine) => {
                let mut first = First { end: true, high: true, ..First::NONE };
                first.add(0x0A, 0x0A);
                first.add(0x0D, 0x0D);
                Facts { open: false, first, ..passes }
            }
            Node::Look(look) if !look.behind && !look.negative => {
                let child = of(look.child);
                Facts { open: child.open, first: if child.open { First::ANY } else { child.first }, ..passes }
            }
            Node::Assert(_) | Node::Look(_) => passes,
            Node::BackReference { .. } => Facts { zero_width: false, first: First::ANY, ..passes },
        });
    }
    Ok(facts)
}
