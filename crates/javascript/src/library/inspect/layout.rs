//! How rendered values are laid out: quotes, widths, lines, columns.

use icu_properties::CodePointMapData;
use icu_properties::props::{EastAsianWidth, GeneralCategory};

use super::{Extras, Inspector};

impl Inspector<'_, '_> {
    /// Entries on one line if that is readable, or one a line, or in columns.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn reduce(
        &mut self,
        mut output: Vec<String>,
        base: &str,
        open: &str,
        close: &str,
        extras: Extras,
        level: i32,
        numbers: bool,
    ) -> String {
        let entries = output.len();
        if extras == Extras::Array && entries > 6 {
            output = self.group(output, numbers);
        }
        let lead = if base.is_empty() { String::new() } else { format!("{base} ") };
        if self.current - level < 3 && entries == output.len() {
            let start = output.len() + self.indent + units(open) + units(base) + 10;
            let total = output.len() + start + output.iter().map(|entry| units(entry)).sum::<usize>();
            let fits = total + output.len() <= self.options.width.saturating_add(output.len()) && total <= self.options.width;
            if fits && !base.contains('\n') && !output.iter().any(|entry| entry.contains('\n')) {
                return format!("{lead}{open} {} {close}", output.join(", "));
            }
        }
        let indentation = format!("\n{}", " ".repeat(self.indent));
        format!("{lead}{open}{indentation}  {}{indentation}{close}", output.join(&format!(",{indentation}  ")))
    }

    /// Lays many short entries out in columns.
    pub(super) fn group(&self, output: Vec<String>, numbers: bool) -> Vec<String> {
        let extra = usize::from(self.options.entries < output.len());
        let count = output.len() - extra;
        let widths: Vec<usize> = output[..count].iter().map(|entry| width(entry)).collect();
        let total: usize = widths.iter().map(|width| width + 2).sum();
        let longest = widths.iter().copied().max().unwrap_or(0);
        let most = longest + 2;
        if most * 3 + self.indent >= self.options.width || !(total as f64 / most as f64 > 5.0 || longest <= 6) {
            return output;
        }
        let bias = (most as f64 - total as f64 / output.len() as f64).sqrt();
        let biased = (most as f64 - 3.0 - bias).max(1.0);
        let ideal = ((2.5 * biased * count as f64).sqrt() / biased).round() as usize;
        let columns = ideal.min((self.options.width - self.indent) / most).min(12).min(15);
        if columns <= 1 {
            return output;
        }
        let line_widths: Vec<usize> =
            (0..columns).map(|column| widths.iter().skip(column).step_by(columns).copied().max().unwrap_or(0) + 2).collect();
        let mut lines = Vec::new();
        for start in (0..count).step_by(columns) {
            let end = (start + columns).min(count);
            let mut line = String::new();
            for at in start..end {
                let last = at + 1 == end;
                let entry = if last { output[at].clone() } else { format!("{}, ", output[at]) };
                let wanted = line_widths[at - start] - if last { 2 } else { 0 };
                let padding = " ".repeat(wanted.saturating_sub(widths[at] + if last { 0 } else { 2 }));
                if numbers {
                    line.push_str(&padding);
                    line.push_str(&entry);
                } else {
                    line.push_str(&entry);
                    if !last {
                        line.push_str(&padding);
                    }
                }
            }
            lines.push(line);
        }
        lines.extend(output.into_iter().skip(count));
        lines
    }
}

/// Length as node counts it, in UTF-16 units.
pub(super) fn units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Columns a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.bytes().filter(|c| (0x20..0x7f).contains(c)).count();
    }
    let (wide, category) = (CodePointMapData::<EastAsianWidth>::new(), CodePointMapData::<GeneralCategory>::new());
    let one = |c: char| match (wide.get(c), category.get(c)) {
        (EastAsianWidth::Fullwidth | EastAsianWidth::Wide, _) => 2,
        _ if c == '\u{ad}' => 1,
        (_, GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::EnclosingMark | GeneralCategory::NonspacingMark) => 0,
        _ => 1,
    };
    text.chars().map(one).sum()
}

/// A text in quotes, what cannot be seen escaped.
pub(super) fn quoted(units: &[u16]) -> String {
    let has = |c: char| units.contains(&(c as u16));
    let quote = if !has('\'') {
        '\''
    } else if !has('"') {
        '"'
    } else if !has('`') && !units.windows(2).any(|pair| pair == [u16::from(b'$'), u16::from(b'{')]) {
        '`'
    } else {
        '\''
    };
    format!("{quote}{}{quote}", escaped(units, quote))
}

pub(super) fn escaped(units: &[u16], quote: char) -> String {
    let mut out = String::with_capacity(units.len() + 2);
    for c in char::decode_utf16(units.iter().copied()) {
        match c {
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\t') => out.push_str("\\t"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\u{b}') => out.push_str("\\x0B"),
            Ok('\u{c}') => out.push_str("\\f"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\'') if quote == '\'' => out.push_str("\\'"),
            Ok(c) if (c as u32) < 0x20 || (0x7f..0xa0).contains(&(c as u32)) => out.push_str(&format!("\\x{:02X}", c as u32)),
            Ok(c) => out.push(c),
            Err(lone) => out.push_str(&format!("\\u{:x}", lone.unpaired_surrogate())),
        }
    }
    out
}

pub(super) fn plural(n: usize) -> &'static str {
    if n > 1 { "s" } else { "" }
}

pub(super) fn more(n: usize) -> String {
    format!("... {n} more item{}", plural(n))
}

pub(super) fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub(super) fn prefix(constructor: Option<&str>, tag: &str, fallback: &str, size: &str) -> String {
    match constructor {
        None if !tag.is_empty() && fallback != tag => format!("[{fallback}{size}: null prototype] [{tag}] "),
        None => format!("[{fallback}{size}: null prototype] "),
        Some(name) if !tag.is_empty() && name != tag => format!("{name}{size} [{tag}] "),
        Some(name) => format!("{name}{size} "),
    }
}
