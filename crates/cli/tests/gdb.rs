//! gdb's remote protocol, spoken by hand: what gdb would send, and what it must hear.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct Gdb {
    connection: TcpStream,
    child: Child,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/moxie/fixtures").join(name).canonicalize().expect("a file of the repository")
}

impl Gdb {
    /// Starts a program under the debugger and attaches.
    fn attach(program: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_oubliette"))
            .arg("debug")
            .arg(fixture(program))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let mut reader = BufReader::new(child.stderr.take().expect("piped"));
        reader.read_line(&mut line).expect("says where to attach");
        child.stderr = Some(reader.into_inner());
        let port = line.rsplit("127.0.0.1:").next().expect("names the port").trim_end().trim_end_matches('\'');
        let connection = TcpStream::connect(("127.0.0.1", port.parse().expect("a port"))).expect("attaches");
        Self { connection, child }
    }

    /// Sends a packet and returns the answer.
    fn ask(&mut self, packet: &str) -> String {
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        write!(self.connection, "${packet}#{sum:02x}").expect("sent");
        let mut byte = [0];
        let mut next = || {
            self.connection.read_exact(&mut byte).expect("an answer");
            byte[0]
        };
        while next() != b'$' {}
        let mut answer = Vec::new();
        loop {
            match next() {
                b'#' => break,
                // Run-length coding: the character before is meant so many times more.
                b'*' => {
                    let more = usize::from(next() - 29);
                    let last = *answer.last().expect("a character to repeat");
                    answer.resize(answer.len() + more, last);
                }
                byte => answer.push(byte),
            }
        }
        next();
        next();
        self.connection.write_all(b"+").expect("acknowledged");
        String::from_utf8(answer).expect("text")
    }

    fn registers(&mut self) -> Vec<u32> {
        let hex = self.ask("g");
        assert_eq!(hex.len(), 17 * 8, "sixteen registers and pc: {hex}");
        (0..17).map(|at| u32::from_str_radix(&hex[at * 8..at * 8 + 8], 16).expect("hex").swap_bytes()).collect()
    }

    fn end(mut self) -> (Option<i32>, String) {
        drop(self.connection);
        let mut text = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
        (self.child.wait().expect("ends").code(), text)
    }
}

#[test]
fn registers_memory_steps_breakpoints_and_the_end() {
    let mut gdb = Gdb::attach("hello.elf");
    assert!(gdb.ask("?").starts_with(['S', 'T']));
    let at_start = gdb.registers();
    let pc = at_start[16];
    let stepped = gdb.ask("s");
    assert!(stepped.starts_with(['S', 'T']), "{stepped}");
    let after = gdb.registers();
    assert_ne!(after[16], pc);
    // Backwards, and there again.
    assert!(gdb.ask("bs").starts_with(['S', 'T']));
    assert_eq!(gdb.registers(), at_start);
    assert!(gdb.ask("bs").contains("replaylog:begin"), "nothing comes before the beginning");
    gdb.ask("s");
    assert_eq!(gdb.registers(), after);
    // Memory: code can be read, nothing can be read where nothing is.
    assert_eq!(gdb.ask(&format!("m{pc:x},2")).len(), 4);
    assert!(gdb.ask("mffffff00,4").starts_with('E'));
    // A breakpoint where we stand now is passed by going on, and the program ends.
    assert_eq!(gdb.ask(&format!("Z0,{:x},2", after[16])), "OK");
    let ended = gdb.ask("c");
    assert_eq!(ended, "W00", "{ended}");
    let (code, text) = gdb.end();
    assert_eq!((code, text.as_str()), (Some(0), "hello, world\n"));
}

#[test]
fn a_fault_is_a_signal_and_everything_can_still_be_read() {
    let mut gdb = Gdb::attach("trap_O0.elf");
    gdb.ask("?");
    let stopped = gdb.ask("c");
    assert!(stopped.starts_with("T0b") || stopped.starts_with("S0b"), "a segmentation fault: {stopped}");
    let pc = gdb.registers()[16];
    assert_eq!(gdb.ask(&format!("m{pc:x},2")).len(), 4);
    // Backwards out of the fault.
    assert!(gdb.ask("bs").starts_with(['S', 'T']));
    assert_ne!(gdb.registers()[16], pc);
    assert!(gdb.ask("c").contains("0b"));
    let (code, _) = gdb.end();
    assert_eq!(code, Some(120));
}

#[test]
fn a_watched_variable_stops_the_program_when_it_changes() {
    let mut gdb = Gdb::attach("hello.elf");
    gdb.ask("?");
    // Up to the first call, which makes a frame, and back before it.
    let mut steps = 0;
    while gdb.registers()[0] == 0 {
        gdb.ask("s");
        steps += 1;
        assert!(steps < 10_000, "no call was made");
    }
    let return_address_at = gdb.registers()[0] + 4;
    gdb.ask("bs");
    assert_eq!(gdb.registers()[0], 0);
    assert_eq!(gdb.ask(&format!("Z2,{return_address_at:x},4")), "OK");
    let watched = |stopped: String| {
        let address = stopped.split("watch:").nth(1).unwrap_or_else(|| panic!("{stopped}")).trim_end_matches(';');
        u32::from_str_radix(address, 16).expect("hex")
    };
    assert_eq!(watched(gdb.ask("c")), return_address_at);
    assert_eq!(gdb.registers()[0] + 4, return_address_at);
    // Backwards it stops before the change, and before that nothing has changed.
    assert_eq!(watched(gdb.ask("bc")), return_address_at);
    assert_eq!(gdb.registers()[0], 0);
    assert!(gdb.ask("bc").contains("replaylog:begin"));
    // gdb goes away in the middle: the program was not run to its end, and the command says so.
    assert_eq!(gdb.end().0, Some(2));
}
