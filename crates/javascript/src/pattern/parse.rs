//! From the pattern's text to a [`Tree`]: the grammar of ECMAScript 2025, Annex B included.
//!
//! One pass with an explicit stack. A second, shallow look over the text ([`Parser::survey`])
//! happens at most once, when a `\1` or `\k` needs to know about groups further on.

use std::collections::{HashMap, HashSet};

use super::ast::{Assert, INFINITE, Id, List, Look, Node, Repeat, Span, Tree};
use super::budget::{Budget, wrong};
use super::error::{Error, Mistake};
use super::flags::Flags;
use super::set::{self, LAST, Set};
use super::unicode::{self, Strings};

/// Reads a pattern. `checking`: only its mistakes are wanted, and the tree is of no use.
pub(crate) fn parse(source: &[u16], flags: Flags, checking: bool, budget: &mut Budget<'_>) -> Result<Tree, Error> {
    if source.len() > budget.limits.source as usize {
        return Err(wrong(Mistake::TooLarge, 0));
    }
    let mut parser = Parser {
        source,
        at: 0,
        unicode: flags.unicode(),
        sets: flags.has(Flags::UNICODE_SETS),
        flags,
        budget,
        tree: Tree { unicode: flags.unicode(), groups: 1, ..Tree::default() },
        terms: Vec::new(),
        alternatives: Vec::new(),
        frames: Vec::new(),
        names: Names::default(),
        open_names: Vec::new(),
        references: Vec::new(),
        survey: None,
        interned: HashMap::new(),
        checking,
    };
    parser.disjunction()?;
    parser.resolve()?;
    parser.budget.flush()?;
    Ok(parser.tree)
}

#[derive(Clone, Copy, Debug)]
enum Opening {
    Whole,
    Plain,
    Capture(u32),
    /// With a name, which is the last of the open ones.
    Named(u32),
    Look {
        behind: bool,
        negative: bool,
        index: u32,
    },
}

/// An open group.
struct Frame {
    opening: Opening,
    /// Flags to restore at its end.
    outer: Flags,
    /// Where its terms and alternatives begin on their stacks.
    terms: usize,
    alternatives: usize,
    /// Where its names, and those of its current alternative, begin.
    names: usize,
    alternative_names: usize,
    /// Groups and look-arounds before it.
    groups: u32,
    looks: u32,
    at: usize,
}

/// Names of groups: which may take part together with what is being read.
#[derive(Default)]
struct Names {
    /// Every name with its groups and whether it is taken here.
    known: HashMap<Vec<u16>, (Vec<u32>, bool)>,
    /// The names in the order of the text.
    order: Vec<Vec<u16>>,
}

/// What a look ahead over the whole pattern finds.
#[derive(Clone, Copy, Debug)]
struct Survey {
    groups: u32,
    named: bool,
}

pub(super) struct Parser<'s, 'b, 'c> {
    pub(super) source: &'s [u16],
    pub(super) at: usize,
    pub(super) unicode: bool,
    pub(super) sets: bool,
    pub(super) flags: Flags,
    pub(super) budget: &'b mut Budget<'c>,
    tree: Tree,
    terms: Vec<Id>,
    alternatives: Vec<Id>,
    frames: Vec<Frame>,
    names: Names,
    /// Names of the groups that are open, with their places.
    open_names: Vec<(Vec<u16>, usize)>,
    /// Named back-references to resolve: node, name, place.
    references: Vec<(Id, Vec<u16>, usize)>,
    survey: Option<Survey>,
    /// Sets of single characters and of closed characters, to store each once.
    interned: HashMap<Vec<(u32, u32)>, u32>,
    /// Only mistakes are wanted.
    checking: bool,
}

/// The last atom of an alternative, which a quantifier may take.
struct Atom {
    groups: u32,
    looks: u32,
    quantifiable: bool,
}

impl Parser<'_, '_, '_> {
    pub(super) fn wrong<T>(&self, mistake: Mistake) -> Result<T, Error> {
        Err(wrong(mistake, self.at))
    }

    /// The code unit `ahead` of here.
    pub(super) fn unit(&self, ahead: usize) -> Option<u16> {
        self.source.get(self.at + ahead).copied()
    }

    pub(super) fn is(&self, c: char) -> bool {
        self.unit(0).map(u32::from) == Some(u32::from(c))
    }

    pub(super) fn eat(&mut self, c: char) -> bool {
        let found = self.is(c);
        self.at += usize::from(found);
        found
    }

    pub(super) fn eat_text(&mut self, text: &str) -> bool {
        let found = text.bytes().zip(0..).all(|(b, i)| self.unit(i) == Some(u16::from(b)));
        if found {
            self.at += text.len();
        }
        found
    }

    /// The code point here, whatever the mode, and its length in units.
    pub(super) fn code_point(&self) -> Option<(u32, usize)> {
        let lead = u32::from(self.unit(0)?);
        if (0xD800..0xDC00).contains(&lead)
            && let Some(trail) = self.unit(1).map(u32::from)
            && (0xDC00..0xE000).contains(&trail)
        {
            return Some((0x10000 + ((lead - 0xD800) << 10) + (trail - 0xDC00), 2));
        }
        Some((lead, 1))
    }

    /// Takes one character of the pattern's mode.
    pub(super) fn take(&mut self) -> Option<u32> {
        let (c, width) = if self.unicode { self.code_point()? } else { (u32::from(self.unit(0)?), 1) };
        self.at += width;
        Some(c)
    }

    pub(super) fn last(&self) -> u32 {
        if self.unicode { LAST } else { 0xFFFF }
    }

    pub(super) fn ignore_case(&self) -> bool {
        self.flags.has(Flags::IGNORE_CASE)
    }

    /// Whether `i` folds (with `u` or `v`), which makes two more letters words.
    pub(super) fn folded_words(&self) -> bool {
        self.unicode && self.ignore_case()
    }

    /// Closes a set over case if `i` is on here.
    pub(super) fn close(&mut self, set: Set) -> Result<Set, Error> {
        if self.checking || !self.ignore_case() {
            return Ok(set);
        }
        self.budget.work(set.cost())?;
        let (set, cost) = unicode::close_over_case(&set, self.unicode);
        self.budget.work(cost)?;
        self.budget.memory(set.ranges().len() * 8)?;
        Ok(set)
    }

    fn node(&mut self, node: Node) -> Result<Id, Error> {
        if self.checking {
            self.budget.work(1)?;
            return Ok(0);
        }
        let id = self.tree.nodes.len() as Id;
        self.budget.push(&mut self.tree.nodes, node)?;
        self.budget.work(1)?;
        Ok(id)
    }

    fn list(&mut self, items: &[u32]) -> Result<List, Error> {
        let first = self.tree.lists.len() as u32;
        for &item in items {
            self.budget.push(&mut self.tree.lists, item)?;
        }
        Ok(List { first, count: items.len() as u32 })
    }

    /// A node for a set that is already closed over case.
    pub(super) fn set_node(&mut self, set: Set) -> Result<Id, Error> {
        if self.checking {
            return self.node(Node::Empty);
        }
        if let Some(c) = set.single() {
            return self.node(Node::Char(c));
        }
        self.budget.work(set.cost() / 4)?;
        if let Some(&index) = self.interned.get(set.ranges()) {
            return self.node(Node::Set(index));
        }
        let index = self.tree.sets.len() as u32;
        self.budget.memory(set.ranges().len() * 16 + 64)?;
        self.interned.insert(set.ranges().to_vec(), index);
        self.budget.push(&mut self.tree.sets, set)?;
        self.node(Node::Set(index))
    }

    fn char_node(&mut self, c: u32) -> Result<Id, Error> {
        if self.checking || !self.ignore_case() {
            return self.node(Node::Char(c));
        }
        let set = self.close(Set::one(c))?;
        self.set_node(set)
    }

    fn concat(&mut self, from: usize) -> Result<Id, Error> {
        if self.checking {
            self.terms.truncate(from);
            return self.node(Node::Empty);
        }
        let items = self.terms.split_off(from);
        match items[..] {
            [] => self.node(Node::Empty),
            [only] => Ok(only),
            _ => {
                let list = self.list(&items)?;
                self.node(Node::Concat(list))
            }
        }
    }

    fn choice(&mut self, from: usize) -> Result<Id, Error> {
        if self.checking {
            self.alternatives.truncate(from);
            return self.node(Node::Empty);
        }
        let items = self.alternatives.split_off(from);
        if let [only] = items[..] {
            return Ok(only);
        }
        if let Some(set) = self.single_characters(&items)? {
            return self.set_node(set);
        }
        let list = self.list(&items)?;
        self.node(Node::Alternatives(list))
    }

    /// Alternatives that are one character each are a class: `a|b|[c-e]`.
    fn single_characters(&mut self, items: &[Id]) -> Result<Option<Set>, Error> {
        let mut ranges = Vec::new();
        let mut seen = HashSet::new();
        for &item in items {
            let one;
            let more: &[(u32, u32)] = match self.tree.nodes[item as usize] {
                Node::Char(c) => {
                    one = [(c, c)];
                    &one
                }
                // The same set many times would be large without being more.
                Node::Set(index) if !seen.insert(index) => continue,
                Node::Set(index) => self.tree.sets[index as usize].ranges(),
                _ => return Ok(None),
            };
            self.budget.work(more.len() as u64 * 3)?;
            self.budget.memory(more.len() * 32)?;
            ranges.extend_from_slice(more);
        }
        Ok(Some(Set::from_ranges(ranges)))
    }

    fn open(&mut self, opening: Opening, at: usize) -> Result<(), Error> {
        if self.frames.len() >= self.budget.limits.depth as usize {
            return Err(wrong(Mistake::TooLarge, at));
        }
        let names = self.names.order.len();
        let groups = match opening {
            Opening::Capture(index) | Opening::Named(index) => index,
            _ => self.tree.groups,
        };
        let looks = match opening {
            Opening::Look { index, .. } => index,
            _ => self.tree.looks,
        };
        let frame = Frame {
            opening,
            outer: self.flags,
            terms: self.terms.len(),
            alternatives: self.alternatives.len(),
            names,
            alternative_names: names,
            groups,
            looks,
            at,
        };
        self.budget.push(&mut self.frames, frame)
    }

    /// The whole pattern.
    fn disjunction(&mut self) -> Result<(), Error> {
        self.open(Opening::Whole, 0)?;
        loop {
            self.budget.work(1)?;
            let atom = match self.unit(0).and_then(|u| u8::try_from(u).ok()) {
                None if self.at >= self.source.len() => break,
                Some(b'|') => {
                    self.at += 1;
                    self.end_alternative()?;
                    continue;
                }
                Some(b'(') => {
                    self.group()?;
                    continue;
                }
                Some(b')') => {
                    if self.frames.len() == 1 {
                        return self.wrong(Mistake::UnmatchedParen);
                    }
                    self.at += 1;
                    self.close_group()?
                }
                Some(b'^') => {
                    self.at += 1;
                    let multiline = self.flags.has(Flags::MULTILINE);
                    self.assert(if multiline { Assert::StartOfLine } else { Assert::Start })?;
                    continue;
                }
                Some(b'$') => {
                    self.at += 1;
                    let multiline = self.flags.has(Flags::MULTILINE);
                    self.assert(if multiline { Assert::EndOfLine } else { Assert::End })?;
                    continue;
                }
                Some(b'*' | b'+' | b'?') => return self.wrong(Mistake::NothingToRepeat),
                Some(b'{') if self.braces()?.is_some() => return self.wrong(Mistake::NothingToRepeat),
                Some(b'{' | b'}' | b']') if self.unicode => return self.wrong(Mistake::LoneQuantifierBrackets),
                Some(b'.') => {
                    self.at += 1;
                    let ends = if self.flags.has(Flags::DOT_ALL) { Set::new() } else { set::line_ends() };
                    let id = self.set_node(ends.complement(self.last()))?;
                    self.atom(id)?
                }
                Some(b'[') => {
                    self.at += 1;
                    let class = if self.sets { self.class_of_sets()? } else { self.class()? };
                    let id = self.strings(&class)?;
                    self.atom(id)?
                }
                Some(b'\\') => match self.escape()? {
                    Some(atom) => atom,
                    None => continue,
                },
                _ => {
                    let Some(c) = self.take() else { break };
                    let id = self.char_node(c)?;
                    self.atom(id)?
                }
            };
            self.quantifier(&atom)?;
        }
        if let Some(frame) = self.frames.last().filter(|_| self.frames.len() > 1) {
            return Err(wrong(Mistake::UnterminatedGroup, frame.at));
        }
        self.end_alternative()?;
        self.tree.root = self.choice(0)?;
        Ok(())
    }

    fn atom(&mut self, id: Id) -> Result<Atom, Error> {
        self.budget.push(&mut self.terms, id)?;
        Ok(Atom { groups: self.tree.groups, looks: self.tree.looks, quantifiable: true })
    }

    fn assert(&mut self, assert: Assert) -> Result<(), Error> {
        let id = self.node(Node::Assert(assert))?;
        self.budget.push(&mut self.terms, id)
    }

    fn end_alternative(&mut self) -> Result<(), Error> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let (terms, names) = (frame.terms, frame.alternative_names);
        frame.alternative_names = self.names.order.len();
        // A name may come again in another alternative.
        self.mark_names(names, self.names.order.len(), false)?;
        let id = self.concat(terms)?;
        self.budget.push(&mut self.alternatives, id)
    }

    fn mark_names(&mut self, from: usize, to: usize, taken: bool) -> Result<(), Error> {
        self.budget.work((to - from) as u64)?;
        for name in &self.names.order[from..to] {
            if let Some(known) = self.names.known.get_mut(name) {
                known.1 = taken;
            }
        }
        Ok(())
    }

    /// `(` and what follows it.
    fn group(&mut self) -> Result<(), Error> {
        let at = self.at;
        self.at += 1;
        if !self.eat('?') {
            let index = self.capture()?;
            return self.open(Opening::Capture(index), at);
        }
        let (behind, negative) = if self.eat(':') {
            return self.open(Opening::Plain, at);
        } else if self.eat('=') {
            (false, false)
        } else if self.eat('!') {
            (false, true)
        } else if self.eat_text("<=") {
            (true, false)
        } else if self.eat_text("<!") {
            (true, true)
        } else if self.eat('<') {
            let place = self.at;
            let index = self.capture()?;
            let name = self.name()?;
            self.budget.push(&mut self.open_names, (name, place))?;
            return self.open(Opening::Named(index), at);
        } else {
            return self.modifiers(at);
        };
        let index = self.tree.looks;
        self.tree.looks += 1;
        self.open(Opening::Look { behind, negative, index }, at)
    }

    fn capture(&mut self) -> Result<u32, Error> {
        let index = self.tree.groups;
        if index >= self.budget.limits.groups.min(32_768) {
            return self.wrong(Mistake::TooManyCaptures);
        }
        self.tree.groups += 1;
        Ok(index)
    }

    /// `(?i-s:`, behind the question mark.
    fn modifiers(&mut self, at: usize) -> Result<(), Error> {
        let (mut add, mut remove) = (Flags::default(), Flags::default());
        let mut dash = false;
        loop {
            let flag = match self.unit(0).and_then(|u| u8::try_from(u).ok()) {
                Some(b'i') => Flags::IGNORE_CASE,
                Some(b'm') => Flags::MULTILINE,
                Some(b's') => Flags::DOT_ALL,
                Some(b'-') if dash => return self.wrong(Mistake::MultipleFlagDashes),
                Some(b'-') => {
                    dash = true;
                    self.at += 1;
                    continue;
                }
                Some(b':') => break,
                _ => return self.wrong(Mistake::InvalidGroup),
            };
            if add.with(remove).has(flag) {
                return self.wrong(Mistake::RepeatedFlag);
            }
            *(if dash { &mut remove } else { &mut add }) = if dash { remove.with(flag) } else { add.with(flag) };
            self.at += 1;
        }
        if add.with(remove).bits() == 0 {
            return self.wrong(Mistake::InvalidFlagGroup);
        }
        self.at += 1;
        self.open(Opening::Plain, at)?;
        self.flags = self.flags.with(add).without(remove);
        Ok(())
    }

    fn close_group(&mut self) -> Result<Atom, Error> {
        self.end_alternative()?;
        let Some(frame) = self.frames.pop() else { return self.wrong(Mistake::UnmatchedParen) };
        self.flags = frame.outer;
        self.mark_names(frame.names, self.names.order.len(), true)?;
        let child = self.choice(frame.alternatives)?;
        let mut quantifiable = true;
        let id = match frame.opening {
            Opening::Whole | Opening::Plain => child,
            Opening::Capture(index) => self.node(Node::Group { index, child })?,
            Opening::Named(index) => {
                if let Some((name, place)) = self.open_names.pop() {
                    self.add_name(name, index, place)?;
                }
                self.node(Node::Group { index, child })?
            }
            Opening::Look { behind, negative, index } => {
                quantifiable = !behind && !self.unicode;
                let groups = Span { from: frame.groups, to: self.tree.groups };
                self.node(Node::Look(Look { child, behind, negative, index, groups }))?
            }
        };
        self.budget.push(&mut self.terms, id)?;
        Ok(Atom { groups: frame.groups, looks: frame.looks, quantifiable })
    }

    /// `{2}`, `{2,}` or `{2,3}`: the two numbers, not yet in order. Takes nothing if it is not one.
    fn braces(&mut self) -> Result<Option<(u64, u64)>, Error> {
        let start = self.at;
        let number = |parser: &mut Self| -> Result<Option<u64>, Error> {
            let mut value: Option<u64> = None;
            while let Some(digit) = parser.unit(0).and_then(|u| char::from_u32(u.into())?.to_digit(10)) {
                value = Some(value.unwrap_or(0).saturating_mul(10).saturating_add(digit.into()));
                parser.at += 1;
                parser.budget.work(1)?;
            }
            Ok(value)
        };
        let mut found = None;
        if self.eat('{')
            && let Some(min) = number(self)?
        {
            if self.eat('}') {
                found = Some((min, min));
            } else if self.eat(',') {
                let max = number(self)?;
                if self.eat('}') {
                    found = Some((min, max.unwrap_or(u64::MAX)));
                }
            }
        }
        if found.is_none() {
            self.at = start;
        }
        Ok(found)
    }

    /// `*`, `+`, `?` or braces behind an atom.
    fn quantifier(&mut self, atom: &Atom) -> Result<(), Error> {
        let (min, max) = if self.eat('*') {
            (0, u64::MAX)
        } else if self.eat('+') {
            (1, u64::MAX)
        } else if self.eat('?') {
            (0, 1)
        } else if self.is('{') {
            match self.braces()? {
                Some((min, max)) if max < min => return self.wrong(Mistake::RangeOutOfOrder),
                Some(both) => both,
                None if self.unicode => return self.wrong(Mistake::IncompleteQuantifier),
                None => return Ok(()),
            }
        } else {
            return Ok(());
        };
        let greedy = !self.eat('?');
        if !atom.quantifiable {
            return self.wrong(Mistake::InvalidQuantifier);
        }
        let Some(child) = self.terms.pop() else { return self.wrong(Mistake::NothingToRepeat) };
        let clamp = |n: u64| u32::try_from(n).unwrap_or(INFINITE);
        let repeat = Repeat {
            child,
            min: clamp(min),
            max: clamp(max),
            greedy,
            groups: Span { from: atom.groups, to: self.tree.groups },
            looks: Span { from: atom.looks, to: self.tree.looks },
        };
        let id = if (repeat.min, repeat.max) == (1, 1) { child } else { self.node(Node::Repeat(repeat))? };
        self.budget.push(&mut self.terms, id)
    }

    /// `\` outside a class. `None`: it was an assertion.
    fn escape(&mut self) -> Result<Option<Atom>, Error> {
        let Some(next) = self.unit(1) else { return self.wrong(Mistake::EscapeAtEnd) };
        let id = match u8::try_from(next) {
            Ok(letter @ (b'b' | b'B')) => {
                self.at += 2;
                self.assert(Assert::Boundary { negated: letter == b'B', folded: self.folded_words() })?;
                return Ok(None);
            }
            Ok(b'1'..=b'9') => match self.numbered_reference()? {
                Some(id) => id,
                None if self.unicode => return self.wrong(Mistake::InvalidEscape),
                None => {
                    self.at += 1;
                    let c = if matches!(next, 0x38 | 0x39) { self.take().unwrap_or(0) } else { self.octal() };
                    self.char_node(c)?
                }
            },
            Ok(b'k') if self.unicode || self.survey()?.named => {
                let place = self.at;
                self.at += 2;
                if !self.eat('<') {
                    return self.wrong(Mistake::InvalidNamedReference);
                }
                let name = self.name()?;
                let fold = self.ignore_case();
                let id = self.node(Node::BackReference { groups: List { first: 0, count: 0 }, fold })?;
                self.tree.back_references = true;
                self.budget.push(&mut self.references, (id, name, place))?;
                id
            }
            Ok(b'd' | b'D' | b's' | b'S' | b'w' | b'W') => {
                self.at += 1;
                let set = self.class_escape()?;
                self.set_node(set)?
            }
            Ok(b'p' | b'P') if self.unicode => {
                self.at += 1;
                let strings = self.property(Mistake::InvalidPropertyName)?;
                self.strings(&strings)?
            }
            _ => {
                self.at += 1;
                let c = self.character_escape(false)?;
                self.char_node(c)?
            }
        };
        Ok(Some(self.atom(id)?))
    }

    /// `\12`: a reference if there are so many groups. Takes nothing if not.
    fn numbered_reference(&mut self) -> Result<Option<Id>, Error> {
        let start = self.at;
        self.at += 1;
        let mut index: u32 = 0;
        while let Some(digit) = self.unit(0).and_then(|u| char::from_u32(u.into())?.to_digit(10)) {
            index = index.saturating_mul(10).saturating_add(digit);
            self.at += 1;
            self.budget.work(1)?;
        }
        if index >= self.tree.groups && index >= self.survey()?.groups {
            self.at = start;
            return Ok(None);
        }
        self.tree.back_references = true;
        let groups = self.list(&[index])?;
        let fold = self.ignore_case();
        self.node(Node::BackReference { groups, fold }).map(Some)
    }

    /// Counts the groups of the whole pattern and looks for names.
    fn survey(&mut self) -> Result<Survey, Error> {
        if let Some(survey) = self.survey {
            return Ok(survey);
        }
        let mut survey = Survey { groups: 1, named: false };
        self.budget.work(self.source.len() as u64 / 2)?;
        let mut classes = 0u32;
        let mut i = 0;
        while let Some(&unit) = self.source.get(i) {
            let next = |n: usize| self.source.get(i + n).copied().and_then(|u| u8::try_from(u).ok());
            match u8::try_from(unit) {
                Ok(b'\\') => i += 1,
                Ok(b'[') if classes == 0 || self.sets => classes += 1,
                Ok(b']') => classes = classes.saturating_sub(1),
                Ok(b'(') if classes == 0 => {
                    let named = next(1) == Some(b'?') && next(2) == Some(b'<') && !matches!(next(3), Some(b'=' | b'!'));
                    survey.groups += u32::from(named || next(1) != Some(b'?'));
                    survey.named |= named;
                }
                _ => {}
            }
            i += 1;
        }
        self.survey = Some(survey);
        Ok(survey)
    }

    /// Whether `\k` means a reference.
    pub(super) fn named_groups(&mut self) -> Result<bool, Error> {
        Ok(self.unicode || self.survey()?.named)
    }

    /// A group's name up to its `>`, behind its `<`, as code units.
    fn name(&mut self) -> Result<Vec<u16>, Error> {
        let mut name = Vec::new();
        loop {
            self.budget.work(1)?;
            let Some((mut c, width)) = self.code_point() else { return self.wrong(Mistake::InvalidCaptureGroupName) };
            self.at += width;
            if c == u32::from('>') && !name.is_empty() {
                break;
            }
            if c == u32::from('\\') && self.eat('u') {
                c = match self.unicode_escape(true)? {
                    Some(c) => c,
                    None => return self.wrong(Mistake::InvalidUnicodeEscape),
                };
            }
            let valid = char::from_u32(c).is_some_and(|ch| match ch {
                '$' | '_' => true,
                '\u{200C}' | '\u{200D}' => !name.is_empty(),
                _ if name.is_empty() => unicode::starts_name(ch),
                _ => unicode::continues_name(ch),
            });
            let Some(ch) = char::from_u32(c).filter(|_| valid) else {
                return self.wrong(Mistake::InvalidCaptureGroupName);
            };
            for &unit in &*ch.encode_utf16(&mut [0; 2]) {
                self.budget.push(&mut name, unit)?;
            }
        }
        Ok(name)
    }

    fn add_name(&mut self, name: Vec<u16>, index: u32, place: usize) -> Result<(), Error> {
        self.budget.memory(name.len() * 6 + 128)?;
        let entry = self.names.known.entry(name.clone()).or_default();
        if entry.1 {
            return Err(wrong(Mistake::DuplicateCaptureGroupName, place));
        }
        entry.0.push(index);
        entry.1 = true;
        self.names.order.push(name.clone());
        self.tree.names.push((index, name));
        Ok(())
    }

    /// Gives the named references their groups.
    fn resolve(&mut self) -> Result<(), Error> {
        // They were added as their groups ended.
        self.budget.work(self.tree.names.len() as u64 * 2)?;
        self.tree.names.sort_unstable_by_key(|(group, _)| *group);
        for (id, name, place) in std::mem::take(&mut self.references) {
            let Some((groups, _)) = self.names.known.get(&name) else {
                return Err(wrong(Mistake::InvalidNamedCaptureReferenced, place));
            };
            self.budget.work(groups.len() as u64 + name.len() as u64)?;
            let groups = groups.clone();
            let list = self.list(&groups)?;
            if let Some(Node::BackReference { groups, .. }) = self.tree.nodes.get_mut(id as usize) {
                *groups = list;
            }
        }
        Ok(())
    }

    /// A class that may have strings in it: the longest are tried first.
    ///
    /// Strings that begin differently exclude one another, so they are grouped by their first
    /// character; only the order inside a group matters.
    pub(super) fn strings(&mut self, class: &Strings) -> Result<Id, Error> {
        if class.strings.is_empty() {
            return self.set_node(class.set.clone());
        }
        self.budget.work(class.strings.iter().map(|s| s.len() as u64 + 1).sum::<u64>() + class.set.cost())?;
        self.budget.memory(class.strings.len() * 32)?;
        let base = self.alternatives.len();
        for same in class.strings.chunk_by(|a, b| a.first() == b.first()) {
            let Some(&first) = same.first().and_then(|s| s.first()) else { continue };
            let mut same: Vec<&[u32]> = same.iter().map(Vec::as_slice).collect();
            same.sort_by_key(|s| std::cmp::Reverse(s.len()));
            let terms = self.terms.len();
            let id = self.char_node(first)?;
            self.budget.push(&mut self.terms, id)?;
            let rests = self.alternatives.len();
            for string in same {
                let rest = self.terms.len();
                for &c in &string[1..] {
                    let id = self.char_node(c)?;
                    self.budget.push(&mut self.terms, id)?;
                }
                let id = self.concat(rest)?;
                self.budget.push(&mut self.alternatives, id)?;
            }
            let id = self.choice(rests)?;
            self.budget.push(&mut self.terms, id)?;
            let id = self.concat(terms)?;
            self.budget.push(&mut self.alternatives, id)?;
        }
        if !class.set.is_empty() {
            let id = self.set_node(class.set.clone())?;
            self.budget.push(&mut self.alternatives, id)?;
        }
        if class.strings.first().is_some_and(Vec::is_empty) {
            let id = self.node(Node::Empty)?;
            self.budget.push(&mut self.alternatives, id)?;
        }
        self.choice(base)
    }
}
