//! Names known to the engine, at fixed places of the shared image.

use super::memory::SHARED;

/// Bytes of a well-known name's cell: header, hash, up to 32 characters.
pub(crate) const STEP: u32 = 48;
/// Where they start.
pub(crate) const START: u32 = SHARED | 64;

macro_rules! names {
    ($($id:ident $text:literal)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Number { $($id),* }
        $(pub(crate) const $id: u32 = START + Number::$id as u32 * STEP;)*
        /// Their texts, in order.
        pub(crate) const TEXTS: &[&str] = &[$($text),*];
    };
}

names! {
    EMPTY "" LENGTH "length" NAME "name" PROTOTYPE "prototype" CONSTRUCTOR "constructor" MESSAGE "message" CAUSE "cause"
    STACK "stack" VALUE "value" DONE "done" NEXT "next" RETURN "return" THROW "throw" GET "get" SET "set"
    WRITABLE "writable" ENUMERABLE "enumerable" CONFIGURABLE "configurable" TO_STRING "toString" VALUE_OF "valueOf"
    TO_JSON "toJSON" THEN "then" UNDEFINED "undefined" NULL "null" TRUE "true" FALSE "false" OBJECT "object"
    FUNCTION "function" NUMBER "number" STRING "string" BOOLEAN "boolean" SYMBOL "symbol" BIGINT "bigint" DEFAULT "default"
    INDEX "index" INPUT "input" GROUPS "groups" INDICES "indices" LAST_INDEX "lastIndex" SOURCE "source" FLAGS "flags"
    RAW "raw" CALLEE "callee" CALLER "caller" ARGUMENTS "arguments" PROTO "__proto__" NAN "NaN" INFINITY "Infinity"
    MINUS_INFINITY "-Infinity" EVAL "eval" GLOBAL_THIS "globalThis" ERRORS "errors" THIS "this" STAR_DEFAULT "*default*"
    KEYS "keys" HAS "has" ADD "add" DELETE "delete" SIZE "size" APPLY "apply" CONSTRUCT "construct"
    GET_PROTOTYPE_OF "getPrototypeOf" SET_PROTOTYPE_OF "setPrototypeOf" IS_EXTENSIBLE "isExtensible"
    PREVENT_EXTENSIONS "preventExtensions" GET_OWN_PROPERTY_DESCRIPTOR "getOwnPropertyDescriptor"
    DEFINE_PROPERTY "defineProperty" HAS_PROPERTY "hasProperty" DELETE_PROPERTY "deleteProperty" OWN_KEYS "ownKeys"
    EXEC "exec" JOIN "join" RESOLVE "resolve" REJECT "reject" STATUS "status" REASON "reason" FULFILLED "fulfilled"
    REJECTED "rejected" BYTE_LENGTH "byteLength" ANONYMOUS "anonymous" FINALLY "finally" MODULE "Module" META "meta"
    URL "url" ZERO "0" UNICODE_SETS "unicodeSets" STICKY "sticky" GLOBAL "global" UNICODE "unicode" CALL "call" BIND "bind"
    ITERATOR "iterator" LAST_NAME "%last"
}

/// Where the 256 one-character strings start (32 bytes each).
pub(crate) const CHARACTERS: u32 = START + TEXTS.len() as u32 * STEP;

/// The string of one character U+0000..U+00FF.
pub(crate) const fn character(c: u8) -> u32 {
    CHARACTERS + c as u32 * 32
}

/// Where the well-known symbols start (32 bytes each: a symbol cell).
pub(crate) const SYMBOLS: u32 = CHARACTERS + 256 * 32;

macro_rules! symbols {
    ($($id:ident $text:literal)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum SymbolNumber { $($id),* }
        $(pub(crate) const $id: u32 = SYMBOLS + SymbolNumber::$id as u32 * 16;)*
        /// Names of the well-known symbols, without "Symbol.".
        pub(crate) const SYMBOL_NAMES: &[&str] = &[$($text),*];
    };
}

symbols! {
    SYM_ITERATOR "iterator" SYM_ASYNC_ITERATOR "asyncIterator" SYM_HAS_INSTANCE "hasInstance" SYM_TO_PRIMITIVE "toPrimitive"
    SYM_TO_STRING_TAG "toStringTag" SYM_SPECIES "species" SYM_IS_CONCAT_SPREADABLE "isConcatSpreadable"
    SYM_UNSCOPABLES "unscopables" SYM_MATCH "match" SYM_MATCH_ALL "matchAll" SYM_REPLACE "replace" SYM_SEARCH "search"
    SYM_SPLIT "split"
}

/// First byte after the fixed part of the shared image.
pub(crate) const END: u32 = SYMBOLS + 16 * 16;
