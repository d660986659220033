//! One thread that starts every QEMU of this process.
//!
//! A child that is to die with its parent dies with the *thread* that started it; so that thread must live as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{SyncSender, sync_channel};

type Order = (Command, SyncSender<io::Result<Child>>);

static STARTER: LazyLock<io::Result<SyncSender<Order>>> = LazyLock::new(|| {
    let (orders, inbox) = sync_channel::<Order>(0);
    std::thread::Builder::new().name("oubliette-start".to_owned()).spawn(move || {
        while let Ok((mut command, answer)) = inbox.recv() {
            // Whoever ordered it may have given up.
            drop(answer.send(command.spawn()));
        }
    })?;
    Ok(orders)
});

/// Starts a child from the thread that never ends.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts machines is gone");
    let starter = STARTER.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let (answer, result) = sync_channel(1);
    starter.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}
