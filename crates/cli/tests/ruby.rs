//! `oubliette ruby` and `oubliette run x.rb`. Ruby is prepared in the user's cache the first time, which needs npm and takes minutes.

use std::fs;
use std::process::Output;

use assert_cmd::Command;

fn oubliette(arguments: &[&str], input: &str) -> Output {
    Command::cargo_bin("oubliette").unwrap().args(arguments).write_stdin(input).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn code_runs_and_its_end_is_the_commands() {
    let output = oubliette(&["ruby", "-e", "puts [1, 2, 3].sum", "-e", "warn 'oops'; exit 3"], "");
    assert_eq!((out(&output).as_str(), err(&output).as_str(), output.status.code()), ("6\n", "oops\n", Some(3)));
    let output = oubliette(&["ruby", "-e", "p ARGV, $0", "--", "a", "b"], "");
    assert_eq!(out(&output), "[\"a\", \"b\"]\n\"-e\"\n", "{}", err(&output));
    let output = oubliette(&["ruby"], "puts 'from standard input'");
    assert_eq!(out(&output), "from standard input\n", "{}", err(&output));
}

#[test]
fn the_environment_is_what_was_given() {
    let output =
        oubliette(&["ruby", "--env", "NAME=a=b", "-e", "p ENV.to_h, Sandbox.new.eval('ENV.to_h'), Sandbox.safe.eval('ENV.to_h')"], "");
    assert_eq!(out(&output), "{\"NAME\" => \"a=b\"}\n{\"NAME\" => \"a=b\"}\n{}\n", "{}", err(&output));
    let output = oubliette(&["ruby", "--env", "NAME", "-e", "1"], "");
    assert!(err(&output).contains("NAME=VALUE") && output.status.code() == Some(2), "{}", err(&output));
}

#[test]
fn boxes_are_made_in_a_main_ruby() {
    let output = oubliette(
        &[
            "ruby",
            "-e",
            "box = Sandbox.safe; p box.eval('1 + 1')",
            "-e",
            "begin; box.eval('loop {}', timeout: 0.2); rescue Sandbox::TimeoutError; p :stopped; end",
        ],
        "",
    );
    assert_eq!(out(&output), "2\n:stopped\n", "{}", err(&output));
}

#[test]
fn a_file_finds_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("neighbour.rb"), "WORD = 'here'").unwrap();
    fs::write(folder.path().join("web.rb"), "def start = WORD2 + '!'").unwrap();
    let master = folder.path().join("master.rb");
    fs::write(&master, "require 'neighbour'\nbox = Sandbox.safe\nbox.set 'WORD2', WORD\nbox.load 'web.rb'\nputs box.eval('start')\n")
        .unwrap();
    let output = oubliette(&["ruby", master.to_str().unwrap()], "");
    assert_eq!(out(&output), "here!\n", "{}", err(&output));
}

#[test]
fn exceptions_are_shown_in_rubys_own_form() {
    let output = oubliette(&["ruby", "-e", "def f = raise(ArgumentError, 'no')\nf"], "");
    assert_eq!(output.status.code(), Some(120));
    let text = err(&output);
    assert!(text.starts_with("-e:1:in 'f': no (ArgumentError)") || text.starts_with("-e:1:in 'Object#f': no (ArgumentError)"), "{text}");
    assert!(text.contains("from -e:2:in '<main>'") && !text.contains("oubliette"), "{text}");
    let output = oubliette(&["ruby", "-e", "1 +* "], "");
    let text = err(&output);
    assert!(text.starts_with("-e: -e:1: syntax error") && text.contains("(SyntaxError)"), "{text}");
    assert!(!text.contains("oubliette") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn the_outcome_is_one_json_object() {
    let output = oubliette(&["ruby", "--json", "-e", "print 'x'; { 'a' => [1, nil] }"], "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["cell"], &report["stop"], &report["stdout"]), (&"ruby".into(), &"finished".into(), &"x".into()));
    assert_eq!(report["value"], serde_json::json!({ "a": [1, null] }));
    let output = oubliette(&["ruby", "--json", "--fuel", "2M", "-e", "loop {}"], "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["stop"], output.status.code()), (&"out_of_fuel".into(), Some(121)));
}

#[test]
fn a_ruby_file_is_a_cell_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.rb");
    fs::write(&file, "puts INPUTS['n'].to_i * 2\nputs File.exist?('/etc/passwd')").unwrap();
    let data = folder.path().join("n");
    fs::write(&data, "21").unwrap();
    let output = oubliette(&["run", file.to_str().unwrap(), "-d", &format!("n={}", data.display())], "");
    assert_eq!((out(&output).as_str(), output.status.code()), ("42\nfalse\n", Some(0)), "{}", err(&output));
    fs::write(&file, "def f = raise('no')\nf").unwrap();
    let output = oubliette(&["run", file.to_str().unwrap()], "");
    let expected = format!("{0}:1:in 'Object#f': no (RuntimeError)\n\tfrom {0}:2:in '<main>'\n", file.display());
    assert_eq!((err(&output), output.status.code()), (expected, Some(120)));
}
