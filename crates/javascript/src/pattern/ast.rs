//! A pattern as a tree, in an arena: children always come before their parents, so that every
//! pass over the tree is a loop and no pattern is too deep.

use super::set::Set;

/// An index into [`Tree::nodes`].
pub(crate) type Id = u32;

/// `max` of a quantifier without one. No text is long enough to tell it from the real thing.
pub(crate) const INFINITE: u32 = u32::MAX;

/// A run of entries in [`Tree::lists`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// A half-open range of numbers (of groups, of look-arounds).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Span {
    pub(crate) fn is_empty(self) -> bool {
        self.from >= self.to
    }

    pub(crate) fn count(self) -> u32 {
        self.to.saturating_sub(self.from)
    }
}

/// A condition on a position, without a sub-pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assert {
    Start,
    StartOfLine,
    End,
    EndOfLine,
    /// `\b` or `\B`; `folded`: the two non-ASCII letters that fold to `k` and `s` are words too.
    Boundary {
        negated: bool,
        folded: bool,
    },
}

/// A look-ahead or look-behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) child: Id,
    pub(crate) behind: bool,
    pub(crate) negative: bool,
    /// Its number, outer before inner.
    pub(crate) index: u32,
    /// The capture groups inside.
    pub(crate) groups: Span,
}

/// A quantified sub-pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeat {
    pub(crate) child: Id,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) greedy: bool,
    /// What every iteration forgets first.
    pub(crate) groups: Span,
    pub(crate) looks: Span,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Empty,
    /// One character (a code point in unicode mode, else a code unit), exactly.
    Char(u32),
    /// One character of a set, by its index in [`Tree::sets`].
    Set(u32),
    Concat(List),
    Alternatives(List),
    Group {
        index: u32,
        child: Id,
    },
    Repeat(Repeat),
    Assert(Assert),
    Look(Look),
    /// What one of some groups matched (at most one of them took part).
    BackReference {
        groups: List,
        fold: bool,
    },
}

/// A parsed pattern.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) lists: Vec<u32>,
    pub(crate) sets: Vec<Set>,
    pub(crate) root: Id,
    /// Capture groups, the whole match included.
    pub(crate) groups: u32,
    pub(crate) looks: u32,
    /// Names of groups, in the order of the groups.
    pub(crate) names: Vec<(u32, Vec<u16>)>,
    pub(crate) back_references: bool,
    /// Code points rather than code units.
    pub(crate) unicode: bool,
}

impl Tree {
    pub(crate) fn list(&self, list: List) -> &[u32] {
        let first = list.first as usize;
        &self.lists[first..first + list.count as usize]
    }
}
