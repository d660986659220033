//! The front door of machines. What needs an image uses this user's, and passes with a word where there is none, unless
//! `OUBLIETTE_REQUIRE_MACHINE` is set.

use std::sync::Arc;
use std::time::Duration;

use machine::image::Image;
use machine::{Config, Machines};
use oubliette::{Error, Stop, Task, Value};

/// Whether this user has an image.
fn has_image() -> bool {
    let folder = oubliette::data_folder().expect("a home");
    let there = Image::installed(&folder).iter().any(|image| image.has_language("C"));
    assert!(there || std::env::var_os("OUBLIETTE_REQUIRE_MACHINE").is_none(), "there is no image in {}", folder.display());
    if !there {
        eprintln!("skipped: there is no machine image; `oubliette image build` makes one");
    }
    there
}

#[test]
fn a_source_runs_in_the_language_that_was_named() {
    if !has_image() {
        return;
    }
    let patient = || oubliette::machine().timeout(Duration::from_secs(120));
    for (language, source) in [
        ("c", "#include <stdio.h>\nint main(int n, char **a) { printf(\"Hello, %s!\\n\", n > 1 ? a[1] : \"nobody\"); return 3; }"),
        ("python", "import sys\nprint(f'Hello, {sys.argv[1]}!')\nsys.exit(3)"),
        ("Perl", "print \"Hello, $ARGV[0]!\\n\"; exit 3"),
    ] {
        let outcome = patient().language(language).arguments(["you"]).run(source).expect("the host is well");
        let err = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!(outcome.stop, Stop::Finished(3), "{language}: {err}");
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), "Hello, you!\n", "{language}");
    }
    let outcome = patient().language("c").run("int main(void) { return oops; }").expect("the host is well");
    assert!(matches!(&outcome.stop, Stop::Raised(error) if error.name == "CompileError"), "{:?}", outcome.stop);
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("oops"));
}

#[test]
fn a_cell_runs_many_programs_each_in_a_machine_of_its_own() {
    if !has_image() {
        return;
    }
    let mut cell = oubliette::machine().timeout(Duration::from_secs(120)).build().expect("a cell");
    let task = Task::program("count.sh", *b"ls >>seen; cat seen numbers; read line; echo $line").input("numbers", *b"19\n23\n");
    let task = task.input("stdin", *b"a line\n");
    for _ in 0..2 {
        let outcome = cell.run(&task).expect("the host is well");
        assert_eq!(outcome.stop, Stop::Finished(0));
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), "count.sh\nnumbers\nseen\n19\n23\na line\n");
        assert_eq!(outcome.extra.get("language"), Some(&Value::from("sh")));
    }
}

#[test]
fn without_an_image_or_a_language_the_error_says_what_to_do() {
    let empty = tempfile::tempdir().expect("a folder");
    let builder = || oubliette::machine().source(Arc::new(Machines::new(Config::new(empty.path()))));
    let error = builder().language("c").run("int main(void) { return 0; }").expect_err("no image");
    assert!(matches!(error, Error::Host(_)) && error.to_string().contains("oubliette image build"), "{error}");
    let error = builder().language("klingon").run("nuqneH").expect_err("no such language");
    assert!(matches!(error, Error::Program(_)) && error.to_string().contains("oubliette languages"), "{error}");
    let error = builder().run("nuqneH").expect_err("no language at all");
    assert!(matches!(error, Error::Program(_)), "{error}");
    let error = builder().fuel(1000).language("c").build().expect_err("a limit that nobody keeps");
    assert!(matches!(error, Error::LimitNotKept { limit: "fuel", .. }), "{error}");
}
