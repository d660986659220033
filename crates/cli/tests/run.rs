//! The command as its users meet it: real files in, exit status, standard output and error out.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

fn oubliette() -> Command {
    Command::cargo_bin("oubliette").expect("the command is built")
}

fn guest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/moxie").join(path).canonicalize().expect("a file of the repository")
}

fn fixture(name: &str) -> PathBuf {
    guest(&format!("fixtures/{name}.elf"))
}

fn data(name: &str) -> PathBuf {
    guest(&format!("examples/data/{name}"))
}

fn run(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> std::process::Output {
    oubliette().args(arguments).output().expect("starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn a_contract_that_finishes_shows_what_it_wrote_and_nothing_else() {
    let output = run(&[&"run", &fixture("hello")]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str(), text(&output.stderr).as_str()), (Some(0), "hello, world\n", ""));
}

#[test]
fn output_goes_to_a_file_or_behind_the_console_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("digest");
    let behind = run(&[&"run", &fixture("sha256"), &"-d", &data("letter.txt")]);
    let asked = run(&[&"run", &fixture("sha256"), &"-d", &data("letter.txt"), &"-o", &file]);
    assert_eq!(behind.stdout, [asked.stdout.as_slice(), &fs::read(&file).unwrap()].concat());
    assert_eq!(fs::read(&file).unwrap().len(), 32);
    // A contract that sets no output leaves an empty file.
    assert_eq!(run(&[&"run", &fixture("hello"), &"-o", &file]).status.code(), Some(0));
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn the_outcome_as_json_has_the_promised_shape() {
    let output = run(&[&"run", &"--json", &fixture("sha256"), &"-d", &data("letter.txt")]);
    let outcome = json(&output);
    assert_eq!(
        (&outcome["cell"], &outcome["stop"], &outcome["code"], &outcome["fuel_schedule"]),
        (&"moxie".into(), &"finished".into(), &0.into(), &1.into())
    );
    assert_eq!(outcome["output"]["bytes"], 32);
    assert_eq!(outcome["output"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(outcome["output"]["base64"].as_str().unwrap().len(), 44);
    assert_eq!(outcome["registers"].as_array().unwrap().len(), 16);
    assert!(outcome["fuel_used"].as_u64().unwrap() >= outcome["instructions"].as_u64().unwrap());
    assert!(outcome["pc"].is_u64() && outcome["memory_peak"].is_u64() && outcome["wall_us"].is_u64());
    assert!(outcome.get("state").is_none() && outcome.get("error").is_none());
    let folder = tempfile::tempdir().unwrap();
    let taken = json(&run(&[&"run", &"--json", &fixture("sha256"), &"-o", &folder.path().join("out")]));
    assert!(taken["output"].get("base64").is_none(), "a file took the bytes");
}

#[test]
fn every_stop_has_its_exit_status_and_its_word() {
    let cases: [(&str, &[&str], i32, &str); 6] = [
        ("trap_O0", &[], 120, "trapped"),
        ("loop", &["--fuel", "1M"], 121, "out_of_fuel"),
        ("loop", &["--fuel", "none", "--timeout", "100ms"], 122, "out_of_time"),
        ("hello", &["--memory", "4K"], 123, "out_of_memory"),
        ("flood", &[], 124, "output_full"),
        ("recursion", &[], 120, "trapped"),
    ];
    for (name, flags, status, stop) in cases {
        let output = oubliette().args(["run", "--json"]).args(flags).arg(fixture(name)).output().unwrap();
        assert_eq!((output.status.code(), &json(&output)["stop"]), (Some(status), &stop.into()), "{name} {flags:?}");
    }
}

#[test]
fn a_trap_names_function_file_and_line() {
    let output = run(&[&"run", &fixture("trap_O0")]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(120));
    assert!(error.contains("trapped after"), "{error}");
    assert!(error.contains("trap.c:"), "{error}");
    assert!(error.contains("at main ("), "{error}");
    let without_lines = text(&run(&[&"run", &fixture("trap_symbols")]).stderr);
    assert!(without_lines.contains("at main (0x"), "{without_lines}");
    let without_names = text(&run(&[&"run", &fixture("trap_stripped")]).stderr);
    assert!(without_names.contains("    at 0x"), "{without_names}");
}

#[test]
fn a_loop_that_runs_out_of_fuel_says_where_it_was() {
    let output = run(&[&"run", &"--fuel", &"1M", &fixture("loop")]);
    assert!(
        text(&output.stderr).contains("out of fuel after 1000000 units of fuel; give it more with --fuel\n    at "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn state_is_carried_and_replaced_only_by_a_run_that_finished() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("ledger.bin");
    let first = run(&[&"run", &fixture("ledger"), &"-d", &data("orders-1.txt"), &"--state", &state]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let after_first = fs::read(&state).unwrap();
    let stopped = run(&[&"run", &fixture("ledger"), &"-d", &data("orders-2.txt"), &"--state", &state, &"--fuel", &"500"]);
    assert_eq!(stopped.status.code(), Some(121));
    assert_eq!(fs::read(&state).unwrap(), after_first);
    assert_eq!(run(&[&"run", &fixture("ledger"), &"-d", &data("orders-2.txt"), &"--state", &state]).status.code(), Some(0));
    assert_ne!(fs::read(&state).unwrap(), after_first);
}

#[test]
fn programs_and_data_are_found_by_their_hash() {
    let (elf, letter) = (fs::read(fixture("sha256")).unwrap(), fs::read(data("letter.txt")).unwrap());
    let (elf_hash, letter_hash) = (oubliette::sha256(&elf), oubliette::sha256(&letter));
    let by_hash = run(&[&"run", &"-e", &elf_hash, &"-E", &guest("fixtures"), &"-d", &letter_hash, &"-D", &guest("examples/data")]);
    assert_eq!(by_hash.stdout, run(&[&"run", &fixture("sha256"), &"-d", &data("letter.txt")]).stdout);
    let nowhere = run(&[&"run", &"-e", &elf_hash, &"-E", &guest("examples/data")]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains(&format!("no file with the SHA-256 {elf_hash}")));
}

#[test]
fn interpreter_and_jit_tell_the_same_outcome() {
    for name in ["sha256", "trap_O2", "malloc", "selfmod", "trampoline"] {
        let of = |engine: &str| {
            let mut outcome = json(&run(&[&"run", &"--json", &"--engine", &engine, &fixture(name), &"-d", &data("letter.txt")]));
            outcome.as_object_mut().unwrap().remove("wall_us");
            outcome
        };
        assert_eq!(of("interpreter"), of("jit"), "{name}");
        assert_eq!(of("interpreter"), of("auto"), "{name}");
    }
}

#[test]
fn the_classic_layout_has_the_old_addresses() {
    let registers = |layout: &str| json(&run(&[&"run", &"--json", &"--layout", &layout, &fixture("hello")]))["registers"].clone();
    assert_ne!(registers("classic"), registers("pages"));
}

#[test]
fn a_recording_replays_with_nobody_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.rec");
    let first =
        run(&[&"run", &fixture("hatch"), &"-d", &data("things.txt"), &"--offer", &"clock", &"--offer", &"random", &"--record", &file]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let again = run(&[&"replay", &file]);
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(0), text(&first.stdout)), "{}", text(&again.stderr));
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let damaged = run(&[&"replay", &file]);
    assert_eq!(damaged.status.code(), Some(2));
    assert!(text(&damaged.stderr).contains("changed or damaged"), "{}", text(&damaged.stderr));
}

#[test]
fn a_run_stopped_by_the_clock_replays_to_the_same_instruction() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.rec");
    let first = json(&run(&[&"run", &"--json", &fixture("loop"), &"--fuel", &"none", &"--timeout", &"80ms", &"--record", &file]));
    assert_eq!(first["stop"], "out_of_time");
    let again = json(&run(&[&"replay", &"--json", &file]));
    assert_eq!((&again["stop"], &again["fuel_used"], &again["pc"]), (&first["stop"], &first["fuel_used"], &first["pc"]));
}

#[test]
fn a_receipt_is_checked_by_running_again() {
    let folder = tempfile::tempdir().unwrap();
    let receipt = folder.path().join("receipt.json");
    let made = run(&[&"run", &fixture("sha256"), &"-d", &data("letter.txt"), &"--receipt", &receipt]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let holds = run(&[&"verify", &receipt, &fixture("sha256"), &"-D", &guest("examples/data")]);
    assert_eq!(holds.status.code(), Some(0), "{}{}", text(&holds.stdout), text(&holds.stderr));
    let missing = run(&[&"verify", &receipt]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("is needed"), "{}", text(&missing.stderr));
    // A receipt that claims other work is found out.
    let lie = fs::read_to_string(&receipt).unwrap();
    let mut parsed: Value = serde_json::from_str(&lie).unwrap();
    parsed["end"]["fuel_used"] = (parsed["end"]["fuel_used"].as_u64().unwrap() + 1).into();
    fs::write(&receipt, parsed.to_string()).unwrap();
    let broken = run(&[&"verify", &receipt, &fixture("sha256"), &"-D", &guest("examples/data")]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stdout).contains("does NOT hold: the fuel used is"), "{}", text(&broken.stdout));
}

#[test]
fn a_run_that_the_clock_ended_gets_no_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let receipt = folder.path().join("receipt.json");
    let output = run(&[&"run", &fixture("loop"), &"--fuel", &"none", &"--timeout", &"50ms", &"--receipt", &receipt]);
    assert_eq!(output.status.code(), Some(122));
    assert!(text(&output.stderr).contains("no receipt for a run that ended out of time"));
    assert!(!receipt.exists());
}

#[test]
fn wrong_use_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let whole = fs::read(fixture("hello")).unwrap();
    let mut other = whole.clone();
    other[18] = 62;
    let cases: [(PathBuf, &[&str], &str); 7] = [
        (folder.path().join("absent.elf"), &[], "cannot open"),
        (folder.path().to_owned(), &[], "is a folder"),
        (write("empty.elf", b""), &["--cell", "moxie"], "too short to be an executable"),
        (write("cut.elf", &whole[..70]), &[], ""),
        (write("other.elf", &other), &[], "another machine"),
        (write("notes.xyz", b"hello"), &[], ".xyz"),
        (fixture("hello"), &["--depth", "10"], "cannot keep a limit on depth"),
    ];
    for (path, flags, words) in cases {
        let output = oubliette().arg("run").args(flags).arg(&path).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{}: {error}", path.display());
        assert!(error.starts_with("oubliette: ") && error.contains(words), "{}: {error}", path.display());
    }
    let flags = ["-o", "--state", "--record", "--receipt"];
    for flag in flags {
        let output = oubliette().arg("run").arg(flag).arg(folder.path().join("no/file")).arg(fixture("hello")).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{flag}: nothing was run");
        assert!(text(&output.stderr).contains("there is no folder"), "{flag}: {}", text(&output.stderr));
    }
    for flags in [&["--memory", "lots"][..], &["--fuel", "1.5M"], &["--timeout", "soon"], &["--offer", "internet"], &["--cell", "cobol"]] {
        let output = oubliette().arg("run").args(flags).arg(fixture("hello")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
    }
}

#[test]
fn looking_on_writes_traces_and_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, profile, flame) = (folder.path().join("trace"), folder.path().join("gmon.out"), folder.path().join("folded"));
    let hello = fixture("trap_symbols");
    run(&[&"run", &hello, &"--trace", &trace]);
    let lines = fs::read_to_string(&trace).unwrap();
    assert!(lines.lines().any(|line| line == "main:"), "the trace names functions");
    assert!(lines.lines().any(|line| line.contains("jsra")), "the trace disassembles");
    let output = run(&[&"run", &guest("bench/qsort.elf"), &"-p", &profile, &"--flame", &flame, &"--fuel", &"5M"]);
    assert_eq!(output.status.code(), Some(121));
    assert_eq!(&fs::read(&profile).unwrap()[..4], b"gmon");
    let samples: u64 =
        fs::read_to_string(&flame).unwrap().lines().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(samples, 5_000_000 / 1009);
}

#[test]
fn inspect_shows_segments_symbols_and_code() {
    let all = text(&run(&[&"inspect", &fixture("trap_symbols")]).stdout);
    for part in ["entry 0x", "segments", " ro ", " rw ", "symbols", "function main", "disassembly", "<main>:"] {
        assert!(all.contains(part), "{part} is missing");
    }
    let one = text(&run(&[&"inspect", &"-f", &"main", &fixture("trap_symbols")]).stdout);
    assert!(one.contains("<main>:") && !one.contains("segments"));
    assert_eq!(run(&[&"inspect", &"-f", &"nobody", &fixture("trap_symbols")]).status.code(), Some(2));
    assert_eq!(run(&[&"inspect", &data("letter.txt")]).status.code(), Some(2));
}
