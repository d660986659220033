//! Shell scripts as root, or as the root of a user name space where there is no root.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Sees whether there are the identities that packages need: root's own, or subordinate ones.
///
/// # Errors
/// What to do where there are none.
pub(super) fn check() -> io::Result<()> {
    script("exit 0", &[], &mut |_| {}).map_err(|error| {
        let advice = "without root an image is made in a user name space with subordinate identities, and this user has none that work; \
             as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 THE-USER (and, where user name spaces are \
             forbidden, sysctl kernel.unprivileged_userns_clone=1)";
        if rustix::process::geteuid().is_root() { error } else { io::Error::other(format!("{advice}\n{error}")) }
    })
}

/// Runs a script with every identity at hand (user, group 0 and those below), its lines passed on as they come.
///
/// # Errors
/// When it cannot be started or fails; the message has its last lines.
pub(super) fn script(text: &str, arguments: &[&OsStr], lines: &mut dyn FnMut(&str)) -> io::Result<()> {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--map-root-user", "--map-auto"]);
    }
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", text, "sh"]).args(arguments);
    run(command, lines)
}

/// Runs a script inside a root file system, with its packages' manager usable.
///
/// # Errors
/// As [`script`].
pub(super) fn script_inside(root: &Path, text: &str, lines: &mut dyn FnMut(&str)) -> io::Result<()> {
    // Devices one by one: a user name space may not make any, only show those of its parent.
    const ENTER: &str = r#"
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/dev/shm" "$root/etc/ssl/certs"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
touch "$root/etc/resolv.conf"
mount --bind "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"
mount --bind /etc/ssl/certs "$root/etc/ssl/certs"
export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes LC_ALL=C.UTF-8 HOME=/root
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset TMPDIR
exec chroot "$root" sh -euc "$2"
"#;
    script(ENTER, &[root.as_os_str(), OsStr::new(text)], lines)
}

/// Runs a command, its output line by line passed on.
///
/// # Errors
/// As [`script`].
pub(super) fn run(mut command: Command, lines: &mut dyn FnMut(&str)) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    // Closes our copies of the pipe's end.
    drop(command);
    let mut last = std::collections::VecDeque::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        lines(&line);
        last.push_back(line);
        if last.len() > 12 {
            last.pop_front();
        }
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    let last: Vec<String> = last.into();
    Err(io::Error::other(format!("{name}: {status}\n{}", last.join("\n"))))
}
