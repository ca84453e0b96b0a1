//! `ListSelection`: the selected line of a list. Changed by `app`, drawn by `view`; pure.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListSelection {
    pub selected: usize,
}

/// A move of the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

/// The number of lines that the page keys move.
pub const PAGE: usize = 10;

impl ListSelection {
    /// Moves within `length` lines. Returns true if the selection did not move.
    pub fn step(&mut self, step: Move, length: usize) -> bool {
        let last = length.saturating_sub(1);
        let before = self.selected;
        self.selected = match step {
            Move::Up => before.saturating_sub(1),
            Move::Down => before + 1,
            Move::PageUp => before.saturating_sub(PAGE),
            Move::PageDown => before + PAGE,
            Move::First => 0,
            Move::Last => last,
        }
        .min(last);
        self.selected == before
    }

    /// Moves the selection into a list that has become shorter.
    pub fn clamp(&mut self, length: usize) {
        self.selected = self.selected.min(length.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection_stays_within_the_list() {
        let mut list = ListSelection::default();
        assert!(list.step(Move::Up, 25));
        assert!(!list.step(Move::Down, 25));
        assert!(!list.step(Move::PageDown, 25));
        assert_eq!(list.selected, 11);
        assert!(!list.step(Move::Last, 25));
        assert!(list.step(Move::PageDown, 25));
        assert_eq!(list.selected, 24);
        list.clamp(3);
        assert_eq!(list.selected, 2);
        assert!(!list.step(Move::Down, 0));
        assert_eq!(list.selected, 0);
    }
}
