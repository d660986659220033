//! One thread that starts every QEMU of this process, and one that waits for the ends of those that nobody needs any more.
//!
//! A child that is to die with its parent dies with the *thread* that started it; so that thread must live as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};

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

static UNDERTAKER: LazyLock<io::Result<Sender<Child>>> = LazyLock::new(|| {
    let (ended, inbox) = channel::<Child>();
    std::thread::Builder::new().name("oubliette-end".to_owned()).spawn(move || {
        while let Ok(mut child) = inbox.recv() {
            drop(child.wait());
        }
    })?;
    Ok(ended)
});

/// Ends a child. Its memory takes the kernel some time to give back; nobody waits for that here.
pub(super) fn end(mut child: Child) {
    drop(child.kill());
    let child = match UNDERTAKER.as_ref() {
        Ok(undertaker) => undertaker.send(child).err().map(|unsent| unsent.0),
        Err(_) => Some(child),
    };
    if let Some(mut child) = child {
        drop(child.wait());
    }
}
