//! Tools that know neither files nor FTP: deadlines, gates, ranked locks, sets of ranges, the few unsafe system calls.

mod deadline;
mod gate;
mod range;
mod secret;
pub mod sync;
pub mod sys;

pub use deadline::{Clock, Deadline, SystemClock};
pub use gate::{Gate, Recall, Urgency};
pub use range::RangeSet;
pub use secret::Secret;
