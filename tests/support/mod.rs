//! What the integration tests share.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "every test binary compiles all of this and uses a part of it"
)]

pub mod server;
