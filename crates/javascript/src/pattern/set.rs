//! Sets of code points, as sorted ranges that neither touch nor overlap.

/// The last code point.
pub(crate) const LAST: u32 = 0x10_FFFF;

/// A set of code points (surrogates included).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Set {
    ranges: Vec<(u32, u32)>,
}

impl Set {
    /// The set of nothing.
    pub(crate) const fn new() -> Set {
        Set { ranges: Vec::new() }
    }

    /// A set of one code point.
    pub(crate) fn one(c: u32) -> Set {
        Set { ranges: vec![(c, c)] }
    }

    /// A set from ranges in any order; ends are inclusive, and `low <= high` in each.
    pub(crate) fn from_ranges(mut ranges: Vec<(u32, u32)>) -> Set {
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Set { ranges: merged }
    }

    /// The ranges, sorted, ends inclusive.
    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// How many ranges there are: what an operation on the set costs.
    pub(crate) fn cost(&self) -> u64 {
        self.ranges.len() as u64 + 1
    }

    /// Whether the set has no member.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The only member, if there is exactly one.
    pub(crate) fn single(&self) -> Option<u32> {
        match self.ranges[..] {
            [(low, high)] if low == high => Some(low),
            _ => None,
        }
    }

    /// The first `n` members.
    pub(crate) fn first(&self, n: usize) -> Vec<u32> {
        self.ranges.iter().flat_map(|&(low, high)| low..=high).take(n).collect()
    }

    /// Whether `c` is a member.
    pub(crate) fn contains(&self, c: u32) -> bool {
        let after = self.ranges.partition_point(|&(low, _)| low <= c);
        after > 0 && self.ranges[after - 1].1 >= c
    }

    /// Members of either.
    pub(crate) fn union(&self, other: &Set) -> Set {
        let mut ranges = Vec::with_capacity(self.ranges.len() + other.ranges.len());
        let (mut a, mut b) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        loop {
            let from_a = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) => x <= y,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            ranges.extend(if from_a { a.next() } else { b.next() });
        }
        Set::from_ranges(ranges)
    }

    /// Members of both.
    pub(crate) fn intersect(&self, other: &Set) -> Set {
        let mut ranges = Vec::new();
        let (mut i, mut j) = (0, 0);
        while let (Some(&a), Some(&b)) = (self.ranges.get(i), other.ranges.get(j)) {
            let (low, high) = (a.0.max(b.0), a.1.min(b.1));
            if low <= high {
                ranges.push((low, high));
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        Set { ranges }
    }

    /// Members of neither: everything else up to `last`.
    pub(crate) fn complement(&self, last: u32) -> Set {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(low, high) in &self.ranges {
            if low > last {
                break;
            }
            if low > next {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= last {
            ranges.push((next, last));
        }
        Set { ranges }
    }

    /// Members of this set that the other lacks.
    pub(crate) fn subtract(&self, other: &Set) -> Set {
        self.intersect(&other.complement(LAST))
    }
}

/// `\d`.
pub(crate) fn digits() -> Set {
    Set { ranges: vec![(0x30, 0x39)] }
}

/// `\s`: WhiteSpace and LineTerminator of the grammar.
pub(crate) fn spaces() -> Set {
    Set {
        ranges: vec![
            (0x09, 0x0D),
            (0x20, 0x20),
            (0xA0, 0xA0),
            (0x1680, 0x1680),
            (0x2000, 0x200A),
            (0x2028, 0x2029),
            (0x202F, 0x202F),
            (0x205F, 0x205F),
            (0x3000, 0x3000),
            (0xFEFF, 0xFEFF),
        ],
    }
}

/// `\w`; `folded` adds the two characters that fold to ASCII letters (`i` with `u` or `v`).
pub(crate) fn words(folded: bool) -> Set {
    let mut ranges = vec![(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)];
    if folded {
        ranges.extend([(0x17F, 0x17F), (0x212A, 0x212A)]);
    }
    Set { ranges }
}

/// The characters that end a line.
pub(crate) fn line_ends() -> Set {
    Set { ranges: vec![(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)] }
}
