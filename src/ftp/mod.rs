//! The File Transfer Protocol (RFC 959 and its extensions), as servers really speak it.
//!
//! Half of the modules are values and functions on bytes, without sockets, clocks or locks: a [`command`] goes out, a
//! [`reply`] comes back, [`address`], [`features`] and [`listing`] read what it says, [`classify`] says what a refusal
//! means. Whatever a server sends, they neither panic nor do more work than a fixed multiple of its length.
//!
//! The other half does it: [`socket`] puts a deadline on every wait, `control` keeps commands and replies in step,
//! `connect` dials, `login` logs in, `pool` hands connections out, `data` opens data channels and `ready` keeps those that
//! were opened ahead, `list` fetches directories, `transfer` is a `RETR` under way. `store` begins a `STOR`, `upload` is one
//! under way, `stored` is what follows it, and `tail` makes sure of appends. `change`, `rename` and `settings` change names,
//! times and modes, `copy` has the server copy files. `dialect` remembers what this server does, and [`Client`] answers
//! [`Remote`](crate::remote::Remote) with short recipes of all of these.

pub mod address;
mod change;
mod channel;
pub mod classify;
mod client;
pub mod command;
mod connect;
mod control;
mod copy;
mod data;
mod dialect;
mod door;
pub mod encoding;
pub mod features;
mod hurry;
mod list;
pub mod listing;
mod login;
mod lost;
mod pool;
mod ready;
mod rename;
pub mod reply;
mod settings;
pub mod socket;
mod store;
mod stored;
mod tail;
mod text;
mod times;
mod tls;
mod transfer;
mod upload;
mod way;
pub mod zone;

pub use client::Client;
