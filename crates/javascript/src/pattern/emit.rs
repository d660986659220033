//! From the tree to a program, without recursion: what is left to do lies on a stack of tasks.

use std::collections::HashMap;

use super::analyse::{Anchor, Facts, First, analyse};
use super::ast::{Assert, INFINITE, Id, List, Look, Node, Repeat, Tree};
use super::budget::{Budget, wrong};
use super::error::{Error, Mistake};
use super::flags::Flags;
use super::program::{HEADER, MAGIC, Program, at, class, look, op, point, run, search};
use super::set::{self, Set};

/// Makes the program of a tree.
pub(crate) fn emit(tree: &Tree, flags: Flags, budget: &mut Budget<'_>) -> Result<Program, Error> {
    let facts = analyse(tree, budget)?;
    let marks = tree.groups * 2 + tree.looks;
    let mut emitter = Emitter {
        tree,
        facts: &facts,
        budget,
        code: vec![0; HEADER as usize],
        classes: HashMap::new(),
        class_words: Vec::new(),
        class_uses: Vec::new(),
        points: Vec::new(),
        looks: vec![0; tree.looks as usize],
        tasks: Vec::new(),
        marks,
        most_marks: 0,
        most_counters: 0,
        rows: 0,
        hashed: 0,
        deepest_key: 0,
        leading: leading(tree),
    };
    emitter.whole()?;
    emitter.finish(flags)
}

/// Where a node stands.
#[derive(Clone, Copy, Debug)]
struct Context {
    /// Matched leftwards.
    back: bool,
    in_look: bool,
    /// Groups set here can be seen in the result.
    wanted: bool,
    /// Loops around that check for empty iterations, and those that count; the second of each is
    /// how many of them are outside the innermost look-around.
    marks: u32,
    outer_marks: u32,
    counters: u32,
    outer_counters: u32,
}

enum Task {
    Node {
        id: Id,
        context: Context,
        follow: First,
    },
    /// Characters of a concatenation, as a run of list entries.
    Text(List),
    /// One word.
    Word(u32),
    /// Before alternative `next`. `rest`: what each alternative and those after it begin with.
    Alternatives {
        list: List,
        next: u32,
        split: u32,
        jumps: u32,
        rest: Vec<First>,
        context: Context,
        follow: First,
    },
    /// Behind the body of a loop: a jump to its head, if it repeats, then the way out.
    LoopEnd {
        head: u32,
        repeats: bool,
    },
    /// Behind the body of a loop that is left at its end.
    LoopBack {
        head: u32,
        lazy: bool,
        context: Context,
        body: First,
        follow: First,
    },
    /// Behind a look-around's body.
    LookEnd {
        number: u32,
        start: u32,
    },
}

struct Emitter<'t, 'b, 'c> {
    tree: &'t Tree,
    facts: &'t [Facts],
    budget: &'b mut Budget<'c>,
    code: Vec<u32>,
    /// Where each class is in `class_words`.
    classes: HashMap<Vec<u32>, u32>,
    class_words: Vec<u32>,
    /// Words of the code that point to classes: which, and whether in the upper 24 bits.
    class_uses: Vec<(u32, bool)>,
    points: Vec<[u32; point::SIZE as usize]>,
    looks: Vec<u32>,
    tasks: Vec<Task>,
    /// The register of the first mark.
    marks: u32,
    most_marks: u32,
    most_counters: u32,
    rows: u32,
    hashed: u32,
    deepest_key: u32,
    /// The quantified character that the pattern begins with.
    leading: Option<Id>,
}

/// No address.
const NOWHERE: u32 = 0;

impl Emitter<'_, '_, '_> {
    fn here(&self) -> u32 {
        self.code.len() as u32
    }

    fn word(&mut self, word: u32) -> Result<(), Error> {
        if self.code.len() + self.class_words.len() >= self.budget.limits.program.min(1 << 24) as usize {
            return Err(wrong(Mistake::TooLarge, 0));
        }
        self.budget.work(1)?;
        self.budget.push(&mut self.code, word)
    }

    fn op(&mut self, code: u32, operand: u32) -> Result<(), Error> {
        self.word(code | operand << 8)
    }

    fn task(&mut self, task: Task) -> Result<(), Error> {
        self.budget.work(1)?;
        self.budget.push(&mut self.tasks, task)
    }

    fn later(&mut self, code: u32, operand: u32) -> Result<(), Error> {
        self.task(Task::Word(code | operand << 8))
    }

    /// Makes the instruction at `address` point here.
    fn patch(&mut self, address: u32) {
        let here = self.here();
        if let Some(word) = self.code.get_mut(address as usize) {
            *word = *word & 0xFF | here << 8;
        }
    }

    /// The whole pattern.
    fn whole(&mut self) -> Result<(), Error> {
        let facts = self.facts[self.tree.root as usize];
        let first = facts.first_with(First::ANY);
        match facts.anchor {
            Anchor::Start => self.op(op::SEARCH, search::START)?,
            Anchor::Line => self.op(op::SEARCH, search::LINE)?,
            Anchor::Anywhere if first == First::ANY => self.op(op::SEARCH, search::ANY)?,
            Anchor::Anywhere => match first.few().as_deref() {
                Some([unit]) => {
                    self.op(op::SEARCH, search::UNIT)?;
                    self.word(*unit)?;
                }
                Some([a, rest @ ..]) => {
                    self.op(op::SEARCH, search::UNITS)?;
                    let [b, c] = [rest[0], rest[rest.len() - 1]];
                    self.word(a | b << 8 | c << 16)?;
                }
                _ => {
                    self.op(op::SEARCH, search::CLASS)?;
                    self.class_of_first(&first, false)?;
                }
            },
        }
        // Every way to search takes two words.
        if self.here() == HEADER + 1 {
            self.word(0)?;
        }
        self.later(op::MATCH, 0)?;
        let context = Context { back: false, in_look: false, wanted: true, marks: 0, outer_marks: 0, counters: 0, outer_counters: 0 };
        self.task(Task::Node { id: self.tree.root, context, follow: First::ANY })?;
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Node { id, context, follow } => self.node(id, context, follow)?,
                Task::Text(list) => self.text(list)?,
                Task::Word(word) => self.word(word)?,
                Task::Alternatives { list, next, split, jumps, rest, context, follow } => {
                    self.alternative(list, next, split, jumps, rest, context, follow)?;
                }
                Task::LoopEnd { head, repeats } => {
                    if repeats {
                        self.op(op::JUMP, head)?;
                    }
                    self.patch(head);
                }
                Task::LoopBack { head, lazy, context, body, follow } => {
                    let (prefer_head, prefer_exit) = (op::SPLIT_AWAY, op::SPLIT);
                    if !context.back && body.excludes(&follow) {
                        self.branch(op::BRANCH_AWAY, head, context, &body)?;
                    } else {
                        self.op(if lazy { prefer_exit } else { prefer_head }, head)?;
                        self.point(context)?;
                    }
                }
                Task::LookEnd { number, start } => {
                    self.op(op::LOOK_END, number)?;
                    self.patch(start);
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, id: Id, context: Context, follow: First) -> Result<(), Error> {
        match self.tree.nodes[id as usize] {
            Node::Empty => Ok(()),
            Node::Char(c) => self.char(c, context.back),
            Node::Set(index) => self.set(index, context.back),
            Node::Concat(list) => self.concat(list, context, follow),
            Node::Alternatives(list) => {
                let mut rest: Vec<First> = Vec::new();
                if !context.back {
                    self.budget.memory(list.count as usize * size_of::<First>())?;
                    let mut all = First::NONE;
                    for &item in self.tree.list(list).iter().rev() {
                        all = all.union(self.facts[item as usize].first_with(follow));
                        rest.push(all);
                    }
                    rest.reverse();
                }
                self.alternative(list, 0, NOWHERE, NOWHERE, rest, context, follow)
            }
            Node::Group { index, child } => {
                let (first, second) = if context.back { (2 * index + 1, 2 * index) } else { (2 * index, 2 * index + 1) };
                self.op(op::SAVE, first)?;
                self.later(op::SAVE, second)?;
                self.task(Task::Node { id: child, context, follow })
            }
            Node::Repeat(repeat) => {
                let leading = if self.leading == Some(id) { run::LEADING } else { 0 };
                self.repeat(repeat, context, follow, leading)
            }
            Node::Assert(assert) => match assert {
                Assert::Start => self.op(op::START, 0),
                Assert::StartOfLine => self.op(op::START_OF_LINE, 0),
                Assert::End => self.op(op::END, 0),
                Assert::EndOfLine => self.op(op::END_OF_LINE, 0),
                Assert::Boundary { negated, folded } => self.op(op::BOUNDARY, u32::from(negated) | u32::from(folded) << 1),
            },
            Node::Look(look) => self.look(look, context),
            Node::BackReference { groups, fold } => {
                let groups = self.tree.list(groups);
                self.op(op::BACK_REFERENCE, groups.len() as u32)?;
                self.word(u32::from(fold) | u32::from(context.back) << 1)?;
                groups.iter().try_for_each(|&group| self.word(group))
            }
        }
    }

    /// The code units of a literal character, if it can be compared unit by unit.
    fn units(&self, c: u32) -> Option<(u32, Option<u32>)> {
        match c {
            // Half a pair must not match in the middle of a whole one.
            0xD800..=0xDFFF if self.tree.unicode => None,
            0x10000.. => Some((0xD7C0 + (c >> 10), Some(0xDC00 | c & 0x3FF))),
            _ => Some((c, None)),
        }
    }

    fn char(&mut self, c: u32, back: bool) -> Result<(), Error> {
        match (self.units(c), back) {
            (None, _) => {
                self.op(if back { op::CLASS_POINT_BACK } else { op::CLASS_POINT }, 0)?;
                self.class_of_set(&Set::one(c), true)
            }
            (Some((unit, None)), false) => self.op(op::CHAR, unit),
            (Some((unit, None)), true) => self.op(op::CHAR_BACK, unit),
            (Some((lead, Some(trail))), false) => {
                self.op(op::TEXT, 2)?;
                self.word(lead | trail << 16)
            }
            (Some((lead, Some(trail))), true) => {
                self.op(op::CHAR_BACK, trail)?;
                self.op(op::CHAR_BACK, lead)
            }
        }
    }

    fn text(&mut self, list: List) -> Result<(), Error> {
        let tree = self.tree;
        let mut units: Vec<u32> = Vec::new();
        for &id in tree.list(list) {
            if let Node::Char(c) = tree.nodes[id as usize]
                && let Some((unit, more)) = self.units(c)
            {
                self.budget.push(&mut units, unit)?;
                if let Some(more) = more {
                    self.budget.push(&mut units, more)?;
                }
            }
        }
        if let [unit] = units[..] {
            return self.op(op::CHAR, unit);
        }
        self.op(op::TEXT, units.len() as u32)?;
        units.chunks(2).try_for_each(|pair| self.word(pair[0] | pair.get(1).copied().unwrap_or(0) << 16))
    }

    /// Whether a set's characters must be read as code points: some are two units, or half.
    fn needs_points(&self, set: &Set) -> bool {
        self.tree.unicode && set.ranges().iter().any(|&(low, high)| high >= 0xD800 && low < 0xE000 || high >= 0x10000)
    }

    fn set(&mut self, index: u32, back: bool) -> Result<(), Error> {
        let tree = self.tree;
        let set = &tree.sets[index as usize];
        if set.is_empty() {
            return self.op(op::FAIL, 0);
        }
        if self.needs_points(set) {
            self.op(if back { op::CLASS_POINT_BACK } else { op::CLASS_POINT }, 0)?;
            return self.class_of_set(set, true);
        }
        if let [a, b] = set.first(3)[..] {
            self.op(if back { op::CHAR_2_BACK } else { op::CHAR_2 }, a)?;
            return self.word(b);
        }
        self.op(if back { op::CLASS_BACK } else { op::CLASS }, 0)?;
        self.class_of_set(set, true)
    }

    /// Lets the last word refer to a class, in its upper 24 bits or in a word of its own.
    fn class_of_set(&mut self, set: &Set, packed: bool) -> Result<(), Error> {
        self.budget.work(set.cost())?;
        let mut words = vec![0; class::RANGES as usize];
        for &(low, high) in set.ranges() {
            for unit in low..=high.min(0xFF) {
                words[unit as usize / 32] |= 1 << (unit % 32);
            }
            if high > 0xFF {
                words.extend([low.max(0x100), high]);
                words[class::COUNT as usize] += 1;
            }
        }
        self.class(words, packed)
    }

    fn class_of_first(&mut self, first: &First, packed: bool) -> Result<(), Error> {
        let mut words: Vec<u32> = first.low.iter().flat_map(|&w| [w as u32, (w >> 32) as u32]).collect();
        words.push(u32::from(first.high) | if first.end { class::END } else { 0 });
        if first.high {
            words.extend([0x100, set::LAST]);
        }
        self.class(words, packed)
    }

    fn class(&mut self, words: Vec<u32>, packed: bool) -> Result<(), Error> {
        self.budget.work(words.len() as u64 / 4)?;
        let place = match self.classes.get(&words) {
            Some(&place) => place,
            None => {
                let place = self.class_words.len() as u32;
                self.budget.memory(words.len() * 12 + 64)?;
                self.class_words.extend_from_slice(&words);
                self.classes.insert(words, place);
                place
            }
        };
        if !packed {
            self.word(0)?;
        }
        let address = self.here() - 1;
        if let Some(word) = self.code.last_mut() {
            *word |= if packed { place << 8 } else { place };
        }
        if place >= 1 << 24 {
            return Err(wrong(Mistake::TooLarge, 0));
        }
        self.budget.push(&mut self.class_uses, (address, packed))
    }

    /// A word that refers to a new point.
    fn point(&mut self, context: Context) -> Result<(), Error> {
        let marks = context.marks - context.outer_marks;
        let counters = context.counters - context.outer_counters;
        let rows = (marks + 1) * if context.in_look { 2 } else { 1 };
        let space = if counters == 0 { &mut self.rows } else { &mut self.hashed };
        let first = *space;
        *space = space.saturating_add(rows).min(point::IN_LOOK - 1);
        if counters > 0 {
            self.deepest_key = self.deepest_key.max(counters);
        }
        let first = if context.in_look { first | point::IN_LOOK } else { first };
        let words = [first, (self.marks + context.outer_marks) | marks << 16, context.outer_counters | counters << 16];
        let number = self.points.len() as u32;
        self.budget.push(&mut self.points, words)?;
        self.word(number)
    }

    fn branch(&mut self, code: u32, target: u32, context: Context, first: &First) -> Result<(), Error> {
        self.op(code, target)?;
        self.point(context)?;
        self.class_of_first(first, false)
    }

    fn concat(&mut self, list: List, context: Context, follow: First) -> Result<(), Error> {
        let tree = self.tree;
        let items = tree.list(list);
        if context.back {
            return items.iter().try_for_each(|&id| self.task(Task::Node { id, context, follow: First::ANY }));
        }
        let mut follow = follow;
        let mut end = items.len();
        while end > 0 {
            let id = items[end - 1];
            let is_text = |id: &u32| matches!(tree.nodes[*id as usize], Node::Char(c) if self.units(c).is_some());
            let texts = items[..end].iter().rev().take_while(|id| is_text(id)).count();
            if texts > 1 {
                let start = end - texts;
                self.task(Task::Text(List { first: list.first + start as u32, count: texts as u32 }))?;
                follow = self.facts[items[start] as usize].first;
                end = start;
                continue;
            }
            let behind = match items.get(end).map(|&next| tree.nodes[next as usize]) {
                Some(Node::Assert(Assert::Boundary { negated: false, .. })) if self.takes_words(id) => not_words(),
                _ => follow,
            };
            self.task(Task::Node { id, context, follow: behind })?;
            follow = self.facts[id as usize].first_with(follow);
            end -= 1;
        }
        Ok(())
    }

    /// Whether a node is a quantified class, or a group of just that, of nothing but ASCII word
    /// characters: behind it `\b` means that none follows.
    fn takes_words(&self, mut id: Id) -> bool {
        if let Node::Group { child, .. } = self.tree.nodes[id as usize] {
            id = child;
        }
        let Node::Repeat(Repeat { child, min: 1.., .. }) = self.tree.nodes[id as usize] else { return false };
        match self.tree.nodes[child as usize] {
            Node::Char(c) => set::words(false).contains(c),
            Node::Set(index) => {
                let set = &self.tree.sets[index as usize];
                set.ranges().len() < 16 && set.subtract(&set::words(false)).is_empty()
            }
            _ => false,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one task")]
    fn alternative(
        &mut self,
        list: List,
        next: u32,
        split: u32,
        mut jumps: u32,
        rest: Vec<First>,
        context: Context,
        follow: First,
    ) -> Result<(), Error> {
        if next > 0 && next < list.count {
            // The jumps to the end are a chain through their own operands.
            let address = self.here();
            self.op(op::JUMP, jumps)?;
            jumps = address;
            self.patch(split);
        }
        if next == list.count {
            while jumps != NOWHERE {
                let previous = self.code[jumps as usize] >> 8;
                self.patch(jumps);
                jumps = previous;
                self.budget.work(1)?;
            }
            return Ok(());
        }
        let id = self.tree.list(list)[next as usize];
        let split = self.here();
        if next + 1 < list.count {
            let this = self.facts[id as usize].first_with(follow);
            match rest.get(next as usize + 1) {
                Some(others) if this.excludes(others) => {
                    self.branch(op::BRANCH, 0, context, &this)?;
                }
                _ => {
                    self.op(op::SPLIT, 0)?;
                    self.point(context)?;
                }
            }
        }
        self.task(Task::Alternatives { list, next: next + 1, split, jumps, rest, context, follow })?;
        self.task(Task::Node { id, context, follow })
    }

    fn look(&mut self, look: Look, context: Context) -> Result<(), Error> {
        let wanted = context.wanted && !look.negative;
        let mut word = look.index;
        if look.negative {
            word |= look::NEGATIVE;
        }
        if !look.groups.is_empty() {
            word |= look::CAPTURES | if wanted { look::WANTED } else { 0 };
        }
        let start = self.here();
        self.looks[look.index as usize] = start;
        self.op(op::LOOK, 0)?;
        self.word(word)?;
        let inner =
            Context { back: look.behind, in_look: true, wanted, outer_marks: context.marks, outer_counters: context.counters, ..context };
        self.task(Task::LookEnd { number: look.index, start })?;
        self.task(Task::Node { id: look.child, context: inner, follow: First::ANY })
    }

    fn repeat(&mut self, mut repeat: Repeat, context: Context, follow: First, leading: u32) -> Result<(), Error> {
        let child = self.facts[repeat.child as usize];
        if child.zero_width {
            // Once is as good as many times; and an optional iteration that takes nothing fails.
            repeat.max = u32::from(repeat.min > 0);
            repeat.min = repeat.max;
        }
        if repeat.max == 0 {
            return Ok(());
        }
        if (repeat.min, repeat.max) == (1, 1) {
            return self.task(Task::Node { id: repeat.child, context, follow });
        }
        if !context.back && self.run(repeat, context, follow, leading)? {
            return Ok(());
        }
        let checked = child.empty && repeat.max > repeat.min;
        let plain = match (repeat.min, repeat.max) {
            (0, 1 | INFINITE) => true,
            (1, INFINITE) => !child.empty,
            _ => false,
        };
        let counted = !plain;
        let inner = Context { marks: context.marks + u32::from(checked), counters: context.counters + u32::from(counted), ..context };
        self.most_marks = self.most_marks.max(inner.marks);
        self.most_counters = self.most_counters.max(inner.counters);
        if inner.marks >= 0xFFFF - self.marks.min(0xFFFE) || inner.counters >= 0xFFFF {
            return Err(wrong(Mistake::TooLarge, 0));
        }
        let mark = self.marks + context.marks;
        let counter = context.counters;
        let loops = repeat.max > 1;
        // What an iteration can be followed by: another one, or what follows the loop.
        let body = child.first_with(follow);
        let inside = if context.back {
            First::ANY
        } else if loops {
            body.union(follow)
        } else {
            follow
        };
        let decided = !context.back && !child.open && body.excludes(&follow);
        let (prefer_on, prefer_away) = (op::SPLIT, op::SPLIT_AWAY);

        if counted {
            self.op(op::ZERO, counter)?;
            let head = self.here();
            self.op(op::LOOP, 0)?;
            self.point(Context { counters: inner.counters, ..context })?;
            self.word(counter | u32::from(!repeat.greedy) << 31)?;
            self.word(repeat.min)?;
            self.word(repeat.max)?;
            self.task(Task::LoopEnd { head, repeats: true })?;
            if checked {
                // Pushed last word first.
                self.task(Task::Word(repeat.min))?;
                self.task(Task::Word(counter))?;
                self.later(op::ADVANCE_COUNTED, mark)?;
            }
        } else if repeat.min == 1 {
            let head = self.here();
            self.task(Task::LoopBack { head, lazy: !repeat.greedy, context, body, follow })?;
        } else {
            let head = self.here();
            if decided {
                self.branch(op::BRANCH, 0, context, &body)?;
            } else {
                self.op(if repeat.greedy { prefer_on } else { prefer_away }, 0)?;
                self.point(context)?;
            }
            self.task(Task::LoopEnd { head, repeats: loops })?;
            if checked {
                self.later(op::ADVANCE, mark)?;
            }
        }
        if checked {
            self.op(op::SAVE, mark)?;
        }
        if loops && !(repeat.groups.is_empty() && repeat.looks.is_empty()) {
            self.op(op::RESET, 2 * repeat.groups.from)?;
            self.word(2 * repeat.groups.count())?;
            self.word(2 * self.tree.groups + repeat.looks.from)?;
            self.word(repeat.looks.count())?;
        }
        self.task(Task::Node { id: repeat.child, context: inner, follow: inside })
    }

    /// A quantified character as one instruction. Says whether it is one.
    fn run(&mut self, repeat: Repeat, context: Context, follow: First, leading: u32) -> Result<bool, Error> {
        let tree = self.tree;
        let single;
        let set = match tree.nodes[repeat.child as usize] {
            Node::Char(c) => {
                single = Set::one(c);
                &single
            }
            Node::Set(index) => &tree.sets[index as usize],
            _ => return Ok(false),
        };
        let first = self.facts[repeat.child as usize].first;
        let atomic = first.disjoint(&follow);
        let more = if repeat.max == INFINITE { INFINITE } else { repeat.max - repeat.min };
        if more > 0 && !repeat.greedy && !atomic && more != INFINITE {
            return Ok(false);
        }
        let points = if self.needs_points(set) { run::POINTS } else { 0 };
        if repeat.min == 1 {
            self.node(repeat.child, context, First::ANY)?;
        } else if repeat.min > 0 {
            self.op(op::EXACTLY, 0)?;
            self.class_of_set(set, true)?;
            self.word(repeat.min)?;
            self.word(points)?;
        }
        if more > 0 {
            self.op(if repeat.greedy || atomic { op::RUN } else { op::RUN_LAZY }, 0)?;
            self.class_of_set(set, true)?;
            self.point(context)?;
            self.word(more)?;
            if atomic || follow == First::ANY {
                self.word(0)?;
            } else {
                self.class_of_first(&follow, false)?;
            }
            self.word(points | leading | if atomic { run::ATOMIC } else { 0 })?;
        }
        Ok(true)
    }

    /// Puts the parts together.
    fn finish(mut self, flags: Flags) -> Result<Program, Error> {
        let tree = self.tree;
        let memo = !tree.back_references && self.rows < 1 << 24 && self.hashed < 1 << 24;
        let points = self.here();
        let sizes = self.points.len() * 3 + self.class_words.len() + self.looks.len() + tree.names.len() * 2;
        self.budget.memory(sizes * 4)?;
        self.budget.work(sizes as u64 / 4)?;
        for point in std::mem::take(&mut self.points) {
            self.code.extend(point);
        }
        let classes = self.here();
        for (address, packed) in std::mem::take(&mut self.class_uses) {
            if let Some(word) = self.code.get_mut(address as usize) {
                *word = word.wrapping_add(if packed { classes << 8 } else { classes });
            }
        }
        self.code.append(&mut self.class_words);
        let look_table = self.here();
        self.code.append(&mut self.looks);
        let names = self.here();
        for (group, name) in &tree.names {
            self.code.extend([*group, name.len() as u32]);
            self.budget.memory(name.len() * 2)?;
            let pair = |pair: &[u16]| u32::from(pair[0]) | u32::from(pair.get(1).copied().unwrap_or(0)) << 16;
            self.code.extend(name.chunks(2).map(pair));
        }
        if self.code.len() > self.budget.limits.program.min(1 << 24) as usize {
            return Err(wrong(Mistake::TooLarge, 0));
        }
        let length = self.here();
        let counters = self.marks + self.most_marks;
        let header = &mut self.code[..HEADER as usize];
        header[0] = MAGIC;
        header[at::FLAGS as usize] = flags.bits();
        header[at::GROUPS as usize] = tree.groups;
        header[at::REGISTERS as usize] = counters + self.most_counters;
        header[at::LENGTH as usize] = length;
        header[at::ENTRY as usize] = HEADER;
        header[at::ROWS as usize] = if memo { self.rows } else { 0 };
        header[at::STRIDE as usize] = if memo && self.deepest_key > 0 { 2 + self.deepest_key } else { 0 };
        header[at::LOOKS as usize] = tree.looks;
        header[at::LOOK_TABLE as usize] = look_table;
        header[at::NAMES as usize] = names;
        header[at::NAME_COUNT as usize] = tree.names.len() as u32;
        header[at::COUNTERS as usize] = counters;
        header[at::POINTS as usize] = points;
        self.budget.flush()?;
        Ok(Program { words: self.code })
    }
}

/// What comes behind a word at its boundary.
fn not_words() -> First {
    let mut first = First::of_set(&set::words(false).complement(set::LAST));
    first.end = true;
    first
}

/// The node of a character repeated without end that every attempt begins with, if it is the same
/// whatever the groups hold.
fn leading(tree: &Tree) -> Option<Id> {
    let mut id = tree.root;
    loop {
        id = match tree.nodes[id as usize] {
            Node::Concat(list) => *tree.list(list).first()?,
            Node::Group { child, .. } => child,
            Node::Repeat(Repeat { max: INFINITE, .. }) if !tree.back_references => return Some(id),
            _ => return None,
        };
    }
}
