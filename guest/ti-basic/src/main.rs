//! `ti-basic FILE`: runs a program.

use std::io::{BufWriter, stdin, stdout};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: ti-basic FILE");
        return ExitCode::from(2);
    };
    let source = match std::fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            eprintln!("ti-basic: {}: {error}", path.display());
            return ExitCode::from(2);
        }
    };
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.subsec_nanos().into());
    match ti_basic::run(&source, &mut stdin().lock(), &mut BufWriter::new(stdout().lock()), seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
