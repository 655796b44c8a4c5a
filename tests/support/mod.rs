//! What several test programs use. Each compiles all of it and calls a part.
#![allow(dead_code, unused_imports, reason = "no test program uses every helper")]
#![allow(unreachable_pub, reason = "`pub` says what a helper module offers, although a test program exports nothing")]

pub mod bench;
pub mod client;
pub mod dialect;
pub mod disk;
pub mod files;
pub mod lab;
pub mod memory_remote;
pub mod model;
pub mod mount;
pub mod names;
pub mod process;
pub mod programs;
pub mod programs_writing;
pub mod scene;
pub mod server;
pub mod themes;
pub mod tls;
pub mod tree;
pub mod twin;
