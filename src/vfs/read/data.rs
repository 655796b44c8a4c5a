//! What a read is answered with.

use std::ops::Range;

use crate::store::Block;

/// Content for a read's answer.
pub enum Data {
    /// Pieces of blocks, in order.
    Blocks(Vec<(Block, Range<usize>)>),
    /// Bytes of their own.
    Bytes(Vec<u8>),
}

impl Data {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Blocks(pieces) => pieces.iter().map(|(_, range)| range.len()).sum(),
        }
    }

    /// Hands all of it to `f` in one piece; copies only where it is in several.
    pub fn with<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Bytes(bytes) => f(bytes),
            Self::Blocks(pieces) => match &pieces[..] {
                [(block, range)] => f(&block[range.clone()]),
                pieces => WHOLE.with_borrow_mut(|whole| {
                    whole.clear();
                    pieces.iter().for_each(|(block, range)| whole.extend_from_slice(&block[range.clone()]));
                    f(whole)
                }),
            },
        }
    }
}

thread_local! {
    /// Where pieces are put together: memory that each thread uses again, as fresh pages are dear.
    static WHOLE: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}
