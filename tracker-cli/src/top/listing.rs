//! `Listing`: a page of the list of tasks, with the cursors of the pages before it. Changed by `app`.

use tracker_core::query::{Cursor, UnreadableTask};

use super::list_selection::ListSelection;
use crate::task::UntypedRecord;

/// A page of tasks.
#[derive(Default)]
pub struct Listing {
    pub items: Vec<UntypedRecord>,
    /// The tasks of the page that cannot be decoded.
    pub unreadable: Vec<UnreadableTask>,
    pub list: ListSelection,
    pub next: Option<Cursor>,
    /// The cursors of this page and of those before it.
    pub starts: Vec<Cursor>,
}

impl Listing {
    /// Returns the number of the page, from 1.
    pub fn number(&self) -> usize {
        self.starts.len() + 1
    }
}
