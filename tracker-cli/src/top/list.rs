/// Which line of a list is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    pub chosen: usize,
}

/// How far the choice moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

/// How many lines a page has for the keys that move by pages.
pub const PAGE: usize = 10;

impl List {
    /// Moves within `length` lines; true if it is already at the end that it wants to pass.
    pub fn step(&mut self, step: Move, length: usize) -> bool {
        let last = length.saturating_sub(1);
        let before = self.chosen;
        self.chosen = match step {
            Move::Up => before.saturating_sub(1),
            Move::Down => before + 1,
            Move::PageUp => before.saturating_sub(PAGE),
            Move::PageDown => before + PAGE,
            Move::First => 0,
            Move::Last => last,
        }
        .min(last);
        self.chosen == before
    }

    /// Keeps the choice within a list that has become shorter.
    pub fn within(&mut self, length: usize) {
        self.chosen = self.chosen.min(length.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_never_leaves_the_list() {
        let mut list = List::default();
        assert!(list.step(Move::Up, 25));
        assert!(!list.step(Move::Down, 25));
        assert!(!list.step(Move::PageDown, 25));
        assert_eq!(list.chosen, 11);
        assert!(!list.step(Move::Last, 25));
        assert!(list.step(Move::PageDown, 25));
        assert_eq!(list.chosen, 24);
        list.within(3);
        assert_eq!(list.chosen, 2);
        assert!(!list.step(Move::Down, 0));
        assert_eq!(list.chosen, 0);
    }
}
