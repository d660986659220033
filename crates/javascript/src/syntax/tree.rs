//! The tree of one source text: flat tables, 32-bit indices, nothing owned by a node.
//!
//! A node is sixteen bytes. What `a` and `b` mean is said at each [`Kind`]; "list" is the index of a
//! length-prefixed run in [`Tree::extra`], "extra" an index of a fixed record there. The all-ones
//! index [`NONE`] means that an optional part is absent.

use super::arena::Table;
use super::atoms::{Atom, Atoms};

/// "Absent", for every kind of index.
pub const NONE: u32 = u32::MAX;

/// Index of a node.
pub type NodeId = u32;
/// Index of a scope.
pub type ScopeId = u32;
/// Index of a binding (one declared variable).
pub type BindingId = u32;
/// Index of a function.
pub type FunctionId = u32;
/// Index of a class.
pub type ClassId = u32;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    // Expressions.
    /// A reference. `a` atom, `b` binding (NONE: global or dynamic). Flags: `DYNAMIC`, `TDZ`.
    Identifier,
    /// The name in a declaration. `a` atom, `b` binding.
    BindingIdentifier,
    /// `a`, `b`: low and high half of the double's bits.
    Number,
    /// `a` atom of the digits as written, without separators and the `n`.
    BigInt,
    /// `a` atom.
    String,
    /// `a` atom of the pattern, `b` atom of the flags.
    RegExp,
    /// `a` list of `cooked0, raw0, expression0, cooked1, raw1, ...`.
    Template,
    /// `a` tag, `b` list as in `Template` (a cooked text may be NONE).
    TaggedTemplate,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    Null,
    /// `this`. `b` binding of the owner's `this` if that is another function's.
    This,
    /// `super`, only as the object of a member or the callee of a call. `b` binding of the home object when captured.
    Super,
    /// `new.target`. `b` binding when captured.
    NewTarget,
    /// `import.meta`.
    ImportMeta,
    /// `a` list of expressions, `Spread`, `Elision`.
    Array,
    /// A hole in an array or array pattern.
    Elision,
    /// `a` list of `Property`, `Spread`.
    Object,
    /// `a` key, `b` value (expression or pattern). `small` is a [`PropertyKind`]; flags `COMPUTED`, `SHORTHAND`.
    Property,
    /// `a = 1` inside a literal that must turn out to be a pattern: `a` the identifier, `b` the initialiser.
    CoverInitialised,
    /// Function expression or method body. `a` function.
    Function,
    /// `a` function.
    Arrow,
    /// Class expression. `a` class.
    Class,
    /// `small` is a [`UnaryOp`], `a` operand.
    Unary,
    /// `++`/`--`: `a` target; flags `PREFIX`, `DECREMENT`.
    Update,
    /// `small` is a [`BinaryOp`], `a` left, `b` right.
    Binary,
    /// `small` is a [`LogicalOp`], `a` left, `b` right.
    Logical,
    /// `small` is an [`AssignOp`], `a` target, `b` value.
    Assign,
    /// `a` test, `b` extra `[then, else]`.
    Conditional,
    /// `a` callee, `b` list of arguments. Flags `OPTIONAL`, `DIRECT_EVAL`.
    Call,
    /// `a` callee, `b` list of arguments.
    New,
    /// `a.b`: `a` object, `b` atom. Flag `OPTIONAL`.
    Member,
    /// `a[b]`. Flag `OPTIONAL`.
    Index,
    /// `a.#b`: `a` object, `b` a `PrivateName` node. Flag `OPTIONAL`.
    PrivateMember,
    /// `#a in b`: `a` a `PrivateName` node, `b` object.
    PrivateIn,
    /// A private name: `a` atom (with its `#`), `b` binding.
    PrivateName,
    /// A whole chain that has at least one `?.`: `a` the chain.
    OptionalChain,
    /// `a` list.
    Sequence,
    /// `...a` in arrays, calls, objects.
    Spread,
    /// `a` argument or NONE. Flag `DELEGATE`.
    Yield,
    /// `a`.
    Await,
    /// `import(a, b)`; `b` may be NONE.
    ImportCall,
    /// `%name(...)` in the library's own source: `a` atom of the name, `b` list of arguments.
    Intrinsic,

    // Patterns.
    /// `a` list of patterns, `Rest`, `Elision`.
    ArrayPattern,
    /// `a` list of `Property` (value a pattern) and `Rest`.
    ObjectPattern,
    /// `a = b` in a pattern: `a` target, `b` initialiser.
    Default,
    /// `...a` in a pattern or parameter list.
    Rest,

    // Statements.
    /// `small` is a [`DeclarationKind`], `a` list of `Declarator`.
    Variables,
    /// `a` pattern or `BindingIdentifier`, `b` initialiser or NONE.
    Declarator,
    /// `a` function, `b` binding. Flag `ANNEX_B`: evaluating it also assigns the function's `var`.
    FunctionDeclaration,
    /// `a` class, `b` binding.
    ClassDeclaration,
    /// `a` expression.
    Expression,
    /// `a` list, `b` scope or NONE when nothing is declared in it.
    Block,
    /// `;`
    Empty,
    /// `a` test, `b` extra `[then, else]`.
    If,
    /// `a` scope or NONE, `b` extra `[init, test, update, body]`.
    For,
    /// `a` scope or NONE, `b` extra `[left, right, body, head scope or NONE]`. Left is `Variables` with one declarator, or a target.
    ForIn,
    /// As `ForIn`. Flag `AWAIT`.
    ForOf,
    /// `a` test, `b` body.
    While,
    /// `a` test, `b` body.
    DoWhile,
    /// `a` argument or NONE.
    Return,
    /// `a` label atom or NONE.
    Break,
    /// `a` label atom or NONE.
    Continue,
    /// `a`.
    Throw,
    /// `a` block, `b` extra `[catch scope, parameter, catch block, finally block]`, each may be NONE.
    Try,
    /// `a` discriminant, `b` extra `[scope or NONE, list of Case]`.
    Switch,
    /// `a` test (NONE for `default`), `b` list.
    Case,
    /// `a` label atom, `b` statement.
    Labelled,
    /// `a` object, `b` extra `[scope, body]`.
    With,
    /// `debugger`.
    Debugger,
    /// An `import` declaration: everything is in the module tables.
    Import,
    /// `export` of a declaration: `a` the declaration, or NONE (everything is in the module tables).
    Export,
    /// `export default`: `a` a `FunctionDeclaration`, a `ClassDeclaration` or an expression, `b` the binding of `*default*`.
    ExportDefault,

    // Class elements.
    /// `a` key, `b` a `Function` node. `small` is a [`PropertyKind`]; flags `COMPUTED`, `STATIC`.
    ClassMethod,
    /// `a` key, `b` initialiser or NONE. Flags `COMPUTED`, `STATIC`, `AUTO_ACCESSOR`.
    ClassField,
    /// `a` list of statements, `b` scope.
    StaticBlock,
}

/// Flags of a node; their meaning depends on the kind, except `PARENTHESISED`.
pub mod flag {
    /// The expression stood in parentheses.
    pub const PARENTHESISED: u8 = 1 << 7;
    /// Property, class element: the key is an expression in brackets.
    pub const COMPUTED: u8 = 1;
    /// Property: written without a value.
    pub const SHORTHAND: u8 = 2;
    /// Class element.
    pub const STATIC: u8 = 2;
    /// Object: the property is `__proto__: value`, which sets the prototype.
    pub const SETS_PROTOTYPE: u8 = 4;
    /// Member, index, call: begins with `?.`.
    pub const OPTIONAL: u8 = 1;
    /// Call: the callee is the plain name `eval`.
    pub const DIRECT_EVAL: u8 = 2;
    /// Update.
    pub const PREFIX: u8 = 1;
    /// Update.
    pub const DECREMENT: u8 = 2;
    /// Yield: `yield*`.
    pub const DELEGATE: u8 = 1;
    /// ForOf: `for await`.
    pub const AWAIT: u8 = 1;
    /// Identifier: a `with` or a sloppy direct eval lies between, so the name is looked up at run time first.
    pub const DYNAMIC: u8 = 1;
    /// Identifier: the binding may still be uninitialised here.
    pub const TDZ: u8 = 2;
    /// Identifier: it is (also) written.
    pub const WRITE: u8 = 4;
    /// String used as a statement: it was written without escapes and without parentheses.
    pub const PLAIN: u8 = 1;
    /// BindingIdentifier of a `var`: the binding is the catch parameter of that name, which its initialiser sets (Annex B.3.4).
    pub const REDECLARES: u8 = 1;
    /// FunctionDeclaration: also assigns a variable of the enclosing function (Annex B.3.3).
    pub const ANNEX_B: u8 = 1;
    /// Array, Object: a trailing comma follows a spread, so it cannot become a pattern.
    pub const COMMA_AFTER_SPREAD: u8 = 1;
    /// Declarator, property, element in TypeScript only: nothing is emitted for it.
    pub const ERASED: u8 = 8;
}

/// `small` of a `Property` or `ClassMethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum PropertyKind {
    /// `key: value`, `key`.
    Init,
    /// `key() {}`.
    Method,
    /// `get key() {}`.
    Get,
    /// `set key(v) {}`.
    Set,
}

/// Prefix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Minus,
    Plus,
    Not,
    BitNot,
    TypeOf,
    Void,
    Delete,
}

/// Binary operators, in the order of [`AssignOp`]'s compound forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Exp,
    Shl,
    Shr,
    UShr,
    BitAnd,
    BitOr,
    BitXor,
    Eq,
    Ne,
    StrictEq,
    StrictNe,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    InstanceOf,
}

/// Operators that may leave their right side unevaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)]
pub enum LogicalOp {
    And,
    Or,
    Coalesce,
}

/// Assignment operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)]
pub enum AssignOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Exp,
    Shl,
    Shr,
    UShr,
    BitAnd,
    BitOr,
    BitXor,
    And,
    Or,
    Coalesce,
    Assign,
}

/// `small` of a `Variables` node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)]
pub enum DeclarationKind {
    Var,
    Let,
    Const,
}

macro_rules! from_small {
    ($($type:ident: $last:ident),*) => {$(
        impl $type {
            const ALL: &'static [$type] = &from_small!(@ $type);
            /// The operator that `small` of a node stands for.
            #[inline]
            pub fn from_small(small: u16) -> $type {
                Self::ALL.get(small as usize).copied().unwrap_or($type::$last)
            }
        }
    )*};
    (@ PropertyKind) => { [PropertyKind::Init, PropertyKind::Method, PropertyKind::Get, PropertyKind::Set] };
    (@ UnaryOp) => { [UnaryOp::Minus, UnaryOp::Plus, UnaryOp::Not, UnaryOp::BitNot, UnaryOp::TypeOf, UnaryOp::Void, UnaryOp::Delete] };
    (@ BinaryOp) => { {
        use BinaryOp::*;
        [Add, Sub, Mul, Div, Rem, Exp, Shl, Shr, UShr, BitAnd, BitOr, BitXor, Eq, Ne, StrictEq, StrictNe, Lt, Le, Gt, Ge, In, InstanceOf]
    } };
    (@ LogicalOp) => { [LogicalOp::And, LogicalOp::Or, LogicalOp::Coalesce] };
    (@ AssignOp) => { {
        use AssignOp::*;
        [Add, Sub, Mul, Div, Rem, Exp, Shl, Shr, UShr, BitAnd, BitOr, BitXor, And, Or, Coalesce, Assign]
    } };
    (@ DeclarationKind) => { [DeclarationKind::Var, DeclarationKind::Let, DeclarationKind::Const] };
}
from_small!(PropertyKind: Set, UnaryOp: Delete, BinaryOp: InstanceOf, LogicalOp: Coalesce, AssignOp: Assign, DeclarationKind: Const);

/// One node.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// See [`flag`].
    pub flags: u8,
    /// An operator or kind, see [`Kind`].
    pub small: u16,
    /// Byte offset in the source where errors about it are reported.
    pub start: u32,
    /// First operand.
    pub a: u32,
    /// Second operand.
    pub b: u32,
}

const _: () = assert!(size_of::<Node>() == 16);

/// What a scope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    /// Top level of a script: `let`, `const`, `class` in the global lexical environment, `var` and functions on the global object.
    Script,
    /// Top level of a module.
    Module,
    /// Top level of eval code.
    Eval,
    /// Parameters of a function, and its body too unless the body has a scope of its own.
    Function,
    /// Body of a function whose parameter expressions hold closures.
    Body,
    /// Holds only the name of a named function expression.
    FunctionName,
    /// A block, a loop head, a switch.
    Block,
    /// The cases of a switch: textual order says nothing about initialisation.
    Switch,
    /// The parameter of a catch clause.
    Catch,
    /// Head of a `for` loop with `let` or `const`.
    Loop,
    /// A class: its inner name and its private names.
    Class,
    /// A static block: `var`s stop here.
    StaticBlock,
    /// The object of a `with`.
    With,
}

/// Flags of a scope.
pub mod scope_flag {
    /// A direct eval lies somewhere inside: every binding can be reached by name.
    pub const HAS_EVAL: u8 = 1;
    /// A sloppy direct eval may add `var`s here (function scopes).
    pub const EVAL_DECLARES: u8 = 2;
    /// At least one binding is captured: the scope needs an environment of its own.
    pub const CAPTURED: u8 = 4;
    /// The scope lies in a loop body or is a loop head that is entered again: captured bindings are fresh each time round.
    pub const IN_LOOP: u8 = 8;
    /// A simple catch parameter, which `var` may redeclare.
    pub const SIMPLE_CATCH: u8 = 16;
    /// The scope was left.
    pub const CLOSED: u8 = 32;
}

/// One scope.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// What it is for.
    pub kind: ScopeKind,
    /// See [`scope_flag`].
    pub flags: u8,
    /// Enclosing scope or NONE.
    pub parent: ScopeId,
    /// The function whose frame holds its bindings.
    pub function: FunctionId,
    /// First binding, in order of declaration; the rest by [`Binding::next`].
    pub first: BindingId,
    /// Last binding.
    pub last: BindingId,
    /// Where it begins in the source.
    pub start: u32,
    pub(crate) depth: u32,
    pub(crate) hoist_mark: u32,
    /// Its entry in the log from which names are resolved.
    pub(crate) entered: u32,
}

/// How a binding came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingKind {
    /// `var`.
    Var,
    /// A function declared at the top level of a function or script: hoisted like `var`.
    Function,
    /// A function declared in a block: hoisted to the start of the block.
    BlockFunction,
    /// `let`.
    Let,
    /// `const`.
    Const,
    /// A class declaration (assignable, uninitialised before).
    Class,
    /// The name of a class inside the class (constant).
    ClassName,
    /// The name of a function expression inside it (silently constant).
    FunctionName,
    /// A parameter.
    Parameter,
    /// A catch parameter.
    CatchParameter,
    /// An import: reads go through to the exporting module.
    Import,
    /// A private name of a class.
    Private,
    /// The function's own `arguments` object.
    Arguments,
    /// The function's `this`, when an inner arrow function or an eval needs it.
    This,
    /// The function's `new.target`, likewise.
    NewTarget,
    /// The function's home object, likewise.
    HomeObject,
    /// The running function itself (for `super(...)` in arrows), likewise.
    Callee,
}

/// Flags of a binding.
pub mod binding_flag {
    /// Used by an inner function, or reachable by a direct eval: it cannot live in a register only.
    pub const CAPTURED: u8 = 1;
    /// Assigned after its declaration somewhere.
    pub const ASSIGNED: u8 = 2;
    /// Read or written somewhere.
    pub const USED: u8 = 4;
    /// Some use may come before the initialisation.
    pub const NEEDS_TDZ: u8 = 8;
    /// Private name: a getter, setter or method, not a field.
    pub const PRIVATE_METHOD: u8 = 16;
    /// Private name: static.
    pub const PRIVATE_STATIC: u8 = 32;
    /// Exported by a module.
    pub const EXPORTED: u8 = 64;
    /// A `var` that exists only because of a function in a block (Annex B.3.3).
    pub const ANNEX_B: u8 = 128;
}

/// One declared variable.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Its name.
    pub name: Atom,
    /// How it came about.
    pub kind: BindingKind,
    /// See [`binding_flag`].
    pub flags: u8,
    /// For private names: 1 has a getter, 2 has a setter, 4 other.
    pub accessors: u8,
    /// Where it is declared.
    pub scope: ScopeId,
    /// Next binding of the scope.
    pub next: BindingId,
    /// Byte offset of the declaring name.
    pub start: u32,
    /// Byte offset from which on it is initialised, for code that runs in textual order.
    pub initialised: u32,
    /// Of a function binding: the last `FunctionDeclaration` node; of a parameter: its position.
    pub node: NodeId,
    pub(crate) shadowed: BindingId,
    /// While the text is read: the byte offset of the last `var` of this name.
    pub(crate) last_var: u32,
    /// The function whose frame holds it, once names are resolved.
    pub(crate) home: FunctionId,
}

/// Flags of a function.
pub mod function_flag {
    #![allow(missing_docs)]
    pub const ARROW: u32 = 1;
    pub const ASYNC: u32 = 1 << 1;
    pub const GENERATOR: u32 = 1 << 2;
    pub const STRICT: u32 = 1 << 3;
    /// Has a home object: method, accessor, constructor, field initialiser.
    pub const METHOD: u32 = 1 << 4;
    pub const GETTER: u32 = 1 << 5;
    pub const SETTER: u32 = 1 << 6;
    pub const CONSTRUCTOR: u32 = 1 << 7;
    pub const DERIVED: u32 = 1 << 8;
    /// Runs the fields of a class (or its static elements): no source text of its own.
    pub const FIELDS: u32 = 1 << 9;
    pub const STATIC: u32 = 1 << 10;
    /// An arrow function whose body is one expression.
    pub const EXPRESSION: u32 = 1 << 11;
    pub const SIMPLE_PARAMETERS: u32 = 1 << 12;
    /// A declaration, so hoisted.
    pub const DECLARATION: u32 = 1 << 13;
    pub const HAS_EVAL: u32 = 1 << 14;
    pub const USES_ARGUMENTS: u32 = 1 << 15;
    pub const USES_THIS: u32 = 1 << 16;
    pub const USE_STRICT_DIRECTIVE: u32 = 1 << 17;
    pub const PARAMETER_EVAL: u32 = 1 << 18;
    /// The top level of a script, module or eval.
    pub const TOP: u32 = 1 << 19;
    /// Top level of a module that awaits.
    pub const TOP_AWAIT: u32 = 1 << 20;
    /// An inner function mentions one of this function's bindings.
    pub const HAS_CAPTURED: u32 = 1 << 21;
    /// Calls `super(...)`, itself or in an arrow function of its own.
    pub const USES_SUPER_CALL: u32 = 1 << 22;
    /// Mentions `super` itself, so it needs its home object.
    pub const USES_HOME: u32 = 1 << 23;
    /// Mentions `new.target` itself.
    pub const USES_NEW_TARGET: u32 = 1 << 24;
    /// Parameter expressions hold functions, classes or a direct eval.
    pub const PARAMETER_CLOSURES: u32 = 1 << 25;
}

/// One function (or the top level of a text, which is function 0).
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Name, or NONE.
    pub name: Atom,
    /// See [`function_flag`].
    pub flags: u32,
    /// First byte of its source text.
    pub start: u32,
    /// One past the last byte of its source text.
    pub end: u32,
    /// List of parameters: patterns, `Default`, `Rest`, `BindingIdentifier`.
    pub params: u32,
    /// The `length` property.
    pub length: u32,
    /// List of statements; for `EXPRESSION` the node of the expression.
    pub body: u32,
    /// Scope of parameters and (usually) body.
    pub scope: ScopeId,
    /// Scope of the body where it is another, else NONE.
    pub body_scope: ScopeId,
    /// Scope of the function expression's own name, or NONE.
    pub name_scope: ScopeId,
    /// The function around it, NONE for the top.
    pub parent: FunctionId,
    /// Binding of `arguments`, if used.
    pub arguments: BindingId,
    /// Binding of `this`, if an inner arrow function uses it.
    pub this: BindingId,
    /// Binding of `new.target`, likewise.
    pub new_target: BindingId,
    /// Binding of the home object, likewise.
    pub home_object: BindingId,
    /// Binding of the function itself, likewise.
    pub callee: BindingId,
    /// The class it is the constructor or the initialiser of, or NONE.
    pub class: ClassId,
}

/// One class.
#[derive(Debug, Clone, Copy)]
pub struct Class {
    /// Name, or NONE.
    pub name: Atom,
    /// First byte of its source text.
    pub start: u32,
    /// One past the last byte of its source text.
    pub end: u32,
    /// Scope of the inner name.
    pub scope: ScopeId,
    /// Scope of the private names: the same, unless there is a heritage.
    pub private_scope: ScopeId,
    /// Binding of the inner name, or NONE.
    pub inner_name: BindingId,
    /// The expression after `extends`, or NONE.
    pub heritage: NodeId,
    /// The constructor's `Function` node, or NONE.
    pub constructor: NodeId,
    /// List of `ClassMethod`, `ClassField`, `StaticBlock` (without the constructor).
    pub elements: u32,
    /// The function that runs the instance fields, or NONE.
    pub instance_fields: FunctionId,
    /// The function that runs static fields and blocks, or NONE.
    pub static_fields: FunctionId,
}

/// One imported name.
#[derive(Debug, Clone, Copy)]
pub struct ImportEntry {
    /// Index in [`Tree::requests`].
    pub request: u32,
    /// Name in the other module; NONE for the whole name space.
    pub name: Atom,
    /// Local binding.
    pub binding: BindingId,
    /// Byte offset.
    pub start: u32,
}

/// One exported name.
#[derive(Debug, Clone, Copy)]
pub struct ExportEntry {
    /// Exported name; NONE for `export *`.
    pub name: Atom,
    /// Index in [`Tree::requests`], NONE for an own binding.
    pub request: u32,
    /// Own exports: local name. Indirect: the name in the other module, NONE for the whole name space.
    pub local: Atom,
    /// Own exports: the binding.
    pub binding: BindingId,
    /// Byte offset.
    pub start: u32,
}

/// One module asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// The specifier.
    pub specifier: Atom,
    /// List of atoms: key, value, key, value...
    pub attributes: u32,
    /// Byte offset.
    pub start: u32,
}

/// Everything known about one source text.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub(crate) nodes: Table<Node>,
    pub(crate) extra: Table<u32>,
    pub(crate) scopes: Table<Scope>,
    pub(crate) bindings: Table<Binding>,
    pub(crate) functions: Table<Function>,
    pub(crate) classes: Table<Class>,
    pub(crate) imports: Table<ImportEntry>,
    pub(crate) exports: Table<ExportEntry>,
    pub(crate) requests: Table<Request>,
    pub(crate) atoms: Atoms,
    pub(crate) held: usize,
}

impl Tree {
    pub(crate) fn reset(&mut self) {
        self.nodes.reset();
        self.extra.reset();
        self.scopes.reset();
        self.bindings.reset();
        self.functions.reset();
        self.classes.reset();
        self.imports.reset();
        self.exports.reset();
        self.requests.reset();
        self.atoms.reset();
        self.held = 0;
    }

    /// The node at an index.
    #[inline]
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id as usize]
    }

    /// The list at an index of `extra`.
    #[inline]
    pub fn list(&self, at: u32) -> &[u32] {
        let at = at as usize;
        let length = self.extra[at] as usize;
        &self.extra[at + 1..at + 1 + length]
    }

    /// Word `n` of the record at an index of `extra`.
    #[inline]
    pub fn extra(&self, at: u32, n: u32) -> u32 {
        self.extra[at as usize + n as usize]
    }

    /// A scope.
    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id as usize]
    }

    /// A binding.
    pub fn binding(&self, id: BindingId) -> &Binding {
        &self.bindings[id as usize]
    }

    /// The bindings of a scope, in order of declaration.
    pub fn bindings_of(&self, scope: ScopeId) -> impl Iterator<Item = BindingId> + '_ {
        let mut next = self.scopes[scope as usize].first;
        std::iter::from_fn(move || {
            let id = next;
            (id != NONE).then(|| {
                next = self.bindings[id as usize].next;
                id
            })
        })
    }

    /// A function; 0 is the top level.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id as usize]
    }

    /// All functions; 0 is the top level.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// A class.
    pub fn class(&self, id: ClassId) -> &Class {
        &self.classes[id as usize]
    }

    /// The text of an atom (WTF-8: like UTF-8, and lone surrogates as three bytes).
    pub fn text(&self, atom: Atom) -> &[u8] {
        self.atoms.text(atom)
    }

    /// Number of atoms; those below [`super::atoms::KNOWN`] are the same in every tree.
    pub fn atom_count(&self) -> u32 {
        self.atoms.len()
    }

    /// Names imported by a module.
    pub fn imports(&self) -> &[ImportEntry] {
        &self.imports
    }

    /// Names exported by a module.
    pub fn exports(&self) -> &[ExportEntry] {
        &self.exports
    }

    /// Modules asked for, in order, without repetition.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Number of nodes.
    pub fn node_count(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// Bytes that were asked of [`super::Budget::hold`] for this tree and are still in use.
    pub fn held(&self) -> usize {
        self.held
    }
}
