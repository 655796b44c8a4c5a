//! The File Transfer Protocol (RFC 959 and its extensions), as servers really speak it.
//!
//! The modules here are values and functions on bytes, without sockets, clocks or locks: a [`command`] goes out, a
//! [`reply`] comes back, [`address`], [`features`] and [`listing`] read what it says, [`classify`] says what a refusal
//! means. Whatever a server sends, they neither panic nor do more work than a fixed multiple of its length.

pub mod address;
pub mod classify;
pub mod command;
pub mod features;
pub mod listing;
pub mod reply;
mod text;
