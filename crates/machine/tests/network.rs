//! Machines with the network on: what is on the list is reached, nothing else.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{PATIENCE, run, shell};
use machine::{Command, Config, Machine, Policy, Template};

#[test]
fn a_machine_reaches_its_proxy_and_nothing_else() {
    if common::template().is_none() {
        return;
    }
    let mut config = Config::new(common::data());
    // A listener of the host's that the guest must never reach, by no name and no address that the host has.
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let port = listener.local_addr().expect("bound").port();
    // What is on the list must not be reached all the same: it stands for addresses that are not public.
    let private = [
        "localhost",
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "2130706433",
        "0177.0.0.1",
    ];
    let rules = private.iter().map(|host| format!("{host}:{port}").parse().expect("a rule"));
    config.network = Some(Policy { allow: rules.collect(), ..Policy::default() });
    let template = Template::open(&config).expect("a template with a network");
    let machine = template.spawn().expect("a clone");
    assert_eq!(shell(&machine, "ls /sys/class/net"), "eth0\nlo\n");

    let direct = format!(
        "import socket\nfor host in ('10.111.0.1','127.0.0.1','169.254.169.254','192.168.1.1','10.0.2.2','8.8.8.8'):\n  for port in ({port},22,80,53):\n    s=socket.socket(); s.settimeout(0.5)\n    try:\n      s.connect((host,port)); print('reached',host,port)\n    except OSError: pass\nprint('done')"
    );
    assert_eq!(run(&machine, &Command::new(["python3", "-c", &direct]).as_root()).expect("alive").0, "done\n");
    assert!(listener.accept().is_err(), "the host was reached");

    let status = |target: &str| {
        let line = format!("curl -s -o /dev/null -m 20 -w '%{{http_code}} %{{http_connect}}' {target} || true");
        shell(&machine, &line)
    };
    // Not on the list: refused. On the list, but not public: not reached either.
    assert_eq!(status("http://example.com/"), "403 000");
    assert_eq!(status("https://example.com/"), "000 403");
    assert_eq!(status(&format!("http://127.0.0.2:{port}/")), "403 000");
    for host in private {
        assert_eq!(status(&format!("http://{host}:{port}/ --noproxy none")), "502 000", "{host}");
        assert_eq!(status(&format!("https://{host}:{port}/ --noproxy none")), "000 502", "{host}");
    }
    assert!(listener.accept().is_err(), "the host was reached");

    // Nonsense at the proxy's port and below it hurts nobody.
    let nonsense = "import socket,os\nfor i in range(40):\n  s=socket.socket(); s.settimeout(2)\n  try:\n    s.connect(('10.111.0.1',3128)); s.sendall(os.urandom(20000)); s.recv(100)\n  except OSError: pass\nr=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); r.bind(('eth0',0))\nfor i in range(500): r.send(os.urandom(14+i%1400))\nprint('done')";
    assert_eq!(run(&machine, &Command::new(["python3", "-c", nonsense]).as_root()).expect("alive").0, "done\n");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(status("http://example.com/"), "403 000");
    machine.health(PATIENCE).expect("alive");
}

/// The test below runs as three processes; this variable says which one it is.
const ROLE: &str = "OUBLIETTE_TEST_ROLE";

/// The port of all web servers here.
const WEB: u16 = 8080;

/// A small public network: this host with the machine on one end of a cable, other hosts on the other, in name spaces that end with
/// their processes, however those end.
#[test]
fn what_is_on_the_list_is_reached_and_nothing_else() {
    match std::env::var(ROLE).as_deref() {
        Ok("here") => here(),
        Ok(_) => there(),
        Err(_) => {
            if common::template().is_none() {
                return;
            }
            let mut attempt = std::process::Command::new("unshare");
            attempt.args(["--net", "--mount", "ip", "link", "add", "here", "type", "veth", "peer", "name", "there"]);
            if !attempt.output().is_ok_and(|output| output.status.success()) {
                eprintln!("skipped: only root makes network name spaces, by means of `unshare` and `ip`");
                return;
            }
            assert!(again("here").status().expect("unshare").success(), "it failed in its name space");
        }
    }
}

/// This test once more, in name spaces of its own.
fn again(role: &str) -> std::process::Command {
    let mut command = std::process::Command::new("unshare");
    command.args(["--net", "--mount"]).arg(std::env::current_exe().expect("a test"));
    command.args(["--exact", "what_is_on_the_list_is_reached_and_nothing_else", "--nocapture"]).env(ROLE, role);
    command
}

fn tool(line: &str) {
    let mut words = line.split_whitespace();
    let status = std::process::Command::new(words.next().expect("a tool")).args(words).status();
    assert!(status.expect("it starts").success(), "{line}");
}

/// The other hosts, in a process of their own; they end when their input does.
fn there() {
    println!("born");
    let mut lines = std::io::stdin().lock().lines();
    let log = lines.next().expect("a line").expect("text");
    for line in [
        "ip link set there up",
        "ip addr add 9.9.9.9/24 dev there",
        "ip addr add 9.9.9.10/24 dev there",
        "ip addr add 10.77.0.9/24 dev there",
    ] {
        tool(line);
    }
    for address in ["9.9.9.9:8080", "9.9.9.9:9090", "9.9.9.10:8080", "10.77.0.9:8080"] {
        let listener = TcpListener::bind(address).expect("a port");
        let log = log.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = log.clone();
                std::thread::spawn(move || serve(stream, Path::new(&log)));
            }
        });
    }
    println!("ready");
    while lines.next().is_some() {}
    // Nobody reads any more what a test says at its end.
    std::process::exit(0);
}

/// One request: `/bytes/N` for so many bytes, `/count` for how many were sent, anything else for the address that was reached.
fn serve(stream: TcpStream, log: &Path) {
    let own = stream.local_addr().expect("connected").to_string();
    let mut log = fs::OpenOptions::new().append(true).create(true).open(log).expect("a log");
    // One write, so that lines stay whole.
    log.write_all(format!("{own}\n").as_bytes()).expect("written");
    let mut reader = BufReader::new(stream);
    let (mut first, mut length, mut host) = (String::new(), 0, String::new());
    reader.read_line(&mut first).expect("a request");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", count)) => length = count.parse().expect("a number"),
            Some(("host", name)) => host = name.to_owned(),
            Some(_) => {}
            None => break,
        }
    }
    let path = first.split(' ').nth(1).expect("a path");
    let body = if let Some(count) = path.strip_prefix("/bytes/") {
        vec![b'x'; count.parse().expect("a number")]
    } else if path == "/count" {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        body.len().to_string().into_bytes()
    } else {
        format!("{host} at {own}").into_bytes()
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let mut stream = reader.into_inner();
    // A client that has gone is no failure of this test.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// Lays the cable and starts the other hosts, which write down what reaches them.
fn connect(log: &Path) -> Child {
    let folder = log.parent().expect("a folder");
    let names = "127.0.0.1 localhost\n9.9.9.9 allowed.test wild.test a.wild.test\n9.9.9.10 unlisted.test\n10.77.0.9 private.test mixed.test\n\
                 9.9.9.9 mixed.test\n9.9.9.1 own.test\n9.9.9.88 silent.test\n";
    for (file, text) in [("hosts", names), ("resolv.conf", "")] {
        fs::write(folder.join(file), text).expect("written");
        tool(&format!("mount --bind {} /etc/{file}", folder.join(file).display()));
    }
    for line in [
        "ip link set lo up",
        "ip link add here type veth peer name there",
        "ip addr add 9.9.9.1/24 dev here",
        "ip addr add 10.77.0.1/24 dev here",
    ] {
        tool(line);
    }
    let mut hosts = again("there").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare");
    let mut words = BufReader::new(hosts.stdout.take().expect("piped")).lines();
    let mut expect = |word: &str| assert!(words.any(|line| line.is_ok_and(|line| line.contains(word))), "the hosts are not {word}");
    expect("born");
    tool(&format!("ip link set there netns {}", hosts.id()));
    tool("ip link set here up");
    writeln!(hosts.stdin.as_mut().expect("piped"), "{}", log.display()).expect("told");
    expect("ready");
    // This one hears and never answers: a host that no address belongs to, reached all the same.
    tool("ip neigh add 9.9.9.88 lladdr 02:00:00:00:00:01 dev here");
    hosts
}

/// What the machine with a network sees of it.
fn here() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let hosts = connect(&log);
    let own = TcpListener::bind(("0.0.0.0", WEB)).expect("a port");
    own.set_nonblocking(true).expect("set");
    // That the others can be reached at all, also those that the machine must not reach.
    for address in ["9.9.9.9:9090", "9.9.9.10:8080", "10.77.0.9:8080"] {
        TcpStream::connect(address).expect("the cable works").write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    }
    let tried = BTreeSet::from(["10.77.0.9:8080", "9.9.9.10:8080", "9.9.9.9:9090"].map(str::to_owned));
    while reached(&log) != tried {
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::write(&log, "").expect("emptied");

    let names =
        ["allowed.test", "private.test", "own.test", "mixed.test", "*.wild.test", "silent.test", "nowhere.test", "9.9.9.1", "10.77.0.9"];
    let policy = Policy { allow: names.iter().map(|name| format!("{name}:{WEB}").parse().expect("a rule")).collect(), ..Policy::default() };
    let config = Config { network: Some(policy.clone()), ..Config::new(common::data()) };
    let machine = Template::open(&config).expect("a template with a network").spawn().expect("a clone");
    what_is_allowed_answers(&machine);
    assert_eq!(reached(&log), BTreeSet::from(["9.9.9.9:8080".to_owned()]), "others were reached");
    assert!(own.accept().is_err(), "this host was reached");
    a_guest_that_reads_nothing_keeps_nobody_busy(&machine);
    drop(machine);

    let slow = Policy { rate: 64 << 10, connections: 2, ..policy };
    let slow = Config { network: Some(slow), ..config.clone() };
    let machine = Template::open(&slow).expect("a template with a network").spawn().expect("a clone");
    bytes_pass_at_the_rate(&machine);
    few_hosts_are_reached_at_a_time(&machine);
    drop(machine);

    // Without a policy the same network is not there.
    fs::write(&log, "").expect("emptied");
    let machine = Template::open(&Config { network: None, ..config }).expect("a template").spawn().expect("a clone");
    assert_eq!(shell(&machine, "ls /sys/class/net"), "lo\n");
    let line = "curl -s -m 5 http://allowed.test:8080/ || curl -s -m 5 http://9.9.9.9:8080/ || curl -s -m 5 -x http://10.111.0.1:3128 http://9.9.9.9:8080/ || echo nothing";
    assert_eq!(run(&machine, &Command::shell(line).as_root()).expect("alive").0, "nothing\n");
    assert!(reached(&log).is_empty() && own.accept().is_err());
    drop(hosts);
}

/// Addresses at which the other hosts were reached.
fn reached(log: &Path) -> BTreeSet<String> {
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn what_is_allowed_answers(machine: &Machine) {
    let get = |options: &str| shell(machine, &format!("curl -s -m 60 -w ' %{{http_code}} %{{http_connect}}' {options} || true"));
    // A plain request, and a tunnel.
    assert_eq!(get("http://allowed.test:8080/"), "allowed.test:8080 at 9.9.9.9:8080 200 000");
    assert_eq!(get("--proxytunnel http://allowed.test:8080/"), "allowed.test:8080 at 9.9.9.9:8080 200 200");
    assert_eq!(get("http://a.wild.test:8080/"), "a.wild.test:8080 at 9.9.9.9:8080 200 000");
    // Of two addresses, the public one.
    assert_eq!(get("http://mixed.test:8080/"), "mixed.test:8080 at 9.9.9.9:8080 200 000");
    // A client that says what it wants to a tunnel before that is open.
    let early = "import socket\ns=socket.create_connection(('10.111.0.1',3128))\ns.sendall(b'CONNECT allowed.test:8080 HTTP/1.1\\r\\n\\r\\nGET / HTTP/1.1\\r\\nHost: early\\r\\n\\r\\n')\ntext=b''\nwhile True:\n  more=s.recv(4096)\n  if not more: break\n  text+=more\nprint(text.split(b'\\r\\n\\r\\n')[-1].decode())";
    assert_eq!(run(machine, &Command::new(["python3", "-c", early])).expect("alive").0, "early at 9.9.9.9:8080\n");

    // Another port, another host, an address instead of its name, the name above a wildcard.
    for target in ["allowed.test:9090", "unlisted.test:8080", "9.9.9.9:8080", "wild.test:8080"] {
        let plain = get(&format!("http://{target}/"));
        assert!(plain.starts_with("oubliette: ") && plain.ends_with("is not on the list\n 403 000"), "{target}: {plain}");
        assert_eq!(get(&format!("--proxytunnel http://{target}/")), " 000 403", "{target}");
    }
    // On the list, and private, or this host's own, or nowhere.
    for host in ["private.test", "own.test", "nowhere.test", "9.9.9.1", "10.77.0.9"] {
        let plain = get(&format!("http://{host}:8080/"));
        assert!(plain.starts_with("oubliette: ") && plain.ends_with(" 502 000"), "{host}: {plain}");
        assert_eq!(get(&format!("--proxytunnel http://{host}:8080/")), " 000 502", "{host}");
    }
    // Past the proxy there is nothing.
    let direct = "for host in 9 1; do curl -s -m 2 --noproxy '*' http://9.9.9.$host:8080/ & done; wait; echo nothing";
    assert_eq!(run(machine, &Command::shell(direct).as_root()).expect("alive").0, "nothing\n");
}

/// Hundredths of a second of processor time that the far ends of all cables used.
fn cable_ticks() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("ours").flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok()).filter(|stat| stat.contains("(oubliette-net)"));
    let used = |stat: String| {
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
        fields[11].parse::<u64>().expect("a number") + fields[12].parse::<u64>().expect("a number")
    };
    stats.map(used).sum()
}

fn a_guest_that_reads_nothing_keeps_nobody_busy(machine: &Machine) {
    let deaf = "import socket,time\ns=socket.create_connection(('10.111.0.1',3128))\ns.sendall(b'GET http://allowed.test:8080/bytes/50000000 HTTP/1.1\\r\\n\\r\\n')\ns.recv(1)\nprint('began',flush=True)\ntime.sleep(1000)";
    let process = machine.start(&Command::new(["python3", "-c", deaf])).expect("starts");
    process.next(Some(Instant::now() + PATIENCE)).expect("alive").expect("it began");
    std::thread::sleep(Duration::from_secs(1));
    let before = cable_ticks();
    std::thread::sleep(Duration::from_secs(2));
    let used = cable_ticks() - before;
    assert!(used < 40, "{used} hundredths of a second in two");
    process.signal(9).expect("alive");
}

/// What passed in some time is at most what the rate allows for it and what may pass at once: a busy host only makes the time longer.
fn bytes_pass_at_the_rate(machine: &Machine) {
    let (rate, start) = (f64::from(64 << 10), Instant::now());
    let line = "for i in 1 2; do curl -s http://allowed.test:8080/bytes/131072 | wc -c & done; wait";
    assert_eq!(shell(machine, line), "131072\n131072\n");
    let least = (262_144.0 - rate) / rate;
    assert!(start.elapsed().as_secs_f64() >= least, "two downloads in {:?}", start.elapsed());
    // Upwards, in requests that each fit the buffers of the cable.
    let start = Instant::now();
    let line = "head -c 40000 /dev/zero >body; for i in 1 2 3 4; do curl -s -H Expect: --data-binary @body http://allowed.test:8080/count; echo; done";
    assert_eq!(shell(machine, line), "40000\n40000\n40000\n40000\n");
    let least = (160_000.0 - rate) / rate;
    assert!(start.elapsed().as_secs_f64() >= least, "four uploads in {:?}", start.elapsed());
}

/// A guest that hangs up again and again on a host that does not answer does not heap up threads.
fn few_hosts_are_reached_at_a_time(machine: &Machine) {
    let threads = || fs::read_dir("/proc/self/task").expect("ours").count();
    let before = threads();
    let hasty = "import socket,struct\nrefused=0\nfor i in range(12):\n  s=socket.create_connection(('10.111.0.1',3128))\n  s.settimeout(0.3)\n  s.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0))\n  s.sendall(b'CONNECT silent.test:8080 HTTP/1.1\\r\\n\\r\\n')\n  try: refused+=b' 503 ' in s.recv(100)\n  except OSError: pass\n  s.close()\nprint(refused > 0)";
    assert_eq!(run(machine, &Command::new(["python3", "-c", hasty])).expect("alive").0, "True\n");
    assert!(threads() <= before + 2, "{} threads more", threads() - before);
}
