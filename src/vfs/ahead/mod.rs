//! What programs are likely to ask for next, fetched on connections that nobody needs: directories of those who walk
//! through a tree (`dirs`), small files of those who read one after the other (`files`).

mod dirs;
mod files;

pub(super) use self::dirs::MOST_AT_ONCE;
pub(super) use self::files::MOST_FILES_AT_ONCE;
use crate::base::sync::Ranked;

/// What is known of the ways of programs.
#[derive(Default)]
pub(crate) struct Ahead {
    walk: Ranked<dirs::Walk, 34>,
    runs: Ranked<files::Runs, 35>,
}
