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
