//! Acting on files as the unprivileged user.

use std::io;

use rustix::process::{Gid, Uid};
use wire::User;

/// The number of the machine's unprivileged user and of its group.
pub(crate) const USER: u32 = 1000;

/// The home of the machine's unprivileged user, from which relative paths start.
pub(crate) const HOME: &str = "/home/user";

/// Does `work` with the file permissions of `user`.
///
/// Only the effective user changes, so the kernel drops the capabilities over files too, and the user
/// cannot touch this process by signals or traces.
pub(crate) fn with<T>(user: User, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if user == User::Root || !rustix::process::geteuid().is_root() {
        return work();
    }
    let (root, group) = (Uid::ROOT, Gid::ROOT);
    rustix::thread::set_thread_groups(&[Gid::from_raw(USER)])?;
    rustix::thread::set_thread_res_gid(group, Gid::from_raw(USER), group)?;
    rustix::thread::set_thread_res_uid(root, Uid::from_raw(USER), root)?;
    let result = work();
    rustix::thread::set_thread_res_uid(root, root, root)?;
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_groups(&[group])?;
    result
}
