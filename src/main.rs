//! The `ftpfs` command.

fn main() {}
