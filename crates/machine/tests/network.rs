//! Machines with the network on: what is on the list is reached, nothing else.

mod common;

use std::time::Duration;

use common::{PATIENCE, run, shell};
use machine::{Command, Config, Policy, Template};

#[test]
fn a_machine_reaches_its_proxy_and_nothing_else() {
    if common::template().is_none() {
        return;
    }
    let mut config = Config::new(common::data());
    // The names on the list stand for addresses that must not be reached although they are on it.
    config.network =
        Some(Policy { allow: vec!["localhost:22".parse().expect("a rule"), "localhost:80".parse().expect("a rule")], ..Policy::default() });
    let template = Template::open(&config).expect("a template with a network");
    let machine = template.spawn().expect("a clone");
    assert_eq!(shell(&machine, "ls /sys/class/net"), "eth0\nlo\n");

    // A listener of the host's that the guest must never reach, by no address that the host has.
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let port = listener.local_addr().expect("bound").port();
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
    assert_eq!(status(&format!("http://127.0.0.1:{port}/")), "403 000");
    assert_eq!(status("http://localhost:22/ --noproxy none"), "502 000");
    assert!(listener.accept().is_err(), "the host was reached");

    // Nonsense at the proxy's port and below it hurts nobody.
    let nonsense = "import socket,os\nfor i in range(40):\n  s=socket.socket(); s.settimeout(2)\n  try:\n    s.connect(('10.111.0.1',3128)); s.sendall(os.urandom(20000)); s.recv(100)\n  except OSError: pass\nr=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); r.bind(('eth0',0))\nfor i in range(500): r.send(os.urandom(14+i%1400))\nprint('done')";
    assert_eq!(run(&machine, &Command::new(["python3", "-c", nonsense]).as_root()).expect("alive").0, "done\n");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(status("http://example.com/"), "403 000");
    machine.health(PATIENCE).expect("alive");
}
