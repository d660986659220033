//! Which kind of cell a file is for.

use std::path::Path;

use cell::Error;
use serde::{Deserialize, Serialize};

/// A kind of cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// 32-bit ELF programs for the Moxie CPU.
    Moxie,
    /// Scripts and modules, TypeScript too.
    JavaScript,
    /// WASI programs.
    Wasm,
    /// Ruby programs, in CRuby.
    Ruby,
    /// Programs in any language, in a Linux machine of their own.
    Machine,
}

/// `EM_MOXIE`, and the number that tool chains used before it was assigned.
const MOXIE_MACHINES: [u16; 2] = [223, 0xfeed];

impl CellKind {
    /// Every kind that this build has.
    pub const ALL: [Self; 5] = [Self::Moxie, Self::JavaScript, Self::Wasm, Self::Ruby, Self::Machine];

    /// The name that `--cell` takes and outcomes carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Moxie => "moxie",
            Self::JavaScript => "javascript",
            Self::Wasm => "wasm",
            Self::Ruby => "ruby",
            Self::Machine => "machine",
        }
    }

    /// The kind with this name.
    ///
    /// # Errors
    /// [`Error::Invalid`] that lists the kinds there are.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| Error::Invalid(format!("there is no `{name}` cell; there are: {}", Self::names())))
    }

    /// Looks at a program's first bytes, then at its name.
    ///
    /// # Errors
    /// [`Error::Program`] that says what the file seems to be and what is taken.
    pub fn detect(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        if let Some(elf) = bytes.strip_prefix(b"\x7fELF") {
            let little = elf.get(1) == Some(&1);
            let machine = elf
                .get(14..16)
                .map(|field| if little { u16::from_le_bytes([field[0], field[1]]) } else { u16::from_be_bytes([field[0], field[1]]) });
            return match machine {
                Some(machine) if MOXIE_MACHINES.contains(&machine) => Ok(Self::Moxie),
                Some(machine) => Err(Error::Program(format!(
                    "`{name}` is an ELF file for another machine (number {machine}); the moxie cell takes little-endian Moxie programs (number 223), as `oubliette cc` makes them"
                ))),
                None => Err(Error::Program(format!("`{name}` is an ELF file cut short"))),
            };
        }
        if bytes.starts_with(b"\0asm") {
            return Ok(Self::Wasm);
        }
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension {
            "rb" => return Ok(Self::Ruby),
            "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" => return Ok(Self::JavaScript),
            _ => {}
        }
        let languages = machine::catalogue::Catalogue::built_in().map_err(|error| Error::Host(error.to_string()))?;
        if languages.by_file(name).is_some() {
            return Ok(Self::Machine);
        }
        Err(Error::Program(match extension {
            "" => format!("cannot tell what kind of program `{name}` is: choose with --cell ({})", Self::names()),
            extension => format!(
                "no cell here runs `.{extension}` files (`{name}`): choose one with --cell ({}) if the name misleads",
                Self::names()
            ),
        }))
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
        bytes.resize(18, 0);
        bytes.extend_from_slice(&machine.to_le_bytes());
        bytes
    }

    #[test]
    fn an_elf_file_is_known_by_its_machine() {
        for machine in MOXIE_MACHINES {
            assert_eq!(CellKind::detect("x", &elf(machine)).unwrap(), CellKind::Moxie);
        }
        assert!(CellKind::detect("x", &elf(62)).unwrap_err().to_string().contains("number 62"));
        assert!(CellKind::detect("x", &elf(223)[..10]).unwrap_err().to_string().contains("cut short"));
        assert!(CellKind::detect("notes.xyz", b"hello").unwrap_err().to_string().contains(".xyz"));
    }

    #[test]
    fn other_programs_are_known_by_their_first_bytes_or_their_names() {
        assert_eq!(CellKind::detect("x", b"\0asm\x01\0\0\0").unwrap(), CellKind::Wasm);
        assert_eq!(CellKind::detect("page.rb", b"puts 1").unwrap(), CellKind::Ruby);
        for name in ["x.js", "x.mjs", "x.ts"] {
            assert_eq!(CellKind::detect(name, b"1").unwrap(), CellKind::JavaScript);
        }
        assert_eq!(CellKind::detect("hello.c", b"int main;").unwrap(), CellKind::Machine);
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in CellKind::ALL {
            assert_eq!(CellKind::from_name(kind.name()).unwrap(), kind);
        }
        assert!(CellKind::from_name("cobol").unwrap_err().to_string().contains("moxie"));
    }
}
