//! Judges for the JavaScript engine's tests: engines and parsers by others, kept out of the engine's own tree.

#![forbid(unsafe_code)]

use oxc_allocator::Allocator;
use oxc_span::SourceType;

/// What oxc finds wrong with a text, early errors included; empty when it accepts. Only for small and harmless texts: it has no limits.
pub fn complaints(source: &str, module: bool) -> Vec<String> {
    let allocator = Allocator::default();
    let kind = if module { SourceType::mjs() } else { SourceType::script() };
    let parsed = oxc_parser::Parser::new(&allocator, source, kind).parse();
    let mut complaints: Vec<String> = parsed.diagnostics.iter().map(ToString::to_string).collect();
    if parsed.panicked && complaints.is_empty() {
        complaints.push("panicked".to_owned());
    }
    if complaints.is_empty() {
        let checked = oxc_semantic::SemanticBuilder::new().with_check_syntax_error(true).build(&parsed.program);
        complaints.extend(checked.diagnostics.iter().map(ToString::to_string));
    }
    complaints
}
