//! From tree to bytecode.
//!
//! One function at a time, in the order in which closures of them are met, so that the host's stack
//! holds one function's nesting only. Variables live in registers; those that inner functions use
//! live in boxes, and every function lists the boxes that its closures take along.

mod assign;
mod call;
mod class;
mod composite;
mod condition;
mod control;
mod emit;
mod expression;
mod function;
mod names;
mod own;
mod pattern;
mod short;
mod statement;

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::bytecode::{self, Text, Unit, VariableKind};
use crate::syntax::tree::{BindingId, ClassId, FunctionId, NONE, ScopeId};
use crate::syntax::{Budget, Diagnostic, Fault, Goal, Options, Parser, Tree};

/// A table by numbers that count up from zero, so that nobody can choose them to collide.
type Numbered<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// The result of a step of compiling.
type C<T> = Result<T, Box<Fault>>;

/// A register of the frame.
type Reg = u32;

/// Finds the number of an intrinsic by its name.
pub type Intrinsics<'a> = dyn Fn(&[u8]) -> Option<u16> + 'a;

/// What is to be compiled.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    /// What the text is read as.
    pub goal: Goal,
    /// How it is read.
    pub options: Options,
    /// Direct eval: the names of the call's [`bytecode::Constant::Scope`], in the same order.
    pub scope: Option<&'a [(&'a [u8], VariableKind)]>,
    /// Numbers of the intrinsics that the library's own source may call.
    pub intrinsic: Option<&'a Intrinsics<'a>>,
}

impl Request<'_> {
    /// A script, read as scripts are unless somebody asks for something else.
    fn is_plain_script(&self) -> bool {
        let Options { typescript, strict, library, .. } = self.options;
        self.goal == Goal::Script && !typescript && !strict && !library && self.scope.is_none()
    }
}

/// Reads `source` and compiles it into `unit`, which is emptied first.
///
/// Fuel: what reading costs, and one unit per word of bytecode. The caller gives back
/// [`Tree::held`] of the parser's tree when the unit has been taken over.
///
/// # Errors
/// What [`Parser::parse`] reports, and early errors that only the place of an eval shows.
pub fn compile(parser: &mut Parser, source: &[u8], request: &Request<'_>, unit: &mut Unit, budget: &mut dyn Budget) -> Result<(), Fault> {
    unit.clear();
    if source.len() <= short::LONGEST && request.is_plain_script() {
        if let Some(units) = short::script(source, unit)
            && budget.affords(units, short::MEMORY)
        {
            budget.charge(units);
            return Ok(());
        }
        unit.clear();
    }
    through_tree(parser, source, request, unit, budget)
}

/// The general way.
fn through_tree(parser: &mut Parser, source: &[u8], request: &Request<'_>, unit: &mut Unit, budget: &mut dyn Budget) -> Result<(), Fault> {
    parser.parse(source, request.goal, &request.options, budget)?;
    let mut room = ROOM.take().unwrap_or_default();
    let result = Compiler::new(parser.tree(), request, unit, budget, &mut room).run().map_err(|fault| *fault);
    room.empty();
    ROOM.set(Some(room));
    result
}

thread_local! {
    static ROOM: Cell<Option<Box<Room>>> = const { Cell::new(None) };
}

/// The longest list that is kept for the next compilation, in items.
const MOST_KEPT: usize = 1 << 10;

/// The compiler's lists: kept for the thread's next compilation, so that a small one allocates nothing.
macro_rules! room {
    ($($name:ident: $type:ty,)*) => {
        #[derive(Default)]
        struct Room {
            $($name: Vec<$type>,)*
            number_constants: HashMap<u64, u32>,
        }

        impl Room {
            fn empty(&mut self) {
                $(
                    if self.$name.capacity() > MOST_KEPT {
                        self.$name = Vec::new();
                    } else {
                        self.$name.clear();
                    }
                )*
            }
        }
    };
}

room! {
    jobs: Job,
    captured: Captured,
    places: Place,
    synthetic: FunctionId,
    unit_of: u32,
    texts: Text,
    name_constants: (u32, u32),
    text_constants: (u32, u32),
    eval_objects: u32,
    controls: control::Control,
    splits: control::Split,
    pending_labels: u32,
    labels: emit::Label,
    spine: u32,
    writes: u32,
}

/// Where a variable lives in the frame of its own function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Not yet entered.
    None,
    Register(u8),
    /// The register holds a box.
    Box(u8),
    /// An element of the function's array of further variables.
    Spilled(u32),
    /// The same, and the element holds a box: what is imported or exported, and what a direct eval may see.
    SpilledBox(u32),
    /// Top level of eval code: a variable of the code around it.
    Capture(u16),
}

/// What waits to be compiled.
#[derive(Debug, Clone, Copy)]
enum Source {
    Function(FunctionId),
    /// A class without a written constructor.
    DefaultConstructor(ClassId),
}

/// One function of the unit to be.
#[derive(Debug, Clone, Copy)]
struct Job {
    source: Source,
    /// Name given by where the function stands, if it has none.
    name: u32,
    /// First and last entry of its captures.
    first: u32,
    last: u32,
    count: u32,
    /// The unit's function in which its closure is made.
    parent: u32,
}

/// One captured box.
#[derive(Debug, Clone, Copy)]
struct Captured {
    from: bytecode::Capture,
    next: u32,
}

/// Everything about the function being compiled.
struct Frame {
    /// Its number in the unit.
    job: u32,
    /// In the tree; NONE for a default constructor.
    id: FunctionId,
    flags: u32,
    start: usize,
    constants: usize,
    handlers: usize,
    positions: usize,
    /// First free register.
    next: Reg,
    /// One past the highest register ever used.
    high: Reg,
    scope: ScopeId,
    /// Scripts and evals: where the completion value goes.
    completion: Option<Reg>,
    strict: bool,
    /// The binding that stands for the array of further variables, if there is one.
    spill: BindingId,
    spilled: u32,
    last_position: u32,
    /// Registers from here on are used by the expression being compiled and nothing else.
    kept: Reg,
    /// The initialisers of parameters are being compiled.
    in_parameters: bool,
    /// Loops around the statement being compiled.
    loops: u32,
}

/// The state of a compilation.
struct Compiler<'a> {
    tree: &'a Tree,
    request: &'a Request<'a>,
    unit: &'a mut Unit,
    budget: &'a mut dyn Budget,
    jobs: &'a mut Vec<Job>,
    captured: &'a mut Vec<Captured>,
    /// (function of the unit, binding) to number of capture.
    capture_numbers: Numbered<(u32, BindingId), u16>,
    /// Per binding; synthetic ones come after the tree's.
    places: &'a mut Vec<Place>,
    /// Owners (functions of the tree, or NONE for the default constructor) of synthetic bindings.
    synthetic: &'a mut Vec<FunctionId>,
    /// Per function of the tree: its number in the unit, or NONE.
    unit_of: &'a mut Vec<u32>,
    /// Per `with` or eval-extensible scope: the binding of its object.
    scope_objects: Numbered<ScopeId, BindingId>,
    /// Per function of the tree: the binding of its array of further variables.
    spills: Numbered<FunctionId, BindingId>,
    /// Per function of the tree: how many variables its scopes have; empty where all of them are few.
    variable_counts: Vec<u32>,
    /// Per class: bindings of computed keys and private methods, by element node.
    hidden: Numbered<u32, BindingId>,
    /// Text of atoms already copied to the unit.
    texts: &'a mut Vec<Text>,
    /// Index of name constants of the current function, by atom; valid if the stamp is the function's.
    name_constants: &'a mut Vec<(u32, u32)>,
    text_constants: &'a mut Vec<(u32, u32)>,
    number_constants: &'a mut HashMap<u64, u32>,
    /// Constants of the current function whose indices need more than sixteen bits.
    late_constants: Vec<bytecode::Constant>,
    /// Names around a direct eval.
    eval_names: HashMap<&'a [u8], u32>,
    eval_objects: &'a mut Vec<u32>,
    controls: &'a mut Vec<control::Control>,
    splits: &'a mut Vec<control::Split>,
    pending_labels: &'a mut Vec<u32>,
    labels: &'a mut Vec<emit::Label>,
    spine: &'a mut Vec<u32>,
    /// Nodes that assign to a variable, ascending: tells whether an operand must be copied.
    writes: &'a mut Vec<u32>,
    frame: Frame,
    /// Words whose memory and fuel have been paid.
    paid: usize,
}

const NO_TEXT: Text = Text { start: u32::MAX, length: 0 };

impl<'a> Compiler<'a> {
    fn new(tree: &'a Tree, request: &'a Request<'a>, unit: &'a mut Unit, budget: &'a mut dyn Budget, room: &'a mut Room) -> Self {
        let Room {
            jobs,
            captured,
            places,
            synthetic,
            unit_of,
            texts,
            name_constants,
            text_constants,
            eval_objects,
            controls,
            splits,
            pending_labels,
            labels,
            spine,
            writes,
            number_constants,
        } = room;
        places.resize(tree.bindings.len(), Place::None);
        unit_of.resize(tree.functions.len(), NONE);
        Compiler {
            tree,
            request,
            unit,
            budget,
            jobs,
            captured,
            capture_numbers: Numbered::default(),
            places,
            synthetic,
            unit_of,
            scope_objects: Numbered::default(),
            spills: Numbered::default(),
            variable_counts: Vec::new(),
            hidden: Numbered::default(),
            texts,
            name_constants,
            text_constants,
            number_constants,
            late_constants: Vec::new(),
            eval_names: HashMap::default(),
            eval_objects,
            controls,
            splits,
            pending_labels,
            labels,
            spine,
            writes,
            frame: Frame {
                job: 0,
                id: 0,
                flags: 0,
                start: 0,
                constants: 0,
                handlers: 0,
                positions: 0,
                next: 0,
                high: 0,
                scope: NONE,
                completion: None,
                strict: false,
                spill: NONE,
                spilled: 0,
                last_position: NONE,
                kept: 0,
                in_parameters: false,
                loops: 0,
            },
            paid: 0,
        }
    }

    fn run(&mut self) -> C<()> {
        self.find_writes()?;
        self.count_variables()?;
        self.index_eval_names();
        self.job(Source::Function(0), NONE, NONE)?;
        let mut next = 0;
        while next < self.jobs.len() {
            self.function(next as u32)?;
            next += 1;
        }
        // Captures are complete only now: an inner function may have asked for more.
        for index in 0..self.jobs.len() {
            let job = self.jobs[index];
            let start = self.unit.captures.len() as u32;
            let mut at = job.first;
            while at != NONE {
                let captured = self.captured[at as usize];
                self.unit.captures.push(captured.from);
                at = captured.next;
            }
            self.unit.functions[index].captures = bytecode::Range { start, end: self.unit.captures.len() as u32 };
        }
        self.pay()
    }

    /// Queues a function and gives its number in the unit.
    fn job(&mut self, source: Source, name: u32, parent: u32) -> C<u32> {
        let number = self.jobs.len() as u32;
        if let Source::Function(id) = source {
            let known = self.unit_of[id as usize];
            if known != NONE {
                return Ok(known);
            }
            self.unit_of[id as usize] = number;
        }
        self.hold(size_of::<Job>() + size_of::<bytecode::Function>())?;
        self.jobs.push(Job { source, name, first: NONE, last: NONE, count: 0, parent });
        self.unit.functions.push(bytecode::Function::default());
        Ok(number)
    }

    /// Pays for the words emitted since the last payment.
    fn pay(&mut self) -> C<()> {
        let words = self.unit.words.len() - self.paid;
        self.paid = self.unit.words.len();
        if !self.budget.charge(words as u64) {
            return Err(Box::new(Fault::OutOfFuel));
        }
        // Positions, constants and texts are of the order of the words.
        self.hold(words * 8)
    }

    fn hold(&mut self, bytes: usize) -> C<()> {
        if self.budget.hold(bytes) { Ok(()) } else { Err(Box::new(Fault::OutOfMemory)) }
    }

    /// A limit of the bytecode was met: a guest `RangeError`, like too deep a nesting.
    #[cold]
    fn too_complex<T>(&self, what: &str, offset: u32) -> C<T> {
        Err(Box::new(Fault::TooDeep(Diagnostic { message: what.to_owned(), offset })))
    }

    #[cold]
    fn syntax_error<T>(&self, message: String, offset: u32) -> C<T> {
        Err(Box::new(Fault::Syntax(Diagnostic { message, offset })))
    }

    /// Notes every node that assigns, in order of node numbers.
    fn find_writes(&mut self) -> C<()> {
        use crate::syntax::tree::Kind;
        if self.tree.nodes.len() < 3 {
            return Ok(());
        }
        for (index, node) in self.tree.nodes.iter().enumerate() {
            if matches!(node.kind, Kind::Assign | Kind::Update) {
                self.writes.push(index as u32);
            }
        }
        self.hold(self.writes.len() * size_of::<u32>())
    }

    /// Counts the variables of every function.
    fn count_variables(&mut self) -> C<()> {
        if self.tree.bindings.len() <= function::MOST_WITHOUT_SPILL {
            return Ok(());
        }
        self.hold(self.tree.functions.len() * size_of::<u32>())?;
        self.variable_counts.resize(self.tree.functions.len(), 0);
        for scope in self.tree.scopes.iter() {
            let mut binding = scope.first;
            while binding != NONE {
                if let Some(count) = self.variable_counts.get_mut(scope.function as usize) {
                    *count += 1;
                }
                binding = self.tree.binding(binding).next;
            }
        }
        Ok(())
    }

    /// Whether any node from after `first` up to `last` assigns something.
    fn writes_between(&self, first: u32, last: u32) -> bool {
        let at = self.writes.partition_point(|&node| node <= first);
        self.writes.get(at).is_some_and(|&node| node <= last)
    }
}
