//! The life of machines: programs, files, clones, pools.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{PATIENCE, run, shell, template};
use machine::{Command, Error, Exit, FileKind, Happening, Output, Terminal, User};

fn soon() -> Option<Instant> {
    Some(Instant::now() + PATIENCE)
}

#[test]
fn siblings_share_no_randomness_and_know_the_time() {
    let Some(template) = template() else { return };
    let line = "cat /proc/sys/kernel/random/boot_id; head -c 16 /dev/urandom | od -An -tx1; date +%s%N; python3 -c 'import random; print(random.random())'; cat /etc/machine-id";
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        let machine = template.spawn().expect("a clone");
        let text = shell(&machine, line);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert_eq!(lines[4].len(), 32, "{text}");
        for index in [0, 1, 3, 4] {
            assert!(seen.insert(lines[index].to_owned()), "two clones gave {}", lines[index]);
        }
        // The guest's clock against ours, read together: what the question took is part of the difference.
        let (before, health) = (now(), machine.health(PATIENCE).expect("alive"));
        let after = now();
        let off = i128::from(health.now).clamp(before, after).abs_diff(i128::from(health.now));
        assert!(off < 50_000_000, "its clock is {off} ns off");
    }
}

fn now() -> i128 {
    i128::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos()).expect("fits")
}

#[test]
fn programs_have_streams_status_and_an_unprivileged_user() {
    let Some(template) = template() else { return };
    let machine = template.spawn().expect("a clone");
    let (text, exit) = run(&machine, &Command::shell("id -u; pwd; echo $HOME; exit 3")).expect("alive");
    assert_eq!((text.as_str(), exit), ("1000\n/home/user\n/home/user\n", Exit::Code(3)));
    let (_, exit) = run(&machine, &Command::shell("kill -TERM $$")).expect("alive");
    assert_eq!(exit, Exit::Signal(15));
    assert!(matches!(run(&machine, &Command::new(["no-such-program"])), Err(Error::Guest(_))));

    // Input far beyond every buffer comes back whole.
    let process = machine.start(&Command::new(["cat"])).expect("starts");
    let input: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let (mut sent, mut back) = (0, Vec::new());
    loop {
        if sent < input.len() {
            sent += process.write(&input[sent..], Some(Instant::now())).expect("alive");
            if sent == input.len() {
                process.end_input().expect("alive");
            }
        }
        match process.next(Some(Instant::now() + Duration::from_millis(5))).expect("alive") {
            Some(Happening::Output(Output::Out, bytes)) => back.extend(bytes),
            Some(Happening::Exited(exit, usage)) => {
                assert_eq!(exit, Exit::Code(0));
                assert!(usage.user_us + usage.system_us > 0 && usage.memory_peak > 0, "{usage:?}");
                break;
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }
    assert!(back == input, "{} of {} bytes came back", back.len(), input.len());
}

#[test]
fn a_shell_on_a_terminal() {
    let Some(template) = template() else { return };
    let machine = template.spawn().expect("a clone");
    let process = machine.start(&Command::interactive(Terminal { rows: 33, columns: 99 }, "dumb")).expect("starts");
    process.write(b"stty size; test -t 0 && echo ter''minal\n", soon()).expect("alive");
    let mut text = String::new();
    let mut resized = false;
    loop {
        match process.next(soon()).expect("alive") {
            Some(Happening::Output(_, bytes)) => text += &String::from_utf8_lossy(&bytes),
            Some(Happening::Exited(exit, _)) => {
                assert_eq!(exit, Exit::Code(0), "{text}");
                break;
            }
            None => panic!("no end: {text}"),
        }
        if text.contains("33 99") && text.contains("terminal") && !resized {
            resized = true;
            process.resize(Terminal { rows: 11, columns: 22 }).expect("alive");
            process.write(b"stty size; exit\n", soon()).expect("alive");
        }
    }
    assert!(text.contains("11 22"), "{text}");
}

#[test]
fn files_go_in_and_out_with_their_limits() {
    let Some(template) = template() else { return };
    let machine = template.spawn().expect("a clone");
    let bytes: Vec<u8> = (0..1_000_000u32).map(|n| (n * 7 % 253) as u8).collect();
    machine.make_folder("a/b", soon()).expect("made");
    machine.upload("a/b/data", 0o640, &mut Cursor::new(&bytes), 1 << 20, soon()).expect("sent");
    let mut back = Vec::new();
    assert_eq!(machine.download("a/b/data", &mut back, 1 << 20, soon()).expect("fetched"), 1_000_000);
    assert!(back == bytes);
    let entry = machine.stat("a/b/data", soon()).expect("looked").expect("there");
    assert_eq!((entry.kind, entry.size, entry.mode), (FileKind::File, 1_000_000, 0o640));
    assert_eq!(machine.list("a/b", 10, soon()).expect("listed").len(), 1);
    // Nothing half there after a refusal.
    assert!(matches!(machine.upload("a/b/more", 0o644, &mut Cursor::new(&bytes), 10, soon()), Err(Error::Guest(_))));
    assert_eq!(machine.list("a/b", 10, soon()).expect("listed").len(), 1);
    assert!(matches!(machine.download("a/b/data", &mut back, 10, soon()), Err(Error::Guest(_))));
    // What the user may not, the agent does not do for him.
    for path in ["/root/x", "/etc/x", "/proc/sysrq-trigger"] {
        assert!(machine.upload(path, 0o644, &mut Cursor::new(b"x"), 10, soon()).is_err(), "{path}");
    }
    assert!(machine.download("/etc/shadow", &mut back, 1 << 20, soon()).is_err());
    // A pipe that nobody writes holds nobody.
    shell(&machine, "mkfifo pipe; ln -s /dev/zero zero; mkdir many; cd many; seq 1000 | xargs touch");
    assert!(machine.download("pipe", &mut back, 10, soon()).is_err());
    assert!(machine.download("zero", &mut back, 10, soon()).is_err());
    assert_eq!(machine.list("many", 5000, soon()).expect("listed").len(), 1000);
    machine.remove("a/b/data", soon()).expect("removed");
    assert!(machine.stat("a/b/data", soon()).expect("looked").is_none());
}

#[test]
fn several_programs_and_clients_at_once() {
    let Some(template) = template() else { return };
    let machine = template.spawn().expect("a clone");
    // One that nobody reads, one that floods nowhere, and the others still get on.
    let unread = machine.start(&Command::shell("yes")).expect("starts");
    std::thread::scope(|scope| {
        for client in 0..4 {
            let machine = &machine;
            scope.spawn(move || {
                for round in 0..3 {
                    assert_eq!(shell(machine, &format!("echo {client} {round}")), format!("{client} {round}\n"));
                }
            });
        }
    });
    unread.signal(9).expect("alive");
    loop {
        match unread.next(soon()).expect("alive") {
            Some(Happening::Exited(exit, _)) => break assert_eq!(exit, Exit::Signal(9)),
            Some(_) => {}
            None => panic!("it does not end"),
        }
    }
}

#[test]
fn restart_keeps_the_disk_and_reset_keeps_nothing() {
    let Some(template) = template() else { return };
    let mut machine = template.spawn().expect("a clone");
    shell(&machine, "echo kept >file; echo gone >/dev/shm/file");
    machine.restart().expect("boots again");
    assert_eq!(shell(&machine, "cat file; ls /dev/shm"), "kept\n");
    machine.reset().expect("a new clone");
    assert_eq!(shell(&machine, "ls"), "");
}

#[test]
fn a_paused_machine_goes_on_where_it_was() {
    let Some(template) = template() else { return };
    let mut machine = template.spawn().expect("a clone");
    let process = machine.start(&Command::shell("i=0; while [ $i -lt 20 ]; do i=$((i+1)); sleep 0.05; done; echo $i")).expect("starts");
    std::thread::sleep(Duration::from_millis(300));
    machine.pause().expect("held");
    let used = cpu_ticks(machine.pid());
    assert!(process.next(Some(Instant::now() + Duration::from_millis(500))).expect("alive").is_none());
    assert!(cpu_ticks(machine.pid()) - used <= 2, "a paused machine uses the processor");
    machine.resume().expect("goes on");
    let mut text = Vec::new();
    while let Some(Happening::Output(_, bytes)) = process.next(soon()).expect("alive") {
        text.extend(bytes);
    }
    assert_eq!(text, b"20\n");
}

/// Hundredths of a second of processor time that a process used.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    fields[11].parse::<u64>().expect("a number") + fields[12].parse::<u64>().expect("a number")
}

#[test]
fn a_pool_gives_fresh_machines_and_fills_itself() {
    let Some(pool) = common::pool(2) else { return };
    let mut machine = pool.take().expect("ready");
    for round in 0..6 {
        assert_eq!(shell(&machine, "ls; ls /tmp; ps -e | grep -c sleep || true"), "0\n", "round {round}");
        shell(&machine, "touch mine /tmp/mine; (sleep 1000 >/dev/null 2>&1 &)");
        pool.reset(&mut machine).expect("another");
    }
    assert!(pool.wait_full(Instant::now() + PATIENCE).expect("machines"));
    // Those that wait use no processor time at all.
    let used = || pool.pids().into_iter().map(cpu_ticks).sum::<u64>();
    std::thread::sleep(Duration::from_millis(100));
    let before = used();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(used(), before);
    // One that dies while it waits is replaced, and never given out.
    for pid in pool.pids() {
        kill(pid, rustix::process::Signal::KILL);
    }
    let machine = pool.take().expect("one that lives");
    assert_eq!(shell(&machine, "echo alive"), "alive\n");
    assert!(pool.wait_full(Instant::now() + PATIENCE).expect("machines"));
    assert!(pool.replaced() > 0);
}

fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("small")).expect("not zero");
    rustix::process::kill_process(pid, signal).expect("it lives");
}

#[test]
fn a_throttled_machine_keeps_to_its_share() {
    let Some(template) = template() else { return };
    let mut machine = template.spawn().expect("a clone");
    machine.throttle(0.25).expect("throttled");
    let process = machine.start(&Command::shell("while :; do :; done")).expect("starts");
    process.started(soon()).expect("alive");
    let (start, used) = (Instant::now(), cpu_ticks(machine.pid()));
    std::thread::sleep(Duration::from_secs(2));
    let share = (cpu_ticks(machine.pid()) - used) as f64 / 100.0 / start.elapsed().as_secs_f64();
    assert!(share < 0.40, "it takes {share} of a processor");
    machine.health(PATIENCE).expect("it answers all the same");
}

#[test]
fn qemu_has_nothing_it_does_not_need() {
    let Some(template) = template() else { return };
    let machine = template.spawn().expect("a clone");
    let status = fs::read_to_string(format!("/proc/{}/status", machine.pid())).expect("it lives");
    // Nothing that a terminal or the kernel says to our process group reaches it.
    let pid = rustix::process::Pid::from_raw(i32::try_from(machine.pid()).expect("small"));
    assert_eq!(rustix::process::getpgid(pid).ok(), pid);
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line[name.len() + 1..].split_whitespace().next().expect("a value").to_owned()
    };
    assert_eq!((field("NoNewPrivs").as_str(), field("Seccomp").as_str()), ("1", "2"));
    assert_eq!(field("CapEff").trim_start_matches('0'), "");
    assert_ne!(field("Uid"), "0");
    for kind in ["net", "mnt", "ipc", "uts"] {
        let name = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}"));
        if let Ok(theirs) = name(&machine.pid().to_string()) {
            assert_ne!(theirs, name("self").expect("ours"), "{kind}");
        }
    }
    // Every file it has open: memory files, its disks, sockets, pipes, event counters; none of the host's others. The frozen memory is no copy
    // of its own, so it must not be open for writing.
    for fd in fs::read_dir(format!("/proc/{}/fd", machine.pid())).expect("ours to look at").flatten() {
        let target = fs::read_link(fd.path()).unwrap_or_default().to_string_lossy().into_owned();
        let fine = ["/memfd:oubliette-", "socket:", "pipe:", "anon_inode:", "/dev/null"].iter().any(|s| target.starts_with(s))
            || target.ends_with(".qcow2")
            || target.contains("/scratch/")
            || target.ends_with("/memory");
        assert!(fine, "it has {target} open");
        if target.ends_with("/memory") {
            let info = fs::read_to_string(format!("/proc/{}/fdinfo/{}", machine.pid(), fd.file_name().to_string_lossy()));
            let info = info.expect("ours to look at");
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags");
            let flags = u32::from_str_radix(flags.trim(), 8).expect("a number");
            assert_eq!(flags & 3, 0, "the frozen memory is open for writing");
        }
    }
}

#[test]
fn inside_there_is_no_way_out() {
    let Some(template) = template() else { return };
    let machine = template.spawn().expect("a clone");
    let devices = shell(&machine, "ls /sys/class/net; ls /sys/bus/virtio/devices | wc -l; ls /sys/class/virtio-ports | wc -l");
    assert_eq!(devices, "lo\n2\n1\n");
    // A disk (2) and a port (3); no bus on which there could be more, no other serial line, no other way to the monitor.
    let rest = "cat /sys/bus/virtio/devices/*/device | sort; ls -d /sys/bus/pci/devices/* /sys/bus/usb/devices/* /sys/class/tpm/* \
                /dev/kvm /dev/vsock /dev/vhost* /dev/hvc* /dev/sd* /dev/nvme* 2>/dev/null; ls /sys/block; \
                cat /proc/tty/driver/serial 2>/dev/null | grep -c 'tx:' || true";
    let (text, _) = run(&machine, &Command::shell(rest).as_root()).expect("alive");
    assert_eq!(text, "0x0002\n0x0003\nvda\n0\n");
    let connect = "import socket,sys\nfor host in ('127.0.0.1','10.0.2.2','169.254.169.254','192.168.1.1','8.8.8.8'):\n  for port in (22,80,4444):\n    s=socket.socket(); s.settimeout(0.3)\n    try:\n      s.connect((host,port)); print('reached',host,port)\n    except OSError: pass\nprint('done')";
    let mut command = Command::new(["python3", "-c", connect]);
    for user in [User::User, User::Root] {
        command.user = user;
        assert_eq!(run(&machine, &command).expect("alive"), ("done\n".to_owned(), Exit::Code(0)));
    }
    // The port to the host is the agent's alone, root or not.
    let open = "import os\nfor n in os.listdir('/sys/class/virtio-ports'):\n  try: os.open('/dev/' + n, os.O_RDWR); print('opened', n)\n  except OSError as e: print(e.strerror)";
    let (text, _) = run(&machine, &Command::new(["python3", "-c", open]).as_root()).expect("alive");
    assert_eq!(text, "Device or resource busy\n");
    machine.health(PATIENCE).expect("and nothing was heard of it");
}

#[test]
fn kept_machines_go_on_as_they_were() {
    let Some(template) = template() else { return };
    let keep = machine::Keep::open(&template).expect("a folder");
    let name = format!("test-{}", std::process::id());
    let mut machine = template.spawn().expect("a clone");
    shell(&machine, "echo disk >file; echo memory >/dev/shm/file");
    keep.snapshot(&name, &mut machine).expect("frozen");
    assert_eq!(shell(&machine, "echo it goes on >>file; wc -l <file"), "2\n");
    drop(machine);
    let mut boots = BTreeSet::new();
    for _ in 0..2 {
        let machine = keep.restore(&name).expect("thawed");
        assert_eq!(shell(&machine, "cat file /dev/shm/file"), "disk\nmemory\n");
        boots.insert(shell(&machine, "head -c 16 /dev/urandom | od -An -tx1"));
        shell(&machine, "echo changed >file");
    }
    assert_eq!(boots.len(), 2, "two copies share their randomness");
    let machine = keep.restore(&name).expect("thawed");
    shell(&machine, "echo later >file");
    keep.save(&name, machine).expect("frozen");
    assert_eq!(shell(&keep.restore(&name).expect("thawed"), "cat file"), "later\n");
    assert!(keep.shelf().list().expect("listed").iter().any(|kept| kept.name == name && kept.is_usable(&template)));
    for bad in ["", "../x", "a b", "a/b", ".hidden"] {
        assert!(keep.restore(bad).is_err(), "{bad:?}");
    }
    // A snapshot of a frozen machine is a copy; who has claimed a name has it alone.
    let snapshot = format!("{name}@1");
    keep.shelf().copy(&name, &snapshot).expect("copied");
    let claim = keep.shelf().claim(&name).expect("free");
    assert!(keep.shelf().claim(&name).is_err(), "claimed twice");
    let machine = keep.restore(&name).expect("thawed");
    shell(&machine, "rm file");
    keep.save(&name, machine).expect("frozen");
    drop(claim);
    keep.shelf().claim(&name).expect("free again");
    keep.shelf().copy(&snapshot, &name).expect("put back");
    assert_eq!(shell(&keep.restore(&name).expect("thawed"), "cat file"), "later\n");
    keep.shelf().note(&name, "one\nline").expect("noted");
    assert!(keep.shelf().log(&name).expect("read").ends_with(" one line\n"));
    assert!(keep.shelf().forget(&snapshot).expect("removed"));
    assert!(keep.shelf().forget(&name).expect("removed"));
    assert!(keep.restore(&name).is_err() && keep.shelf().log(&name).is_err());
}
