//! The agent as an ordinary process, on a socket: what the host says, right and wrong.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use wire::{
    Decoder, Exit, FailureKind, FileOperation, FromGuest, INPUT_WINDOW, JobLimits, Output, PREAMBLE, Program, ToGuest, User, VERSION,
};

struct Agent {
    child: Child,
    stream: UnixStream,
    decoder: Decoder,
}

impl Agent {
    fn start() -> Self {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let child = Command::new(env!("CARGO_BIN_EXE_oubliette-agent"))
            .arg("--serve")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        ours.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        Self { child, stream: ours, decoder: Decoder::new() }
    }

    fn greeted() -> Self {
        let mut agent = Self::start();
        agent.greet();
        agent
    }

    fn greet(&mut self) {
        self.stream.write_all(&PREAMBLE).expect("it listens");
        self.say(&ToGuest::Hello { version: VERSION });
        while self.hear() != (FromGuest::Hello { version: VERSION }) {}
    }

    fn say(&mut self, message: &ToGuest) {
        let mut bytes = Vec::new();
        wire::encode(message, &mut bytes).expect("short enough");
        self.stream.write_all(&bytes).expect("it listens");
    }

    fn hear(&mut self) -> FromGuest {
        let mut bytes = [0; 4096];
        loop {
            if let Some(message) = self.decoder.next_message().expect("it is well-behaved") {
                return message;
            }
            let count = self.stream.read(&mut bytes).expect("it answers");
            assert!(count > 0, "it is gone");
            self.decoder.feed(&bytes[..count]);
        }
    }

    fn run(&mut self, job: u32, argv: &[&str]) {
        let program = Program {
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            terminal: None,
            user: User::User,
            limits: JobLimits::default(),
            window: 1000,
        };
        self.say(&ToGuest::Start { job, program });
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn output_flows_as_far_as_it_is_granted() {
    let mut agent = Agent::greeted();
    agent.run(7, &["sh", "-c", "head -c 5000 /dev/zero; exit 3"]);
    assert!(matches!(agent.hear(), FromGuest::Started { job: 7, .. }));
    let (mut granted, mut seen) = (1000, 0);
    loop {
        match agent.hear() {
            FromGuest::Data { job: 7, output: Output::Out, bytes } => {
                seen += bytes.len();
                assert!(seen <= granted, "{seen} bytes with {granted} granted");
                if seen == granted {
                    agent.say(&ToGuest::Credit { job: 7, output: Output::Out, bytes: 500 });
                    granted += 500;
                }
            }
            FromGuest::End { .. } | FromGuest::Credit { .. } => {}
            FromGuest::Exited { job: 7, exit, .. } => {
                assert_eq!((exit, seen), (Exit::Code(3), 5000));
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn one_stalled_job_stalls_no_other() {
    let mut agent = Agent::greeted();
    agent.run(1, &["yes"]);
    agent.run(2, &["echo", "hello"]);
    let mut text = Vec::new();
    loop {
        match agent.hear() {
            FromGuest::Data { job: 2, bytes, .. } => text.extend(bytes),
            FromGuest::Exited { job: 2, .. } => break,
            _ => {}
        }
    }
    assert_eq!(text, b"hello\n");
    agent.say(&ToGuest::Abandon { job: 1 });
    while !matches!(agent.hear(), FromGuest::Exited { job: 1, exit: Exit::Signal(9), .. }) {}
}

#[test]
fn what_cannot_be_done_is_said_and_hurts_nothing_else() {
    let mut agent = Agent::greeted();
    agent.run(1, &["/no/such/program"]);
    assert!(matches!(agent.hear(), FromGuest::Failed { job: 1, failure } if failure.kind == FailureKind::NotFound));
    agent.run(2, &[]);
    assert!(matches!(agent.hear(), FromGuest::Failed { job: 2, .. }));
    agent.run(3, &["sleep", "1000"]);
    assert!(matches!(agent.hear(), FromGuest::Started { job: 3, .. }));
    agent.run(3, &["true"]);
    assert!(matches!(agent.hear(), FromGuest::Failed { job: 3, failure } if failure.kind == FailureKind::Busy));
    let get = FileOperation::Get { path: "/dev/zero".to_owned(), limit: 10, window: 10 };
    agent.say(&ToGuest::File { job: 4, operation: get, user: User::User });
    assert!(matches!(agent.hear(), FromGuest::Failed { job: 4, failure } if failure.kind == FailureKind::WrongKind));
    agent.say(&ToGuest::Ping { sequence: 5 });
    assert!(matches!(agent.hear(), FromGuest::Pong { sequence: 5, health } if health.jobs == 1));
}

#[test]
fn more_input_than_was_granted_ends_the_session_until_the_preamble() {
    let mut agent = Agent::greeted();
    agent.run(1, &["sleep", "1000"]);
    assert!(matches!(agent.hear(), FromGuest::Started { .. }));
    // What the pipe takes is granted again, so it takes more than one window.
    for _ in 0..=2 * INPUT_WINDOW / 16384 {
        agent.say(&ToGuest::Data { job: 1, bytes: vec![0; 16384] });
    }
    // What it took of the first ones, and then the fault.
    while !matches!(agent.hear(), FromGuest::Fault { .. }) {}
    agent.say(&ToGuest::Ping { sequence: 1 });
    agent.greet();
    agent.say(&ToGuest::Ping { sequence: 2 });
    assert!(matches!(agent.hear(), FromGuest::Pong { sequence: 2, health } if health.jobs == 0));
}

/// As many cases as `PROPTEST_CASES` says, else so many: a long run is a setting, not another program.
fn cases(usual: u32) -> ProptestConfig {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { usual };
    ProptestConfig::with_cases(cases)
}

proptest! {
    #![proptest_config(cases(48))]

    /// Whatever bytes come, the agent lives, and a new session is as good as the first.
    #[test]
    fn garbage_never_ends_the_agent(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..2000)), 1..20),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut agent = Agent::greeted();
        agent.stream.set_nonblocking(true).expect("set");
        for (framed, piece) in pieces {
            let mut bytes = Vec::new();
            if framed {
                let message = ToGuest::Data { job: 1, bytes: piece };
                wire::encode(&message, &mut bytes).expect("short enough");
                for (index, value) in &flips {
                    let at = index.index(bytes.len());
                    bytes[at] ^= value;
                }
            } else {
                bytes = piece;
            }
            // A message that was garbled into an order to switch off is an order.
            match agent.stream.write(&bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        agent.stream.set_nonblocking(false).expect("set");
        // The frame that the garbage may have begun has to be filled before the preamble is seen.
        let fill = vec![0xff; wire::MAX_FRAME + 8];
        agent.stream.write_all(&fill).expect("it listens");
        agent.decoder.lose();
        agent.stream.write_all(&PREAMBLE).expect("it listens");
        agent.say(&ToGuest::Hello { version: VERSION });
        let mut seen = Vec::new();
        let mut wanted = Vec::new();
        wire::encode(&FromGuest::Hello { version: VERSION }, &mut wanted).expect("short");
        let mut bytes = [0; 4096];
        while !seen.windows(wanted.len()).any(|window| window == wanted) {
            let count = agent.stream.read(&mut bytes).expect("it answers");
            prop_assert!(count > 0, "it is gone");
            seen.extend_from_slice(&bytes[..count]);
        }
        prop_assert!(agent.child.try_wait().expect("ours").is_none());
    }
}
