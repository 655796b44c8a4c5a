//! Files as the kernel sees them: inodes, directories, open files.
//!
//! [`Vfs`] has one method per operation, in `ops`. What can be answered from memory is answered on the calling thread;
//! everything else goes to the `ops` threads (`workers`), or is parked until its bytes come (`read`). So the
//! threads that take requests from the kernel never wait for the network, and what is cached is answered at once
//! whatever the server does.

mod ahead;
mod attr;
mod copy;
mod dir;
mod error;
mod files;
mod handle;
mod keeper;
mod kernel;
mod link;
mod names;
mod node;
mod ops;
mod read;
mod settings;
mod users;
mod watched;
mod workers;
mod write;

pub use attr::{Attr, Look, Space};
pub use error::{Error, Fault, Result};
pub use files::{Created, How, Opened};
pub use handle::Fh;
pub use kernel::KernelCache;
pub use node::Ino;
pub use ops::{DirItem, Entered, Vfs};
pub use read::{Data, ReadReply};
pub use settings::{Wanted, When};
pub use write::{Left, WriteReply};
