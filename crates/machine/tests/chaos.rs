//! What users do to machines. Each attack ends with a clear answer and a healthy pool.

mod common;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use common::{PATIENCE, run, shell};
use machine::{Cause, Command, Config, Error, Exit, Happening, Machine, Notice, Pool, Readiness, Template, Watch};

/// Machines with a small disk, so that filling it is quick.
static POOL: LazyLock<Option<Pool>> = LazyLock::new(|| {
    common::template()?;
    let mut config = Config::new(common::data());
    config.quota = 96 << 20;
    let template = Template::open(&config).expect("a template");
    Some(Pool::new(&template, 2, Readiness::Ready).expect("a pool"))
});

/// Takes a machine, does something terrible to it, and sees whether the next one is well.
fn attack(name: &str, work: impl FnOnce(&mut Machine)) {
    let Some(pool) = &*POOL else { return };
    let mut machine = pool.take().expect("a machine");
    shell(&machine, "echo mine >mine");
    work(&mut machine);
    drop(machine);
    let next = pool.take().expect("the next machine");
    assert_eq!(shell(&next, "ls; echo well"), "well\n", "after {name}");
    assert!(pool.wait_full(Instant::now() + PATIENCE).expect("machines"), "after {name} the pool does not fill");
}

/// Runs a line for a while, then kills it; the machine answers all the time.
fn survives_while(machine: &Machine, command: &Command, time: Duration) {
    let process = machine.start(command).expect("starts");
    let start = Instant::now();
    let mut ended = false;
    while start.elapsed() < time && !ended {
        machine.health(Duration::from_secs(20)).expect("it answers");
        while let Some(happening) = process.next(Some(Instant::now() + Duration::from_millis(50))).expect("alive") {
            if matches!(happening, Happening::Exited(..)) {
                ended = true;
                break;
            }
            if start.elapsed() > time {
                break;
            }
        }
    }
    if !ended {
        process.signal(9).expect("alive");
        loop {
            match process.next(Some(Instant::now() + PATIENCE)).expect("alive") {
                Some(Happening::Exited(..)) => break,
                Some(_) => {}
                None => panic!("it cannot be killed"),
            }
        }
    }
    assert_eq!(shell(machine, "echo still here"), "still here\n");
}

/// Waits until the machine is gone, and why.
fn cause_of_end(machine: &mut Machine) -> Cause {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(cause) = machine.gone() {
            return cause;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it does not end")
}

#[test]
fn fork_bombs() {
    attack("a shell's fork bomb", |machine| {
        survives_while(machine, &Command::new(["bash", "-c", "bomb() { bomb | bomb & }; bomb; sleep 100"]), Duration::from_secs(3));
    });
    attack("python's fork bomb", |machine| {
        survives_while(
            machine,
            &Command::new(["python3", "-c", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"]),
            Duration::from_secs(3),
        );
    });
}

#[test]
fn memory_hogs() {
    attack("a memory hog", |machine| {
        let process =
            machine.start(&Command::new(["python3", "-c", "a = []\nwhile True: a.append(bytearray(b'x' * 1000000))"])).expect("starts");
        let end = loop {
            match process.next(Some(Instant::now() + PATIENCE)).expect("alive") {
                Some(Happening::Exited(exit, usage)) => break (exit, usage),
                Some(_) => {}
                None => panic!("it does not end"),
            }
        };
        assert!(end.0 == Exit::Signal(9) && end.1.out_of_memory || end.0 == Exit::Code(1), "{end:?}");
        assert_eq!(shell(machine, "echo still here"), "still here\n");
    });
    attack("sixty-four memory hogs", |machine| {
        let line = "for i in $(seq 64); do python3 -c 'a = bytearray(b\"x\" * 50000000); input()' & done; wait";
        survives_while(machine, &Command::shell(line), Duration::from_secs(5));
    });
}

#[test]
fn killers() {
    for (name, line) in [
        ("kill -9 -1", "kill -9 -1; true"),
        ("killing the agent", "kill -9 1; kill -STOP 1; kill -SEGV 1; true"),
        ("deleting the agent", "rm -f /proc/1/exe /init /sbin/init; true"),
    ] {
        attack(name, |machine| {
            for command in [Command::shell(line), Command::shell(line).as_root()] {
                drop(run(machine, &command).expect("alive"));
                assert_eq!(shell(machine, "echo still here"), "still here\n", "{name}");
            }
        });
    }
    attack("removing everything", |machine| {
        drop(run(machine, &Command::shell("rm -rf --no-preserve-root /usr /bin /lib /lib64 /etc /home 2>/dev/null").as_root()));
        machine.health(PATIENCE).expect("the agent needs nothing of it");
        assert!(matches!(run(machine, &Command::shell("true")), Err(Error::Guest(_))), "a clear answer");
    });
}

/// The guest's root takes the agent's port away from it and speaks nonsense in its place.
const STEAL: &str = r#"
import glob, os, threading, time
device = os.path.basename(glob.glob('/sys/bus/virtio/drivers/virtio_console/virtio*')[0])
driver = '/sys/bus/virtio/drivers/virtio_console/'
def write(name):
    try: open(driver + name, 'w').write(device)
    except OSError as error: print(name, error, flush=True)
threading.Thread(target=write, args=('unbind',), daemon=True).start()
time.sleep(1)
write('bind')
for _ in range(50):
    for name in glob.glob('/dev/vport*'):
        try:
            port = os.open(name, os.O_RDWR | os.O_NONBLOCK)
            while True: os.write(port, os.urandom(4096))
        except OSError: pass
    time.sleep(0.1)
"#;

#[test]
fn a_stolen_channel_ends_the_session() {
    attack("stealing the agent's port", |machine| {
        let process = machine.start(&Command::new(["python3", "-c", STEAL]).as_root()).expect("starts");
        let deadline = Instant::now() + PATIENCE;
        let answer = loop {
            match process.next(Some(deadline)) {
                Ok(Some(Happening::Exited(exit, _))) => panic!("it ended ({exit:?}) and nothing was noticed"),
                Ok(Some(_)) => {}
                Ok(None) => panic!("nobody noticed"),
                Err(error) => break error,
            }
        };
        assert!(matches!(answer, Error::Gone(Cause::Protocol(_) | Cause::Silent(_) | Cause::Died(_) | Cause::PoweredOff)), "{answer}");
    });
}

/// What one session wrote on its disk is not on the next one's, read below the file system.
#[test]
fn the_disk_of_another_session_is_not_there() {
    let Some(pool) = &*POOL else { return };
    const WRITE: &str = r#"
import fcntl, os, struct
with open('secret', 'wb') as file:
    file.write(b'not for others ' * 300000); file.flush(); os.fsync(file.fileno())
    block = struct.unpack('i', fcntl.ioctl(file.fileno(), 1, struct.pack('i', 0)))[0]
    print(block * os.fstatvfs(file.fileno()).f_bsize)
"#;
    let read = |machine: &Machine, place: u64| {
        let line =
            format!("import os\ndisk = os.open('/dev/vda', os.O_RDONLY)\nprint(os.pread(disk, 4096, {place}).count(b'not for others'))");
        run(machine, &Command::new(["python3", "-c", &line]).as_root()).expect("alive").0
    };
    let first = pool.take().expect("a machine");
    let place: u64 = run(&first, &Command::new(["python3", "-c", WRITE]).as_root()).expect("alive").0.trim().parse().expect("a place");
    assert_ne!(read(&first, place), "0\n", "the test looks at the wrong place");
    drop(first);
    for _ in 0..2 {
        let next = pool.take().expect("a machine");
        assert_eq!(read(&next, place), "0\n");
    }
}

#[test]
fn a_kernel_panic_is_noticed() {
    attack("a kernel panic", |machine| {
        let process =
            machine.start(&Command::shell("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger").as_root()).expect("starts");
        let answer = loop {
            match process.next(Some(Instant::now() + PATIENCE)) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("nobody noticed"),
                Err(error) => break error,
            }
        };
        assert!(matches!(answer, Error::Gone(_)), "{answer}");
        let cause = cause_of_end(machine);
        assert!(matches!(cause, Cause::Silent(_) | Cause::PoweredOff | Cause::Died(_)), "{cause}");
    });
    attack("switching off", |machine| {
        let poweroff = "import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)";
        drop(run(machine, &Command { user: machine::User::Root, ..Command::new(["python3", "-c", poweroff]) }));
        let cause = cause_of_end(machine);
        assert_eq!(cause, Cause::PoweredOff);
    });
}

#[test]
fn the_hosts_quota_is_kept() {
    attack("filling the host's disk", |machine| {
        let line = "dd if=/dev/urandom of=fill bs=1M count=130 conv=fsync";
        let process = machine.start(&Command::shell(line)).expect("starts");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match process.next(Some(deadline)) {
                Ok(Some(Happening::Exited(exit, _))) => {
                    assert_ne!(exit, Exit::Code(0), "130 MB fit on 96");
                    break;
                }
                Ok(Some(_)) => {}
                Ok(None) => panic!("no answer"),
                Err(error) => {
                    assert!(matches!(error, Error::Gone(Cause::DiskQuota)), "{error}");
                    break;
                }
            }
        }
        let used = machine.disk_usage().expect("a figure");
        assert!(used <= (96 << 20) + 4096, "{used} bytes on the host");
        // It lives on with a disk that takes no more, or its kernel gave the disk up; the host knows why either way.
        let said = machine.notices().is_ok_and(|notices| notices.contains(&Notice::DiskError));
        assert!(said || machine.gone() == Some(Cause::DiskQuota), "nobody says that the disk is full");
    });
}

#[test]
fn fillers_inside() {
    attack("filling a folder with files", |machine| {
        let line = "import os\nos.mkdir('d')\nn = 0\nwhile True:\n  try: os.close(os.open('d/%d' % n, os.O_CREAT))\n  except OSError: pass\n  n += 1";
        survives_while(machine, &Command::new(["python3", "-c", line]), Duration::from_secs(4));
    });
    attack("filling the shared memory", |machine| {
        let line = "dd if=/dev/zero of=/dev/shm/fill bs=1M 2>/dev/null; dd if=/dev/zero of=/dev/shm/more bs=1M; sleep 1000";
        survives_while(machine, &Command::shell(line), Duration::from_secs(4));
    });
}

#[test]
fn floods_of_output() {
    attack("a flood that is read", |machine| {
        let process = machine.start(&Command::shell("yes | head -c 64000000")).expect("starts");
        let mut bytes = 0;
        loop {
            match process.next(Some(Instant::now() + PATIENCE)).expect("alive") {
                Some(Happening::Output(_, some)) => bytes += some.len(),
                Some(Happening::Exited(..)) => break,
                None => panic!("it stalls after {bytes} bytes"),
            }
        }
        assert_eq!(bytes, 64_000_000);
    });
    attack("a client that stops reading", |machine| {
        let floods: Vec<_> = (0..8).map(|_| machine.start(&Command::shell("yes; yes >&2")).expect("starts")).collect();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(shell(machine, "echo still here"), "still here\n");
        drop(floods);
        assert_eq!(shell(machine, "echo and now"), "and now\n");
    });
}

#[test]
fn a_qemu_that_dies_or_hangs_is_noticed() {
    for (signal, name) in [(rustix::process::Signal::KILL, "killed"), (rustix::process::Signal::STOP, "stopped")] {
        attack(&format!("QEMU {name}"), |machine| {
            let process = machine.start(&Command::shell("sleep 1000")).expect("starts");
            process.started(Some(Instant::now() + PATIENCE)).expect("alive");
            let pid = rustix::process::Pid::from_raw(machine.pid().cast_signed()).expect("a number");
            rustix::process::kill_process(pid, signal).expect("it lives");
            let answer = process.next(Some(Instant::now() + PATIENCE)).expect_err("it is gone");
            match (name, answer) {
                ("killed", Error::Gone(Cause::Died(_))) | ("stopped", Error::Gone(Cause::Silent(_))) => {}
                (_, other) => panic!("{name}: {other}"),
            }
        });
    }
}

/// A hundred sessions in a row, each with an attack by lot. Five to twenty minutes: run it with `--ignored`.
#[test]
#[ignore = "takes many minutes"]
fn a_hundred_sessions() {
    let lines = [
        "kill -9 -1",
        "bomb() { bomb | bomb & }; bomb; sleep 2",
        "python3 -c \"a = 'x' * 10**9\"",
        "yes | head -c 5000000",
        "rm -rf --no-preserve-root / 2>/dev/null",
        "dd if=/dev/zero of=fill bs=1M count=200",
        "echo c >/proc/sysrq-trigger; sleep 3",
        "cat /dev/urandom >/dev/null & sleep 1; exit 3",
        "for i in $(seq 200); do mkdir -p $i/$i/$i; done",
        "for fd in $(seq 0 99); do eval \"exec $((fd + 100))</dev/zero\"; done; sleep 1",
        "cat /dev/zero >/dev/shm/full; cat /dev/zero >/run/full; sleep 1",
        "while :; do (sleep 100 &) ; done",
        "dd if=/dev/urandom of=/dev/vda bs=1M count=20; sync; ls -R / >/dev/null",
        "echo 0 >/proc/sys/vm/overcommit_memory; mount -o remount,ro /; swapoff -a; kill -STOP -1",
        "date -s 2001-01-01; hwclock -w; sleep 1",
    ];
    let mut lot = 12345u64;
    for session in 0..100 {
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let line = lines[(lot >> 33) as usize % lines.len()];
        let root = lot >> 63 == 1;
        attack(&format!("session {session}: {line}"), |machine| {
            let command = Command::new(["bash", "-c", line]);
            let command = if root { command.as_root() } else { command };
            let answer = match machine.start(&command) {
                Ok(process) => answer(&process, Instant::now() + Duration::from_secs(8)),
                Err(error) => error.to_string(),
            };
            // With what became of QEMU, which the client is not told.
            let answer = machine.gone().map_or_else(|| answer.clone(), |cause| format!("{answer}; {cause}"));
            // The record of a run: `--nocapture`.
            eprintln!("{session:3} {} {line}: {answer}", if root { "root" } else { "user" });
        });
    }
}

/// How a program ended, or what its client heard instead.
fn answer(process: &machine::Process, deadline: Instant) -> String {
    loop {
        match process.next(Some(deadline)) {
            Ok(Some(Happening::Exited(exit, _))) => return format!("{exit:?}"),
            Ok(Some(_)) => {}
            Ok(None) => return "still running, dropped".to_owned(),
            Err(error) => return error.to_string(),
        }
    }
}

#[test]
fn what_a_watch_says_is_not_said_of_a_machine_that_is_held() {
    let Some(pool) = &*POOL else { return };
    let template: &Arc<Template> = pool.template();
    let mut machine = template.spawn().expect("a clone");
    machine.watch(Watch { interval: Duration::from_millis(100), patience: Duration::from_millis(800) }).expect("watched");
    machine.pause().expect("held");
    std::thread::sleep(Duration::from_secs(3));
    machine.resume().expect("goes on");
    assert_eq!(shell(&machine, "echo well"), "well\n");
}
