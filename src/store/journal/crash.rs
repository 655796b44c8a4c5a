//! Where tests look at the disk as a crash would leave it.

#[cfg(test)]
type Look = Box<dyn FnMut(&'static str)>;

#[cfg(test)]
thread_local! {
    /// Called at each step of this thread that changes the disk.
    pub(super) static AT: std::cell::RefCell<Option<Look>> = const { std::cell::RefCell::new(None) };
}

/// The disk has been changed. Nothing outside tests.
pub(super) fn point(_name: &'static str) {
    #[cfg(test)]
    AT.with_borrow_mut(|at| {
        if let Some(look) = at {
            look(_name);
        }
    });
}
