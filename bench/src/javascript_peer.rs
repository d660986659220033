//! Other engines, each in a process of its own that is asked line by line: what to time, and the times in microseconds.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A peer that answers questions; `bench/javascript/peer.*` say which.
pub(crate) struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Who the JavaScript cell is measured beside.
pub(crate) struct Peers {
    /// A Python that has the package `quickjs`.
    pub(crate) quickjs: Peer,
    /// node without its compiler.
    pub(crate) node: Peer,
    /// mquickjs, if its driver was named.
    pub(crate) mquickjs: Option<Peer>,
}

impl Peers {
    pub(crate) fn start(scripts: &Path, python: &Path, node: &Path, mquickjs: Option<&Path>) -> Result<Self> {
        Ok(Self {
            quickjs: Peer::start(Command::new(python).arg(scripts.join("peer.py")))?,
            node: Peer::start(Command::new(node).arg("--jitless").arg(scripts.join("peer.js")))?,
            mquickjs: mquickjs.map(|path| Peer::start(&mut Command::new(path))).transpose()?,
        })
    }
}

impl Peer {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {command:?}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else { bail!("no pipes to {command:?}") };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// Asks; the numbers of the answer, none if the peer cannot.
    pub(crate) fn ask(&mut self, question: &str) -> Vec<f64> {
        let mut line = String::new();
        let answered = writeln!(self.input, "{question}").and_then(|()| self.input.flush()).and_then(|()| self.output.read_line(&mut line));
        if answered.is_err() {
            return Vec::new();
        }
        line.split_whitespace().map_while(|word| word.parse().ok()).filter(|number: &f64| number.is_finite()).collect()
    }

    /// Microseconds of one warm evaluation of a file, the best of many; NaN if the peer cannot.
    pub(crate) fn script(&mut self, name: &Path) -> f64 {
        self.ask(&format!("script {}", name.display())).first().copied().unwrap_or(f64::NAN)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
