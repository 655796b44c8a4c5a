//! ftpfs mounts a remote FTP server as a local directory.
//!
//! Storeys, from the roof down; each imports only what lies below it:
//!
//! * [`cli`] turns words into a [`config`]; [`app`] wires everything together; [`daemon`] and [`logging`] make a
//!   well-behaved process of it;
//! * [`mount`] speaks FUSE and is the only user of the fuser crate;
//! * [`vfs`] knows files as the kernel sees them: inodes, directories, open files, streams;
//! * [`remote`] is the contract between `vfs` and a server; [`ftp`] implements it;
//! * [`store`] keeps blocks in memory, spools what is being written and keeps the journal of it; [`base`] holds
//!   deadlines, gates and ranked locks.
//!
//! `vfs` and `ftp` never import each other.

pub mod app;
pub mod base;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod ftp;
pub mod logging;
pub mod mount;
pub mod remote;
pub mod store;
pub mod vfs;
