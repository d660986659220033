//! The first process of a machine. Outside a machine: `oubliette-agent --serve` serves standard input, which
//! must be a socket; tests and fuzzers use that.

use std::os::fd::AsFd;
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--serve") {
        let served = std::io::stdin().as_fd().try_clone_to_owned().and_then(|channel| agent::serve(channel, agent::Config::default()));
        return match served {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("oubliette-agent: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if std::env::args().nth(1).as_deref() == Some(agent::starter::ARGUMENT) {
        return agent::starter::wait_for_program(std::env::args().skip(2));
    }
    if std::process::id() != 1 {
        eprintln!("oubliette-agent is the first process of a machine; outside one use --serve");
        return ExitCode::from(2);
    }
    let error = match agent::boot::boot() {
        Ok((channel, config)) => match agent::serve(channel, config) {
            Ok(()) => "the channel ended".to_owned(),
            Err(error) => error.to_string(),
        },
        Err(error) => error,
    };
    // The end of the first process is a kernel panic, which the host sees as a machine that ended.
    drop(std::fs::write("/dev/kmsg", format!("<0>oubliette-agent: {error}\n")));
    ExitCode::FAILURE
}
