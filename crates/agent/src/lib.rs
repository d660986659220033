//! The agent: the first process of a machine and the only service in it.
//!
//! It boots the guest ([`boot`]), then answers one host over one channel ([`serve`]): it starts processes as
//! an unprivileged user, carries their input and output under credit, moves files, and says that it lives.
//! It never speaks first. One thread, one `poll`: nothing a process does can starve it, because it runs at
//! real-time priority and every job sits in a control group of its own.

#![deny(unsafe_code)]

pub mod boot;
mod files;
mod groups;
mod health;
mod job;
mod process;
mod serve;
pub mod starter;
#[allow(unsafe_code)]
mod system;
mod user;

pub use groups::Groups;
pub use serve::{Config, serve};
