//! JavaScript from the command line: values shown, carets under errors, exit statuses, a conversation.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn oubliette(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_oubliette")).args(arguments).stdin(Stdio::null()).output().expect("starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn eval_shows_the_value_as_the_console_would() {
    for (code, shown) in [
        ("1+1", "2\n"),
        ("({ a: [1, 'x'], f() {} })", "{ a: [ 1, 'x' ], f: [Function: f] }\n"),
        ("console.log('hi'); undefined", "hi\n"),
        ("Promise.resolve('later')", "'later'\n"),
    ] {
        let output = oubliette(&["eval", code]);
        assert_eq!(
            (output.status.code(), text(&output.stdout), text(&output.stderr)),
            (Some(0), shown.to_owned(), String::new()),
            "{code}"
        );
    }
}

#[test]
fn an_uncaught_error_points_at_its_place() {
    let output = oubliette(&["eval", "null.x"]);
    assert_eq!(output.status.code(), Some(120));
    assert_eq!(
        text(&output.stderr),
        "[eval]:1\nnull.x\n     ^\noubliette: uncaught TypeError: Cannot read properties of null (reading 'x')\n    at [eval]:1:6\n"
    );
}

#[test]
fn stops_have_their_statuses() {
    assert_eq!(oubliette(&["eval", "for (;;);", "--fuel", "100K"]).status.code(), Some(121));
    assert_eq!(oubliette(&["eval", "for (;;) console.log('flood')"]).status.code(), Some(124));
    let json = text(&oubliette(&["eval", "--json", "[1, 2]"]).stdout);
    assert!(json.starts_with("{\"cell\":\"javascript\",\"stop\":\"finished\",\"code\":0,") && json.contains("\"value\":[1,2]"), "{json}");
}

#[test]
fn a_conversation_keeps_its_state() {
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_oubliette")).arg("repl").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(b"let x = 5\nx * 2\nfunction g() {\n  return x }\ng()\n").expect("writes");
    let output = text(&child.wait_with_output().expect("ends").stdout);
    let shown: Vec<&str> = output.lines().filter(|line| !line.starts_with("[fuel ")).collect();
    assert_eq!(shown, ["undefined", "10", "undefined", "5"], "{output}");
}
