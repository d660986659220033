//! The instruction table: what the compiler emits and the interpreter runs.
//!
//! A register machine. An instruction is one 32-bit word, least significant byte first:
//! `opcode, a, b, c`, or `opcode, a, imm16`, followed by the extension words its row names.
//! Registers are bytes (0..=255) relative to the frame; see [`frame`] for the fixed ones.
//! A jump distance counts words from the *end* of the jumping instruction.
//! A `key` word is an index into the function's constants (a [`Constant::Name`]) in its low
//! 16 bits; the high 16 bits and the [`CACHE_WORDS`] words after it belong to the engine's
//! inline cache: the compiler emits zeros.
//!
//! Fuel: every instruction costs the units in its row, wide or not, cached or not. Rows keep their
//! price for as long as [`FUEL_SCHEDULE`] keeps its number.
//!
//! # Calls
//! A call's window starts at register `base` of the caller, and `base` must lie above every
//! register that is live after the call. The caller fills `base + CALLEE`, `base + THIS` and
//! `base + ARGUMENTS ..`; the engine fills `LINK`, `INFO` and (for constructions) `NEW_TARGET`.
//! The callee sees the same registers as 0, 1, 2... Missing parameters are filled with undefined;
//! surplus arguments lie in the registers behind the parameters until something overwrites them,
//! so `CreateArguments`, `CreateMappedArguments` and `Rest` come before any other instruction
//! that writes a register above the parameters.
//!
//! # Exceptions
//! [`Handler`]s of a function are searched in order, so inner ones come first. The exception is put
//! in the handler's register. Registers keep their values.

/// The version of the price list. Changes whenever any price or the meaning of a unit changes.
pub const FUEL_SCHEDULE: u32 = 5;

/// Fixed registers of a frame.
pub mod frame {
    /// Where to go on return (engine's).
    pub const LINK: u8 = 0;
    /// Argument count and kind of entry (engine's).
    pub const INFO: u8 = 1;
    /// The function that runs.
    pub const CALLEE: u8 = 2;
    /// `new.target`; only meaningful in a construction: read it with `LoadNewTarget`.
    pub const NEW_TARGET: u8 = 3;
    /// `this` as passed (see `CoerceThis`); in derived constructors "uninitialised" at entry.
    pub const THIS: u8 = 4;
    /// First parameter.
    pub const ARGUMENTS: u8 = 5;
}

/// Registers of the state of `SortRuns`. The runs `LOW..MIDDLE` and `HIGH..END` of one list are merged to `OUT` of the other.
pub mod sort {
    /// The list that holds the runs; at least `COUNT` dense elements, as the other one.
    pub const FROM: u8 = 0;
    /// The list that takes them.
    pub const TO: u8 = 1;
    /// The function that compares.
    pub const COMPARE: u8 = 2;
    /// Number of elements.
    pub const COUNT: u8 = 3;
    /// Length of runs; 0 before the first turn.
    pub const WIDTH: u8 = 4;
    /// Next element of the first run.
    pub const LOW: u8 = 5;
    /// Its end.
    pub const MIDDLE: u8 = 6;
    /// Next element of the second run.
    pub const HIGH: u8 = 7;
    /// Its end.
    pub const END: u8 = 8;
    /// Where the next element goes.
    pub const OUT: u8 = 9;
    /// What the function answered; "uninitialised" if it is not being asked.
    pub const RESULT: u8 = 10;
    /// The window of its call.
    pub const WINDOW: u8 = 11;
    /// Arguments of the call.
    pub const ARGUMENTS: u8 = 2;
}

/// Registers of the state of `EachElement`, and its modes.
pub mod each {
    /// The list.
    pub const LIST: u8 = 0;
    /// Index of the next element, or of the one that the function looks at.
    pub const INDEX: u8 = 1;
    /// Where to end.
    pub const LENGTH: u8 = 2;
    /// The function.
    pub const FUNCTION: u8 = 3;
    /// Its `this`.
    pub const THIS: u8 = 4;
    /// `MAP`, `FILTER`: an array of the library's that takes results or elements. `REDUCE`: the result so far.
    pub const OUT: u8 = 5;
    /// What the function answered; "uninitialised" if it is not being asked.
    pub const RESULT: u8 = 6;
    /// The element that the function looks at.
    pub const ITEM: u8 = 7;
    /// The window of its call.
    pub const WINDOW: u8 = 8;
    /// Most arguments of the call.
    pub const ARGUMENTS: u8 = 4;

    /// Goes through all.
    pub const EACH: u8 = 0;
    /// Stores results.
    pub const MAP: u8 = 1;
    /// Appends elements whose result is truthy.
    pub const FILTER: u8 = 2;
    /// Ends at the first truthy result.
    pub const SOME: u8 = 3;
    /// Ends at the first falsy result.
    pub const EVERY: u8 = 4;
    /// Hands the result on to the next turn.
    pub const REDUCE: u8 = 5;
}

/// Words of inline cache behind a `key` word.
pub const CACHE_WORDS: usize = 3;
/// Words of inline cache of a global access, and of a constant's value.
pub const GLOBAL_CACHE_WORDS: usize = 2;

/// What follows the first word of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// A signed jump distance in words, from the end of the instruction.
    Jump,
    /// A property or variable name: constant index in the low 16 bits (high bits zero).
    Key,
    /// The engine's own words: emitted as zero.
    Cache(usize),
    /// A constant index (32 bits).
    Constant,
    /// Index of a function in the unit.
    Function,
    /// Any number, meaning given in the row's text.
    Word,
}

/// How the first word is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `opcode` alone.
    None,
    /// `opcode, a`.
    A,
    /// `opcode, a, b`.
    AB,
    /// `opcode, a, b, c`: three registers.
    ABC,
    /// `opcode, a, b, signed byte`.
    ABI,
    /// `opcode, a, signed 16`.
    AI,
    /// `opcode, a, unsigned 16`.
    AX,
    /// `opcode, signed 24`.
    S24,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The instruction's name.
    pub name: &'static str,
    /// How the first word is cut.
    pub form: Form,
    /// What follows it.
    pub extensions: &'static [Extension],
    /// Units of fuel.
    pub fuel: u8,
}

impl Row {
    /// Length of the whole instruction in words.
    pub const fn words(&self) -> usize {
        let mut total = 1;
        let mut i = 0;
        while i < self.extensions.len() {
            total += match self.extensions[i] {
                Extension::Cache(n) => n,
                _ => 1,
            };
            i += 1;
        }
        total
    }
}

macro_rules! extension {
    (jump) => {
        Extension::Jump
    };
    (key) => {
        Extension::Key
    };
    (cache) => {
        Extension::Cache(CACHE_WORDS)
    };
    (gcache) => {
        Extension::Cache(GLOBAL_CACHE_WORDS)
    };
    (constant) => {
        Extension::Constant
    };
    (function) => {
        Extension::Function
    };
    (word) => {
        Extension::Word
    };
}

/// Calls `$macro!` with every row: `$name $form [$extensions] $fuel;`. The interpreter's dispatch
/// (table or match) is made from this, so there is one list of instructions.
#[macro_export]
#[doc(hidden)]
macro_rules! for_each_instruction {
    ($callback:ident) => {
        $callback! {
            // --- Moving values ------------------------------------------------------------
            /// Does nothing.
            Nop None [] 1;
            /// R[a] = R[b]
            Move AB [] 1;
            /// R[a] = the int imm16
            LoadInt AI [] 1;
            /// R[a] = constant imm16 (number, text, bigint); the engine keeps the value itself in its words
            LoadConstant AX [gcache] 1;
            /// R[a] = constant `word` (for indices over 65,535)
            LoadConstantWide A [constant] 1;
            /// R[a] = undefined
            LoadUndefined A [] 1;
            /// R[a] = null
            LoadNull A [] 1;
            /// R[a] = true
            LoadTrue A [] 1;
            /// R[a] = false
            LoadFalse A [] 1;
            /// R[a] = the "uninitialised" marker of the temporal dead zone
            LoadUninitialised A [] 1;
            /// R[a] = frame register `imm16` (a register over 255 of the same frame)
            LoadFar AX [] 1;
            /// frame register `imm16` = R[a]
            StoreFar AX [] 1;
            /// R[a] = new.target, undefined in a plain call
            LoadNewTarget A [] 1;
            /// R[a] = the number of arguments passed
            LoadArgumentCount A [] 1;
            /// R[a] = the global object
            LoadGlobalObject A [] 1;
            /// R[4] = `this` of a sloppy function: undefined and null become the global object, primitives are wrapped
            CoerceThis None [] 1;
            /// Throws ReferenceError if R[a] is uninitialised (`key`: the variable's name; name "this" gives the message for `super` not called)
            CheckInitialised A [key] 1;
            /// Throws TypeError "Assignment to constant variable"
            ThrowConstant None [key] 1;
            /// Throws a new error; a = 0 TypeError, 1 ReferenceError, 2 SyntaxError, 3 RangeError; message is the constant
            ThrowError A [constant] 1;
            // --- Jumps --------------------------------------------------------------------
            /// Jumps.
            Jump S24 [] 1;
            /// Jumps far.
            JumpWide None [jump] 1;
            /// Jumps if R[a] is truthy.
            JumpTrue A [jump] 1;
            /// Jumps if R[a] is falsy.
            JumpFalse A [jump] 1;
            /// Jumps if R[a] is null or undefined.
            JumpNullish A [jump] 1;
            /// Jumps if R[a] is neither null nor undefined.
            JumpNotNullish A [jump] 1;
            /// Jumps if R[a] is undefined.
            JumpUndefined A [jump] 1;
            /// Jumps if R[a] is not undefined.
            JumpNotUndefined A [jump] 1;
            /// Jumps if R[a] < R[b].
            JumpLess AB [jump] 1;
            /// Jumps if R[a] <= R[b].
            JumpLessEqual AB [jump] 1;
            /// Jumps unless R[a] < R[b] (not the same as >=: NaN).
            JumpNotLess AB [jump] 1;
            /// Jumps unless R[a] <= R[b].
            JumpNotLessEqual AB [jump] 1;
            /// Jumps if R[a] > R[b] (evaluates the left operand a first).
            JumpGreater AB [jump] 1;
            /// Jumps if R[a] >= R[b].
            JumpGreaterEqual AB [jump] 1;
            /// Jumps unless R[a] > R[b].
            JumpNotGreater AB [jump] 1;
            /// Jumps unless R[a] >= R[b].
            JumpNotGreaterEqual AB [jump] 1;
            /// Jumps if R[a] == R[b].
            JumpEqual AB [jump] 1;
            /// Jumps if R[a] != R[b].
            JumpNotEqual AB [jump] 1;
            /// Jumps if R[a] === R[b].
            JumpStrictEqual AB [jump] 1;
            /// Jumps if R[a] !== R[b].
            JumpStrictNotEqual AB [jump] 1;
            /// Jumps if R[a] < imm16.
            JumpLessInt AI [jump] 1;
            /// Jumps unless R[a] < imm16.
            JumpNotLessInt AI [jump] 1;
            /// Jumps if R[a] > imm16.
            JumpGreaterInt AI [jump] 1;
            /// Jumps unless R[a] > imm16.
            JumpNotGreaterInt AI [jump] 1;
            /// Jumps if R[a] === imm16.
            JumpStrictEqualInt AI [jump] 1;
            /// Jumps if R[a] !== imm16.
            JumpStrictNotEqualInt AI [jump] 1;
            /// Jumps by the imm16 + R[a]-th of the jump table constant; falls through if R[a] is no int in its range. For finally: R[a] is an int.
            JumpTable A [constant] 1;
            // --- Operators ----------------------------------------------------------------
            /// R[a] = R[b] + R[c]
            Add ABC [] 1;
            /// R[a] = R[b] + imm8
            AddInt ABI [] 1;
            /// R[a] = R[b] - R[c]
            Subtract ABC [] 1;
            /// R[a] = R[b] - imm8
            SubtractInt ABI [] 1;
            /// R[a] = R[b] * R[c]
            Multiply ABC [] 1;
            /// R[a] = R[b] / R[c]
            Divide ABC [] 1;
            /// R[a] = R[b] % R[c]
            Remainder ABC [] 1;
            /// R[a] = R[b] ** R[c]
            Power ABC [] 1;
            /// R[a] = R[b] & R[c]
            BitAnd ABC [] 1;
            /// R[a] = R[b] | R[c]
            BitOr ABC [] 1;
            /// R[a] = R[b] ^ R[c]
            BitXor ABC [] 1;
            /// R[a] = R[b] << R[c]
            ShiftLeft ABC [] 1;
            /// R[a] = R[b] >> R[c]
            ShiftRight ABC [] 1;
            /// R[a] = R[b] >>> R[c]
            ShiftRightUnsigned ABC [] 1;
            /// R[a] = R[b] & imm8
            BitAndInt ABI [] 1;
            /// R[a] = R[b] | imm8
            BitOrInt ABI [] 1;
            /// R[a] = R[b] << imm8
            ShiftLeftInt ABI [] 1;
            /// R[a] = R[b] >> imm8
            ShiftRightInt ABI [] 1;
            /// R[a] = R[b] >>> imm8
            ShiftRightUnsignedInt ABI [] 1;
            /// R[a] = -R[b]
            Negate AB [] 1;
            /// R[a] = ~R[b]
            BitNot AB [] 1;
            /// R[a] = !R[b]
            Not AB [] 1;
            /// R[a] = ToNumeric(R[b]) + 1 (++)
            Increment AB [] 1;
            /// R[a] = ToNumeric(R[b]) - 1 (--)
            Decrement AB [] 1;
            /// R[a] = ToNumber(R[b]) (unary +)
            ToNumber AB [] 1;
            /// R[a] = ToNumeric(R[b]) (the old value of a postfix ++)
            ToNumeric AB [] 1;
            /// R[a] = ToPropertyKey(R[b]), after a TypeError if c is not 0 and R[c] is undefined or null
            ToPropertyKey ABC [] 1;
            /// R[a] = ToString(R[b])
            ToString AB [] 1;
            /// R[a] = ToObject(R[b])
            ToObject AB [] 1;
            /// Throws TypeError if R[a] is null or undefined (destructuring)
            RequireObjectCoercible A [] 1;
            /// Throws TypeError if R[a] is not an object (b = 0: "iterator result is not an object", 1: generic)
            RequireObject AB [] 1;
            /// R[a] = typeof R[b]
            TypeOf AB [] 1;
            /// R[a] = R[b] < R[c]
            Less ABC [] 1;
            /// R[a] = R[b] <= R[c]
            LessEqual ABC [] 1;
            /// R[a] = R[b] > R[c]
            Greater ABC [] 1;
            /// R[a] = R[b] >= R[c]
            GreaterEqual ABC [] 1;
            /// R[a] = R[b] == R[c]
            Equal ABC [] 1;
            /// R[a] = R[b] != R[c]
            NotEqual ABC [] 1;
            /// R[a] = R[b] === R[c]
            StrictEqual ABC [] 1;
            /// R[a] = R[b] !== R[c]
            StrictNotEqual ABC [] 1;
            /// R[a] = R[b] instanceof R[c]
            InstanceOf ABC [] 1;
            /// R[a] = R[b] in R[c]
            In ABC [] 1;
            /// R[a] = the strings R[b] .. R[b+c-1] joined; each must be a string already (ToString)
            Concat ABC [] 1;
            // --- Captured variables: boxes ----------------------------------------------------
            /// R[a] = new box holding undefined
            NewBox A [] 1;
            /// R[a] = new box holding "uninitialised"
            NewBoxUninitialised A [] 1;
            /// R[a] = new box holding R[b]
            NewBoxOf AB [] 1;
            /// R[a] = contents of the box in R[b]
            GetBox AB [] 1;
            /// The same, throws ReferenceError if uninitialised
            GetBoxChecked AB [key] 1;
            /// contents of the box in R[a] = R[b]
            SetBox AB [] 1;
            /// The same, throws ReferenceError if it was uninitialised
            SetBoxChecked AB [key] 1;
            /// R[a] = contents of the running function's capture number imm16
            GetCapture AX [] 1;
            /// The same, throws ReferenceError if uninitialised
            GetCaptureChecked AX [key] 1;
            /// contents of capture imm16 = R[a]
            SetCapture AX [] 1;
            /// The same, throws ReferenceError if it was uninitialised
            SetCaptureChecked AX [key] 1;
            /// R[a] = capture number imm16 itself (the box)
            LoadCapture AX [] 1;
            // --- Scopes searched by name (with, sloppy direct eval) ---------------------------
            /// R[a] = new empty object without prototype that holds the `var`s of sloppy direct evals
            NewScopeObject A [] 1;
            /// Jumps unless object R[a] has a binding for key; b = 1: `with` object (honours @@unscopables), 0: scope object. If it has, go on with GetField, SetField, GetMethod, DeleteField on it.
            JumpUnlessInScope AB [key jump] 1;
            /// Scope object R[a]: declares key as undefined unless it is there
            DeclareInScope A [key] 1;
            // --- Globals --------------------------------------------------------------------
            /// R[a] = global; ReferenceError if absent or uninitialised
            GetGlobal A [key gcache] 1;
            /// R[a] = global, undefined if absent (typeof)
            GetGlobalOrUndefined A [key gcache] 1;
            /// global = R[a]; strict code: ReferenceError if absent
            SetGlobal A [key gcache] 1;
            /// Initialises a global let/const/class declared before
            InitialiseGlobal A [key] 1;
            /// Throws SyntaxError if the name cannot be declared globally; a = 0 var, 1 function, 2 lexical. All checks come before all declarations.
            CheckGlobal A [key] 1;
            /// Declares a global; a = 0 var, 1 let/class, 2 const, 3 var deletable (eval)
            DeclareGlobal A [key] 1;
            /// Declares a global function with value R[a]; b = 1 if deletable (eval)
            DeclareGlobalFunction AB [key] 1;
            // --- Properties ------------------------------------------------------------------
            /// R[a] = R[b].key
            GetField AB [key cache] 1;
            /// R[a] = R[b].length (key: "length")
            GetLength AB [key cache] 1;
            /// R[a].key = R[b] (strictness is the function's)
            SetField AB [key cache] 1;
            /// R[a] = R[b][R[c]]
            GetElement ABC [] 1;
            /// R[a][R[b]] = R[c]
            SetElement ABC [] 1;
            /// Call window at a: R[a+2] = R[b].key, R[a+4] = R[b]
            GetMethod AB [key cache] 1;
            /// Call window at a: R[a+2] = R[b][R[c]], R[a+4] = R[b]
            GetElementMethod ABC [] 1;
            /// R[a].key = R[b], an own data property (object literal, enumerable)
            DefineField AB [key cache] 1;
            /// R[a][R[b]] = R[c], an own data property (computed keys: ToPropertyKey first)
            DefineElement ABC [] 1;
            /// Defines R[a][R[b]] = function R[c]; word: bit 0 enumerable, bits 1-2: 0 method, 1 getter, 2 setter. Sets the home object to R[a].
            DefineMethod ABC [word] 1;
            /// R[a].__proto__ = R[b] in an object literal (ignored unless object or null)
            SetPrototype AB [] 1;
            /// R[a] = delete R[b].key
            DeleteField AB [key] 1;
            /// R[a] = delete R[b][R[c]]
            DeleteElement ABC [] 1;
            /// R[a] = super[R[b]] with this = R[c] ; home object: that of the function in R[`word`]
            GetSuper ABC [word] 1;
            /// super[R[b]] = R[a] with this = R[c] ; home object: that of the function in R[`word`]
            SetSuper ABC [word] 1;
            /// Sets the name of anonymous function R[a] to key R[b]; c = 0 plain, 1 "get ", 2 "set "
            SetFunctionName ABC [] 1;
            /// Sets the home object of function R[a] to R[b]
            SetHomeObject AB [] 1;
            /// R[a] = new private name described by key
            NewPrivateName A [key] 1;
            /// R[a] = R[b].#R[c]; TypeError if absent
            GetPrivate ABC [] 1;
            /// R[a].#R[b] = R[c]; TypeError if absent or not writable
            SetPrivate ABC [] 1;
            /// Adds field #R[b] = R[c] to R[a]; TypeError if there
            DefinePrivate ABC [] 1;
            /// Adds private method or accessor function R[c] as #R[b] to R[a]; word: 0 method, 1 getter, 2 setter
            DefinePrivateMethod ABC [word] 1;
            /// R[a] = #R[b] in R[c]
            HasPrivate ABC [] 1;
            /// Copies own enumerable properties of R[b] to R[a] (spread; null and undefined copy nothing), all but the c keys in R[a+1] .. R[a+c] (rest)
            CopyProperties ABC [] 1;
            // --- Making things -----------------------------------------------------------------
            /// R[a] = {} with room for imm16 properties
            NewObject AX [] 1;
            /// R[a] = [] with room for imm16 elements
            NewArray AX [] 1;
            /// Appends R[b] to array R[a] (array literal)
            ArrayPush AB [] 1;
            /// Appends a hole to array R[a]
            ArrayPushHole A [] 1;
            /// Appends everything iterable R[b] yields to array R[a]
            ArraySpread AB [] 1;
            /// R[a] = new RegExp of the constant ([`Constant::Pattern`])
            NewPattern A [constant] 1;
            /// R[a] = the template object of the constant ([`Constant::Template`]); the same object every time
            TemplateObject A [constant] 1;
            /// R[a] = closure of function `word` of the unit; its captures are taken as [`Function::captures`] says
            Closure A [function] 1;
            /// R[a] = arguments object (unmapped: strict or non-simple parameters); unless b is 0, also R[b] = array of the arguments from number c on
            CreateArguments ABC [] 1;
            /// R[a] = mapped arguments object. First put every parameter register's value in a box *in that register* (NewBoxOf p, p; a later duplicate name owns the mapping: leave the earlier unboxed); parameters number 0.. whose register holds a box are mapped; b and c as with CreateArguments
            CreateMappedArguments ABC [] 1;
            /// R[a] = array of the arguments from number b on
            Rest AB [] 1;
            /// R[a] = new array of the elements of array R[b] from number `word` on
            ArrayTail AB [word] 1;
            /// Class: R[a] = constructor (function `word`, captured as by Closure), R[a+1] = prototype; R[b] = heritage, "uninitialised" if there is none
            NewClass AB [function] 1;
            /// Class R[a] runs function R[b] on each new instance (fields, private methods)
            SetFieldInitialiser AB [] 1;
            /// Runs the field initialiser of class constructor function R[b], if any, on object R[a]
            InitialiseFields AB [] 1;
            // --- Calls ---------------------------------------------------------------------------
            /// R[a] = call with window at b, c arguments
            Call ABC [] 1;
            /// The same with undefined as `this`, which it puts in the window: R[b+4]
            CallFunction ABC [] 1;
            /// R[a] = new R[b+2](c arguments at window b)
            New ABC [] 1;
            /// R[a] = call with window at b, arguments from array R[b+5]
            CallSpread AB [] 1;
            /// R[a] = new R[b+2](...array R[b+5])
            NewSpread AB [] 1;
            /// R[a] = super(...): window b, c arguments (255: spread array in R[b+5]); R[b+2] = active function (its prototype is constructed), R[b+3] = new.target
            CallSuper ABC [] 1;
            /// Direct eval if R[b+2] is the intrinsic eval, else as Call. `word`: [`eval_flag`]s; constant: the [`Constant::Scope`] whose names the evaluated code can see
            CallEval ABC [word constant] 1;
            /// R[a] = library function number `word` applied to the c arguments R[b+5]..; this = R[b+4] (self-hosted code)
            Native ABC [word] 1;
            /// Sorts by merging, one turn of it (self-hosted code): the state from register b on is that of [`sort`]. Calls the comparison and
            /// runs again, or goes on behind: R[a] = the list that holds the sorted elements
            SortRuns AB [] 1;
            /// Calls a function for every element of a list, one turn of it (self-hosted code): the state from register b on is that of
            /// [`each`], which c is a mode of. Calls and runs again, or goes on behind: R[a] = the next index, or -1 - the index that decided
            EachElement ABC [] 1;
            /// Returns R[a].
            Return A [] 1;
            /// Returns undefined.
            ReturnUndefined None [] 1;
            /// End of a derived constructor: returns R[a] if an object; if undefined R[b], checked to be initialised; else TypeError
            ReturnDerived AB [] 1;
            /// Throws R[a].
            Throw A [] 1;
            // --- Iteration -----------------------------------------------------------------------
            /// R[a..a+2] = iterator over R[b]: iterator, next method, engine's. R[a] is undefined once it is exhausted or has thrown
            GetIterator AB [] 1;
            /// R[a] = next value of the iterator at b, or jumps if it is exhausted
            IteratorNext AB [jump] 1;
            /// R[a] = next value, or undefined when (already) exhausted: destructuring
            IteratorStep AB [] 1;
            /// R[a] = array of all remaining values: destructuring rest
            IteratorRest AB [] 1;
            /// Closes the iterator at a unless it is exhausted: normal completion (errors of `return` are thrown)
            IteratorClose A [] 1;
            /// Closes the iterator at a after an exception: errors of `return` are swallowed
            IteratorCloseQuietly A [] 1;
            /// R[a..a+2] = async iterator over R[b] (falls back to sync)
            GetAsyncIterator AB [] 1;
            /// R[a] = R[b].next(R[c]) with the next method R[b+1]: the raw result, not looked at
            IteratorCallNext ABC [] 1;
            /// R[a] = method named key of iterator R[b] (null becomes undefined): return, throw
            GetIteratorMethod AB [key] 1;
            /// R[a..a+2] = enumeration of the property names of R[b] (for-in; null and undefined are empty)
            ForInStart AB [] 1;
            /// R[a] = next name of the enumeration at b, or jumps
            ForInNext AB [jump] 1;
            // --- Generators, async -------------------------------------------------------------
            /// In a generator: makes the generator object and returns it; goes on at the first next(). In an async function (its first instruction, before parameters are evaluated): sets up the promise and goes on. In an async generator as in a generator.
            InitialYield None [] 1;
            /// Yields R[b]; on resumption R[a] = what was sent; throws here if resumed by throw; R[c] = true if resumed by return
            Yield ABC [] 1;
            /// Yields R[b] as it is; on resumption R[a] = what was sent, R[c] = 0 next, 1 throw, 2 return
            YieldRaw ABC [] 1;
            /// R[a] = await R[b]
            Await AB [] 1;
            // --- Modules ---------------------------------------------------------------------------
            /// R[a] = promise of import(R[b]), options R[c]
            ImportCall ABC [] 1;
            /// R[a] = import.meta
            ImportMeta A [] 1;
            /// R[a] = box of import number imm16 of this module
            ImportBox AX [] 1;
            /// R[a] = namespace object of requested module number imm16
            ImportNamespace AX [] 1;
            /// R[a] = box of this module's export number imm16 (made at link time, uninitialised)
            ExportBox AX [] 1;
            // --- Rest -----------------------------------------
            /// `debugger`
            Debugger None [] 1;
            /// Ends a run: the value in R[a] goes to the host
            Halt A [] 1;
        }
    };
}

macro_rules! declare_instructions {
    ($($(#[$doc:meta])* $name:ident $form:ident [$($ext:ident)*] $fuel:literal;)*) => {
        /// An instruction's operation; each row of the table says what it does.
        #[allow(rustdoc::broken_intra_doc_links, reason = "R[a] is a register")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Op { $($(#[$doc])* $name),* }

        /// The table, indexed by opcode.
        pub static TABLE: &[Row] = &[$(Row {
            name: stringify!($name),
            form: Form::$form,
            extensions: &[$(extension!($ext)),*],
            fuel: $fuel,
        }),*];

        impl Op {
            /// Every operation in order of opcode.
            pub const ALL: &'static [Op] = &[$(Op::$name),*];
        }
    };
}
for_each_instruction!(declare_instructions);

impl Op {
    /// The operation with this opcode, if there is one.
    pub fn from_byte(byte: u8) -> Option<Op> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    /// This operation's row.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// First word from three operand bytes.
pub const fn abc(op: Op, a: u8, b: u8, c: u8) -> u32 {
    op as u32 | (a as u32) << 8 | (b as u32) << 16 | (c as u32) << 24
}

/// First word from a register and 16 bits.
pub const fn ax(op: Op, a: u8, x: u16) -> u32 {
    op as u32 | (a as u32) << 8 | (x as u32) << 16
}

/// First word from a signed 24-bit distance; `None` if it does not fit.
pub const fn s24(op: Op, distance: i32) -> Option<u32> {
    if distance < -(1 << 23) || distance >= 1 << 23 {
        return None;
    }
    Some(op as u32 | (distance as u32) << 8)
}

/// Flags of a `CallEval` word, above the low 8 bits.
pub mod eval_flag {
    /// The caller is strict code.
    pub const STRICT: u32 = 1 << 8;
    /// `new.target` may be used inside.
    pub const NEW_TARGET: u32 = 1 << 9;
    /// `super.x` may be used inside.
    pub const SUPER_PROPERTY: u32 = 1 << 10;
    /// `super()` may be used inside.
    pub const SUPER_CALL: u32 = 1 << 11;
    /// Inside a class field initialiser: `arguments` is an early error.
    pub const FIELD_INITIALISER: u32 = 1 << 12;
    /// Inside parameter expressions.
    pub const PARAMETERS: u32 = 1 << 13;
}

/// A piece of text: bytes of [`Unit::text`], which is WTF-8 (UTF-8 that may hold lone surrogates).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Text {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub length: u32,
}

/// A constant of a function.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// A property or variable name (interned). Never a canonical array index: those use `GetElement`.
    Name(Text),
    /// A string value.
    Text(Text),
    /// A number that no immediate holds.
    Number(f64),
    /// Digits of a big integer as written, without `n` and separators (`0x`, `0o`, `0b` prefixes allowed).
    BigInt(Text),
    /// A regular expression, checked by the parser already.
    Pattern {
        /// Between the slashes.
        source: Text,
        /// After them.
        flags: Text,
    },
    /// A template object: each part's cooked text (None: invalid escape) and raw text.
    Template(Vec<(Option<Text>, Text)>),
    /// Names that a direct eval can see, innermost first; their boxes become the captures of the evaluated code in this order.
    Scope(Vec<ScopeName>),
    /// Distances in words from the end of the `JumpTable` instruction, for 0, 1, 2...
    Jumps(Vec<i32>),
}

/// Where a captured box comes from when a closure is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// The box in this register.
    Register(u8),
    /// The maker's own capture of this number.
    Outer(u16),
    /// An element of the array in the box in this register: names that a direct eval sees.
    RegisterElement(u8, u32),
    /// An element of the array in the box that is the maker's own capture of this number: likewise.
    OuterElement(u16, u32),
}

/// A variable that a direct eval can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeName {
    /// Source name. Pseudo-variables are the compiler's own affair (`this`, `new.target`, `%...`).
    pub name: Text,
    /// What it is.
    pub kind: VariableKind,
    /// Its box (for [`VariableKind::With`] and [`VariableKind::ScopeObject`] a box of the object).
    pub place: Capture,
}

/// How a variable behaves when reached by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VariableKind {
    /// `var`, parameters, functions.
    Var,
    /// `let`, `class`: checked for initialisation.
    Let,
    /// `const`: checked, and not assignable (TypeError).
    Const,
    /// A named function expression's own name: assignment is ignored, TypeError in strict code.
    FunctionName,
    /// A simple catch parameter (a `var` of an eval may shadow it).
    Catch,
    /// A private name (`#x`), for evals inside classes.
    Private,
    /// A pseudo-variable of the compiler.
    Hidden,
    /// Not a name: a `with` object that is searched here.
    With,
    /// Not a name: the scope object that is searched here and takes an eval's `var`s.
    ScopeObject,
    /// Not a name: a function boundary (an eval's `var`s conflict with `let`s up to here).
    Boundary,
    /// As `Var`, seen from the initialiser of a parameter: an eval's `var` of this name conflicts.
    Parameter,
}

impl VariableKind {
    /// The kind with this number; unknown ones are hidden.
    pub fn from_number(number: i32) -> VariableKind {
        use VariableKind::{Boundary, Catch, Const, FunctionName, Hidden, Let, Parameter, Private, ScopeObject, Var, With};
        [Var, Let, Const, FunctionName, Catch, Private, Hidden, With, ScopeObject, Boundary, Parameter]
            .into_iter()
            .find(|kind| *kind as i32 == number)
            .unwrap_or(Hidden)
    }
}

/// Flags of a [`Function`].
pub mod function_flag {
    /// Strict code.
    pub const STRICT: u32 = 1;
    /// Arrow function.
    pub const ARROW: u32 = 1 << 1;
    /// Method, getter or setter: not a constructor.
    pub const METHOD: u32 = 1 << 2;
    /// Generator.
    pub const GENERATOR: u32 = 1 << 3;
    /// Async.
    pub const ASYNC: u32 = 1 << 4;
    /// Class constructor: cannot be called.
    pub const CLASS: u32 = 1 << 5;
    /// Derived class constructor: `this` starts uninitialised.
    pub const DERIVED: u32 = 1 << 6;
    /// Has a name property of its own to be set later (class with static `name`): no automatic name.
    pub const NAME_LATER: u32 = 1 << 7;
    /// Top level of a script, eval or module.
    pub const TOP_LEVEL: u32 = 1 << 8;
    /// Class field initialiser function.
    pub const FIELD_INITIALISER: u32 = 1 << 9;
}

/// Where an exception goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// First word covered, relative to the function's first word.
    pub start: u32,
    /// One past the last word covered.
    pub end: u32,
    /// Where to go on.
    pub target: u32,
    /// Register that receives the exception.
    pub register: u8,
}

/// Source position of the code from `word` on (to the next entry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// First word, relative to the function's first word.
    pub word: u32,
    /// Byte offset in the WTF-8 source.
    pub offset: u32,
}

/// A range of one of the unit's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Range {
    /// First.
    pub start: u32,
    /// One past the last.
    pub end: u32,
}

/// One compiled function: ranges of the unit's lists.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its name ("" if none).
    pub name: Text,
    /// [`function_flag`]s.
    pub flags: u32,
    /// Registers of a frame, fixed ones included and every call window's [`frame`] part too (at least 5 + parameters).
    pub registers: u16,
    /// Parameters that occupy registers from 5 on.
    pub parameters: u16,
    /// The `length` property.
    pub length: u16,
    /// Number of different `this.x = ...` in it: room for them is made in new objects.
    pub this_properties: u8,
    /// Instructions.
    pub words: Range,
    /// Constants.
    pub constants: Range,
    /// Where each captured box comes from.
    pub captures: Range,
    /// Handlers, inner first.
    pub handlers: Range,
    /// Positions, ascending.
    pub positions: Range,
    /// Source text (bytes of the WTF-8 source), for `toString`.
    pub source: Range,
}

/// What a module asks for and gives.
#[derive(Clone, Debug, Default)]
pub struct ModuleShape {
    /// Specifiers in source order, without repetition.
    pub requests: Vec<Text>,
    /// Imported bindings: (request, name; None: namespace), numbered as `ImportBox` does.
    pub imports: Vec<(u32, Option<Text>)>,
    /// Local exports: exported names of each export box, numbered as `ExportBox` does.
    pub exports: Vec<(Text, u32)>,
    /// `export {x as y} from "m"`: (exported name, request, name there; None: namespace).
    pub indirect: Vec<(Text, u32, Option<Text>)>,
    /// `export * from "m"`: requests.
    pub stars: Vec<u32>,
    /// Number of export boxes.
    pub export_boxes: u32,
    /// Uses top-level await.
    pub is_async: bool,
}

/// What the compiler hands to the engine: functions (0 is the top level) and their flat lists. Meant to be
/// kept and cleared between compilations, so that a small eval allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    /// Functions; 0 is the script, eval or module body.
    pub functions: Vec<Function>,
    /// Instructions of all functions.
    pub words: Vec<u32>,
    /// Constants of all functions.
    pub constants: Vec<Constant>,
    /// Captures of all functions.
    pub captures: Vec<Capture>,
    /// Handlers of all functions.
    pub handlers: Vec<Handler>,
    /// Positions of all functions.
    pub positions: Vec<Position>,
    /// Text of all functions.
    pub text: Vec<u8>,
    /// For modules.
    pub module: Option<ModuleShape>,
}

impl Unit {
    /// Empties every list, keeping their room.
    pub fn clear(&mut self) {
        self.functions.clear();
        self.words.clear();
        self.constants.clear();
        self.captures.clear();
        self.handlers.clear();
        self.positions.clear();
        self.text.clear();
        self.module = None;
    }

    /// The function's instructions as text, one a line: for tests and people.
    pub fn disassemble(&self, function: usize) -> String {
        use std::fmt::Write;
        let Some(f) = self.functions.get(function) else { return String::new() };
        let words = self.words.get(f.words.start as usize..f.words.end as usize).unwrap_or(&[]);
        let mut out = String::new();
        let mut at = 0;
        while let Some(&word) = words.get(at) {
            let Some(op) = Op::from_byte(word as u8) else {
                let _ = writeln!(out, "{at:4} ?{word:08x}");
                at += 1;
                continue;
            };
            let row = op.row();
            let [_, a, b, c] = word.to_le_bytes();
            let _ = write!(out, "{at:4} {}", row.name);
            let _ = match row.form {
                Form::None => Ok(()),
                Form::A => write!(out, " {a}"),
                Form::AB => write!(out, " {a} {b}"),
                Form::ABC => write!(out, " {a} {b} {c}"),
                Form::ABI => write!(out, " {a} {b} #{}", c as i8),
                Form::AI => write!(out, " {a} #{}", (word >> 16) as i16),
                Form::AX => write!(out, " {a} #{}", word >> 16),
                Form::S24 => write!(out, " ->{}", at as i64 + 1 + i64::from(word as i32 >> 8)),
            };
            let end = at + row.words();
            let mut next = at + 1;
            for &extension in row.extensions {
                let value = words.get(next).copied().unwrap_or(0);
                let _ = match extension {
                    Extension::Jump => write!(out, " ->{}", end as i64 + i64::from(value as i32)),
                    Extension::Key | Extension::Constant => {
                        let index = if extension == Extension::Key { value & 0xffff } else { value };
                        match self.constants.get((f.constants.start + index) as usize) {
                            Some(Constant::Name(t) | Constant::Text(t)) => write!(out, " {:?}", self.text(*t)),
                            Some(other) => write!(out, " {other:?}"),
                            None => write!(out, " k{index}"),
                        }
                    }
                    Extension::Function => write!(out, " f{value}"),
                    Extension::Word => write!(out, " {value}"),
                    Extension::Cache(_) => Ok(()),
                };
                next += if let Extension::Cache(n) = extension { n } else { 1 };
            }
            out.push('\n');
            at = end;
        }
        out
    }

    /// The bytes of a text.
    pub fn bytes(&self, text: Text) -> &[u8] {
        self.text.get(text.start as usize..(text.start + text.length) as usize).unwrap_or(&[])
    }

    /// The text, lone surrogates replaced.
    pub fn text(&self, text: Text) -> String {
        String::from_utf8_lossy(self.bytes(text)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_the_table_is_complete() {
        assert!(Op::ALL.len() <= 256);
        for (i, &op) in Op::ALL.iter().enumerate() {
            assert_eq!(op as usize, i);
            assert_eq!(Op::from_byte(i as u8), Some(op));
            assert!(op.row().fuel > 0);
        }
        assert_eq!(Op::from_byte(Op::ALL.len() as u8), None);
        assert_eq!(abc(Op::Add, 1, 2, 3).to_le_bytes(), [Op::Add as u8, 1, 2, 3]);
        assert_eq!(ax(Op::LoadInt, 7, -2i16 as u16) >> 16, 0xfffe);
        assert_eq!(s24(Op::Jump, 1 << 23), None);
        assert_eq!(s24(Op::Jump, -3).map(|w| w as i32 >> 8), Some(-3));
        assert_eq!(Op::GetField.row().words(), 5);
        assert_eq!(Op::GetGlobal.row().words(), 4);
    }
}
