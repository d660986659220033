//! The languages a machine can run: what each needs, and how a file of it is compiled and run.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../guest/languages");

/// The catalogue that is compiled in.
static CATALOGUE: LazyLock<Result<Catalogue, String>> = LazyLock::new(|| {
    let files = FILES.files().filter(|file| file.path().extension().is_some_and(|extension| extension == "toml"));
    Catalogue::parse(files.map(|file| (file.path().to_string_lossy().into_owned(), file.contents_utf8().unwrap_or(""))))
});

/// A program and what it must print when it reads `input`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The source text.
    pub source: String,
    /// What it reads from standard input.
    #[serde(default)]
    pub input: String,
    /// What it must print to standard output, compared without blanks at either end.
    pub output: String,
}

/// One language.
///
/// In `compile` and `run`, split into words as a shell does it but run without one, `{file}` is the source's
/// name and `{name}` the same without its extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// What people call it.
    pub name: String,
    /// Other names, lower case, without blanks; the name itself in lower case is always one.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The ends of its files' names, without the dot; one that another language has too belongs to the first.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// The images it is part of: `base`, or `full` only.
    #[serde(default = "full")]
    pub set: String,
    /// Debian packages.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Python packages, from PyPI.
    #[serde(default)]
    pub pip: Vec<String>,
    /// JavaScript packages, from npm.
    #[serde(default)]
    pub npm: Vec<String>,
    /// A program of ours, by its folder below `guest/`: built with the image and installed in it.
    #[serde(default)]
    pub program: String,
    /// Shell script that finishes the installation inside the image, as root.
    #[serde(default)]
    pub setup: String,
    /// The beginning of the name of an archive that the user has to download; see `--add`.
    #[serde(default)]
    pub archive: String,
    /// The name that the source must have; by default `main` and the first extension.
    #[serde(default)]
    pub file: String,
    /// The command that compiles, if any.
    #[serde(default)]
    pub compile: String,
    /// The command that runs.
    #[serde(default)]
    pub run: String,
    /// MiB of memory that a machine for it needs.
    #[serde(default = "ordinary_memory")]
    pub memory: u64,
    /// Seconds that compiling and running a small program may take, emulated.
    #[serde(default = "ordinary_time")]
    pub time: u64,
    /// Says hello.
    #[serde(default)]
    pub hello: String,
    /// What `hello` must print, compared without blanks at either end: where a language can, `Hello, world!` and nothing else.
    #[serde(default = "greeting")]
    pub says: String,
    /// Reads its standard input.
    #[serde(default)]
    pub stdin: Option<Sample>,
    /// Why it cannot be had; then nothing but the name and the aliases counts.
    #[serde(default)]
    pub refused: String,
}

fn full() -> String {
    "full".to_owned()
}

fn greeting() -> String {
    "Hello, world!".to_owned()
}

const fn ordinary_memory() -> u64 {
    256
}

const fn ordinary_time() -> u64 {
    30
}

#[derive(Deserialize)]
struct File {
    language: Vec<Language>,
}

impl Language {
    /// The name its source file gets.
    #[must_use]
    pub fn source_name(&self) -> String {
        if self.file.is_empty() { format!("main.{}", self.extensions.first().map_or("txt", String::as_str)) } else { self.file.clone() }
    }

    /// The command that compiles a file, as words; `None` if nothing needs compiling.
    #[must_use]
    pub fn compile_command(&self, file: &str) -> Option<Vec<String>> {
        (!self.compile.is_empty()).then(|| words(&self.compile, file))
    }

    /// The command that runs a file, as words, with the program's own arguments behind.
    #[must_use]
    pub fn run_command(&self, file: &str, arguments: &[String]) -> Vec<String> {
        let mut command = words(&self.run, file);
        command.extend_from_slice(arguments);
        command
    }

    /// Whether machines can run it once it is installed.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.refused.is_empty()
    }
}

fn words(command: &str, file: &str) -> Vec<String> {
    let name = file.rsplit_once('.').map_or(file, |(name, _)| name);
    let words = shlex::split(command).unwrap_or_default();
    words.into_iter().map(|word| word.replace("{file}", file).replace("{name}", name)).collect()
}

/// All languages, in the order of the files that describe them.
#[derive(Clone, Debug)]
pub struct Catalogue {
    languages: Vec<Language>,
    names: HashMap<String, usize>,
    extensions: HashMap<String, usize>,
}

impl Catalogue {
    /// The catalogue that is compiled in.
    ///
    /// # Errors
    /// Never in a build whose tests passed: they read it.
    pub fn built_in() -> Result<&'static Self, crate::Error> {
        CATALOGUE.as_ref().map_err(|message| crate::Error::Catalogue(message.clone()))
    }

    /// Reads descriptions, each with the name of its file for messages.
    ///
    /// # Errors
    /// What is wrong, in words: no TOML, a name used twice, a command that cannot be split, a language without one.
    pub fn parse<T: AsRef<str>>(files: impl IntoIterator<Item = (String, T)>) -> Result<Self, String> {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let mut catalogue = Self { languages: Vec::new(), names: HashMap::new(), extensions: HashMap::new() };
        for (path, text) in files {
            let file: File = toml::from_str(text.as_ref()).map_err(|error| format!("{path}: {error}"))?;
            for language in file.language {
                catalogue.add(language).map_err(|error| format!("{path}: {error}"))?;
            }
        }
        Ok(catalogue)
    }

    fn add(&mut self, language: Language) -> Result<(), String> {
        let index = self.languages.len();
        let name = &language.name;
        for command in [&language.compile, &language.run] {
            if shlex::split(command).is_none() {
                return Err(format!("{name}: {command:?} is no command"));
            }
        }
        if language.is_available() && (language.run.is_empty() || language.hello.is_empty()) {
            return Err(format!("{name}: nothing to run, or no hello"));
        }
        let own = name.to_lowercase();
        for alias in std::iter::once(&own).chain(language.aliases.iter().filter(|alias| **alias != own)) {
            if self.names.insert(alias.clone(), index).is_some() {
                return Err(format!("{alias:?} names two languages"));
            }
        }
        if language.is_available() {
            for extension in &language.extensions {
                self.extensions.entry(extension.clone()).or_insert(index);
            }
        }
        self.languages.push(language);
        Ok(())
    }

    /// All of them.
    #[must_use]
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// The language of that name or alias, in any case.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Language> {
        self.names.get(&name.to_lowercase()).map(|&index| &self.languages[index])
    }

    /// The language of a file by the end of its name.
    #[must_use]
    pub fn by_file(&self, file: &str) -> Option<&Language> {
        let (_, extension) = file.rsplit_once('.')?;
        let index = self.extensions.get(extension).or_else(|| self.extensions.get(&extension.to_lowercase()))?;
        Some(&self.languages[*index])
    }

    /// The languages of an image. `base` is part of every image; `full` is everything; else a set's or language's name.
    #[must_use]
    pub fn in_sets(&self, sets: &[String]) -> Vec<&Language> {
        let wanted: BTreeSet<String> = sets.iter().map(|set| set.to_lowercase()).collect();
        let is_wanted = |language: &Language| {
            language.set == "base"
                || wanted.contains(&language.set)
                || wanted.contains("full")
                || wanted.contains(&language.name.to_lowercase())
                || language.aliases.iter().any(|alias| wanted.contains(alias))
        };
        self.languages.iter().filter(|language| language.is_available() && is_wanted(language)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_reads_and_is_as_large_as_promised() {
        let catalogue = Catalogue::built_in().expect("reads");
        let available = catalogue.languages().iter().filter(|language| language.is_available());
        assert!(available.clone().count() >= 80, "only {}", available.count());
        for language in available {
            assert!(!language.extensions.is_empty(), "{} has no extension", language.name);
            assert!(language.memory >= 256 && language.memory.is_power_of_two(), "{}", language.name);
        }
    }

    #[test]
    fn what_cannot_be_had_says_why_and_takes_no_extension() {
        let catalogue = Catalogue::built_in().expect("reads");
        for language in catalogue.languages().iter().filter(|language| !language.is_available()) {
            assert!(language.refused.len() > 20, "{}: {:?}", language.name, language.refused);
            assert!(language.packages.is_empty() && language.run.is_empty(), "{}", language.name);
        }
    }

    #[test]
    fn every_language_of_the_model_is_named() {
        let catalogue = Catalogue::built_in().expect("reads");
        let names = "sh, bash, ARM assembly, x86 assembly, C, C++, Lua 5.3, Lua 5.2, Lua 5.1, LuaJIT, Python 2, \
             Python 3, JavaScript, Perl, Java, Lisp, Brainfuck, C#, F#, Haskell, PHP, COBOL, Golang, Ruby, APL, Prolog, \
             OCaml, SML, Crystal, Ada, D, Groovy, Dart, Erlang, FORTH, Pascal, Fortran, Hack, Julia, Kotlin, Scala, \
             Swift, TypeScript, Verilog, WebAssembly, Scheme, AWK, Clojure, TI-BASIC, Batch, Racket, Rust";
        for name in names.split(',') {
            assert!(catalogue.by_name(name.trim()).is_some(), "{name} is missing");
        }
    }

    #[test]
    fn commands_keep_a_hostile_file_name_in_one_word() {
        let catalogue = Catalogue::built_in().expect("reads");
        let c = catalogue.by_name("c").expect("C");
        let command = c.compile_command("a b; rm -rf $HOME.c").expect("compiled");
        assert!(command.iter().any(|word| word == "a b; rm -rf $HOME.c"), "{command:?}");
    }

    #[test]
    fn a_name_may_be_used_once() {
        let text = "[[language]]\nname='A'\nrun='a'\nhello='a'\n[[language]]\nname='B'\naliases=['a']\nrun='b'\nhello='b'";
        let error = Catalogue::parse([("x.toml".to_owned(), text)]).expect_err("refused");
        assert!(error.contains("names two languages"), "{error}");
    }
}
