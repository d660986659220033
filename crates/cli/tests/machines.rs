//! Machines through the command. What needs an image looks for it in `$OUBLIETTE_DATA` or the usual data folder, and is
//! skipped with a word where there is none, unless `OUBLIETTE_REQUIRE_MACHINE` is set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;

fn data() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("OUBLIETTE_DATA")
        .or_else(|| variable("XDG_DATA_HOME").map(|folder| folder.join("oubliette")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".local/share/oubliette")))
        .expect("a home")
}

/// Whether there is an image; a word if there is none.
fn has_image() -> bool {
    let there = data().join("images/base/image.toml").exists();
    if !there {
        assert!(std::env::var_os("OUBLIETTE_REQUIRE_MACHINE").is_none(), "there is no image in {}", data().display());
        eprintln!("skipped: there is no machine image; `oubliette image build` makes one");
    }
    there
}

struct Place {
    data: PathBuf,
    folder: tempfile::TempDir,
}

impl Place {
    fn new(data: &Path) -> Self {
        Self { data: data.to_owned(), folder: tempfile::tempdir().expect("a folder") }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    /// Runs the command with a file as its standard input, so that nothing waits for anybody.
    fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let stdin = fs::File::open(self.file("input of the command", input)).expect("there");
        let mut command = Command::new(cargo_bin("oubliette"));
        command.args(arguments).env("OUBLIETTE_DATA", &self.data).stdin(Stdio::from(stdin));
        command.output().expect("it starts")
    }

    /// What it printed; it must have succeeded.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn without_an_image_it_is_explained_how_to_get_one() {
    let empty = tempfile::tempdir().expect("a folder");
    let place = Place::new(empty.path());
    let program = place.file("hello.c", "int main(void) { return 0; }");
    for arguments in [vec!["run", &program], vec!["shell"], vec!["machine", "new", "work"]] {
        let output = place.run(&arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains("oubliette image build") && output.stdout.is_empty(), "{arguments:?}: {text}");
    }
    // A language that is not among the usual ones comes with it; one that cannot be had is no reason to make an image.
    let haskell = place.file("hello.hs", "main = return ()");
    let text = String::from_utf8_lossy(&place.run(&["run", &haskell]).stderr).into_owned();
    assert!(text.contains("oubliette image build 'haskell'") && text.contains("Haskell with what it needs"), "{text}");
    let text = String::from_utf8_lossy(&place.run(&["run", "--language", "gleam", &haskell]).stderr).into_owned();
    assert!(text.contains("cannot be had") && !text.contains("image build"), "{text}");
    assert_eq!(place.good(&["machine", "ps", "--json"]), "[]\n");
    let output = place.run(&["machine", "restart", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no machine is kept under the name"));
    assert_eq!(place.run(&["cp", &program, "elsewhere"]).status.code(), Some(2));
}

#[test]
fn languages_are_listed() {
    let empty = tempfile::tempdir().expect("a folder");
    let text = Place::new(empty.path()).good(&["languages"]);
    assert!(text.lines().count() >= 130, "{text}");
    for line in ["C ", "TI-BASIC ", "Haskell "] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line}");
    }
}

#[test]
fn programs_run_as_in_any_cell() {
    if !has_image() {
        return;
    }
    let place = Place::new(&data());
    let c = place.file("hello.c", "#include <stdio.h>\nint main(void) { puts(\"Hello, world!\"); return 3; }\n");
    let output = place.run(&["run", "--timeout", "120s", &c]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), b"Hello, world!\n".as_slice()));

    let python = place.file("sum.py", "print(sum(map(int, input().split())))");
    let numbers = place.file("numbers", "19 23\n");
    let text = place.good(&["run", "--timeout", "120s", "--json", "-d", &format!("stdin={numbers}"), &python]);
    let outcome: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&outcome["stdout"], &outcome["stop"], &outcome["cell"]), (&"42\n".into(), &"finished".into(), &"machine".into()));
    let output = place.run_with(&["run", "--timeout", "120s", "-i", &python], "40 2\n");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"42\n".as_slice()), "{output:?}");
    assert_eq!(place.run(&["run", "-i", "-d", &format!("stdin={numbers}"), &python]).status.code(), Some(2));

    // A name that says nothing, and a language that does.
    let program = place.file("program", "echo $((6 * 7))");
    assert_eq!(place.good(&["run", "--timeout", "120s", "--language", "sh", &program]), "42\n");
    let broken = place.file("broken.c", "int main(");
    let output = place.run(&["run", "--timeout", "120s", &broken]);
    assert_eq!(output.status.code(), Some(120), "{output:?}");
    let endless = place.file("endless.sh", "while :; do :; done");
    assert_eq!(place.run(&["run", "--timeout", "1s", &endless]).status.code(), Some(122));
}

#[test]
fn a_network_is_what_was_allowed_and_nothing_without_it() {
    let empty = tempfile::tempdir().expect("a folder");
    let nowhere = Place::new(empty.path());
    let script = nowhere.file("rule.js", "1 + 1");
    let text = String::from_utf8_lossy(&nowhere.run(&["run", "--allow", "example.org", &script]).stderr).into_owned();
    assert!(text.contains("--allow is for machines"), "{text}");
    assert_eq!(nowhere.run(&["shell", "--allow", "not a host"]).status.code(), Some(2));
    if !has_image() {
        return;
    }
    let place = Place::new(&data());
    let line = "ls /sys/class/net | wc -l; curl -s -o /dev/null -m 20 -w '%{http_code}' http://example.com/ || true";
    let script = place.file("reach.sh", line);
    assert_eq!(place.good(&["run", "--timeout", "120s", &script]), "1\n000");
    // The proxy's own answer about a host that is not on the list.
    assert_eq!(place.good(&["run", "--timeout", "120s", "--allow", "example.org", &script]), "2\n403");
    assert_eq!(place.good(&["shell", "--allow", "example.org", "--", "sh", "-c", line]), "2\n403");
}

#[test]
fn a_shell_takes_what_it_is_given() {
    if !has_image() {
        return;
    }
    let place = Place::new(&data());
    let output = place.run_with(&["shell"], "echo to err >&2\necho $((6 * 7))\nexit 5\n");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(5), b"42\n".as_slice()), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("to err"));
    // On a terminal, by the means of util-linux.
    if Path::new("/usr/bin/script").exists() {
        let line = format!(
            "stty rows 31 columns 97; {} shell -- sh -c 'stty size; test -t 0 && echo on a terminal'",
            cargo_bin("oubliette").display()
        );
        let output = Command::new("script").args(["-qec", &line, "/dev/null"]).env("OUBLIETTE_DATA", data()).stdin(Stdio::null()).output();
        let output = output.expect("script");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("31 97") && text.contains("on a terminal"), "{text}");
    }
}

#[test]
fn kept_machines_stay_between_commands() {
    if !has_image() {
        return;
    }
    let place = Place::new(&data());
    let name = format!("test-{}", std::process::id());
    let inside = |line: &str| place.good(&["shell", &name, "--", "sh", "-c", line]);
    place.good(&["machine", "new", &name]);
    assert_eq!(place.run(&["machine", "new", &name]).status.code(), Some(2), "made twice");
    assert_eq!(inside("echo memory >/dev/shm/file; echo disk >file"), "");
    assert_eq!(inside("cat file /dev/shm/file"), "disk\nmemory\n");

    let sent = place.file("sent", "what was sent\n");
    place.good(&["cp", &sent, &format!("{name}:")]);
    fs::create_dir_all(place.folder.path().join("tree/inner")).expect("made");
    fs::write(place.folder.path().join("tree/inner/leaf"), "leaf\n").expect("written");
    let tree = place.folder.path().join("tree").display().to_string();
    assert_eq!(place.run(&["cp", &tree, &format!("{name}:")]).status.code(), Some(2), "a folder without -r");
    place.good(&["cp", "-r", &tree, &format!("{name}:")]);
    assert_eq!(inside("cat sent tree/inner/leaf"), "what was sent\nleaf\n");
    let back = place.folder.path().join("back");
    place.good(&["cp", "-r", &format!("{name}:tree"), &back.display().to_string()]);
    assert_eq!(fs::read_to_string(back.join("inner/leaf")).expect("there"), "leaf\n");
    assert_eq!(place.good(&["cp", &format!("{name}:sent"), "-"]), "what was sent\n");

    let snapshot = place.good(&["machine", "snapshot", &name]);
    let snapshot = snapshot.trim();
    place.good(&["machine", "restart", &name]);
    assert_eq!(inside("cat file; ls /dev/shm"), "disk\n", "a restart keeps the disk and nothing else");
    place.good(&["machine", "reset", &name]);
    assert_eq!(inside("ls"), "", "a reset keeps nothing");
    place.good(&["machine", "restore", snapshot]);
    assert_eq!(inside("cat file /dev/shm/file"), "disk\nmemory\n");

    let listed: serde_json::Value = serde_json::from_str(&place.good(&["machine", "ps", "--json"])).expect("JSON");
    let row = |name: &str| listed.as_array().expect("rows").iter().find(|row| row["name"] == name).expect("listed").clone();
    assert_eq!((&row(snapshot)["snapshot_of"], &row(&name)["in_use"]), (&name.clone().into(), &false.into()));
    let log = place.good(&["machine", "logs", &name]);
    for word in ["made", "restarted", "reset to a new clone", "restored from", "was copied in"] {
        assert!(log.contains(word), "{word}: {log}");
    }
    assert!(place.good(&["machine", "logs", "--kernel", &name]).contains("Linux version"));
    place.good(&["machine", "rm", snapshot, &name]);
    assert_eq!(place.run(&["machine", "logs", &name]).status.code(), Some(2));
}
