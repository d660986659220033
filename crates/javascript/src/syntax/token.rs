//! Kinds of token and what is known about each.

/// What a token is. The reserved words come first, in the order of the known atoms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub(crate) enum Tok {
    Break,
    Case,
    Catch,
    Class,
    Const,
    Continue,
    Debugger,
    Default,
    Delete,
    Do,
    Else,
    Enum,
    Export,
    Extends,
    False,
    Finally,
    For,
    Function,
    If,
    Import,
    In,
    InstanceOf,
    New,
    Null,
    Return,
    Super,
    Switch,
    This,
    Throw,
    True,
    Try,
    TypeOf,
    Var,
    Void,
    While,
    With,
    /// Any other name; `value` is the atom.
    Ident,
    /// A reserved word written with escapes: a property name at most.
    EscapedWord,
    PrivateName,
    Number,
    BigInt,
    String,
    /// A template or the part of it up to `${`: `value` cooked atom or NONE, `raw` raw atom.
    Template,
    End,
    LBrace,
    RBrace,
    LParen,
    RParen,
    LBracket,
    RBracket,
    Dot,
    Ellipsis,
    Semicolon,
    Comma,
    Colon,
    Question,
    QuestionDot,
    Arrow,
    At,
    Not,
    BitNot,
    PlusPlus,
    MinusMinus,
    // Binary operators, see `precedence`.
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    StarStar,
    Shl,
    Shr,
    UShr,
    BitAnd,
    BitOr,
    BitXor,
    EqEq,
    NotEq,
    EqEqEq,
    NotEqEq,
    Lt,
    Le,
    Gt,
    Ge,
    AndAnd,
    OrOr,
    Coalesce,
    // Assignments, in the order of `AssignOp`.
    PlusAssign,
    MinusAssign,
    StarAssign,
    SlashAssign,
    PercentAssign,
    StarStarAssign,
    ShlAssign,
    ShrAssign,
    UShrAssign,
    BitAndAssign,
    BitOrAssign,
    BitXorAssign,
    AndAssign,
    OrAssign,
    CoalesceAssign,
    Assign,
}

/// Tokens of the reserved words, by atom.
pub(crate) const WORDS: [Tok; super::atoms::RESERVED as usize] = [
    Tok::Break,
    Tok::Case,
    Tok::Catch,
    Tok::Class,
    Tok::Const,
    Tok::Continue,
    Tok::Debugger,
    Tok::Default,
    Tok::Delete,
    Tok::Do,
    Tok::Else,
    Tok::Enum,
    Tok::Export,
    Tok::Extends,
    Tok::False,
    Tok::Finally,
    Tok::For,
    Tok::Function,
    Tok::If,
    Tok::Import,
    Tok::In,
    Tok::InstanceOf,
    Tok::New,
    Tok::Null,
    Tok::Return,
    Tok::Super,
    Tok::Switch,
    Tok::This,
    Tok::Throw,
    Tok::True,
    Tok::Try,
    Tok::TypeOf,
    Tok::Var,
    Tok::Void,
    Tok::While,
    Tok::With,
];

impl Tok {
    /// Reserved words as such (not names, not escaped).
    #[inline]
    pub(crate) fn is_word(self) -> bool {
        (self as u8) < Tok::Ident as u8
    }

    #[inline]
    pub(crate) fn is_assignment(self) -> bool {
        self as u8 >= Tok::PlusAssign as u8
    }

    /// Can no expression go on with it?
    #[inline]
    pub(crate) fn ends_expression(self) -> bool {
        matches!(self, Tok::End | Tok::RBrace | Tok::RParen | Tok::RBracket | Tok::Semicolon | Tok::Comma | Tok::Colon)
    }

    /// Precedence of a binary operator, zero for anything else. `**` is handled apart.
    #[inline]
    pub(crate) fn precedence(self) -> u8 {
        match self {
            Tok::Coalesce => 1,
            Tok::OrOr => 2,
            Tok::AndAnd => 3,
            Tok::BitOr => 4,
            Tok::BitXor => 5,
            Tok::BitAnd => 6,
            Tok::EqEq | Tok::NotEq | Tok::EqEqEq | Tok::NotEqEq => 7,
            Tok::Lt | Tok::Le | Tok::Gt | Tok::Ge | Tok::In | Tok::InstanceOf => 8,
            Tok::Shl | Tok::Shr | Tok::UShr => 9,
            Tok::Plus | Tok::Minus => 10,
            Tok::Star | Tok::Slash | Tok::Percent => 11,
            Tok::StarStar => 12,
            _ => 0,
        }
    }
}
