//! `KeyAction`: the action of each key in the live view, and the help of keys. Called by `app`; pure.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{list_selection::Move, source::AdminAction};

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAction {
    Quit,
    Help,
    Overview,
    Tasks,
    Errors,
    NextKind,
    PreviousKind,
    Move(Move),
    Open,
    Back,
    NextStatus,
    Filter,
    Refresh,
    Admin(AdminAction),
}

/// The help. Keys that change tasks are in upper case.
pub const HELP: [(&str, &str); 16] = [
    ("1 2 3", "overview, tasks, errors"),
    ("↑ ↓  k j", "up and down; also PgUp PgDn, g G"),
    ("← →  h l", "next and previous kind"),
    ("Enter", "open the selection"),
    ("Esc", "back; clears the filter"),
    ("s", "only tasks of the next status"),
    ("/", "only tasks whose id or error contains …"),
    ("r", "refresh"),
    ("?", "this help"),
    ("q", "quit"),
    ("", ""),
    ("R", "retry a failed or given-up task"),
    ("C", "cancel"),
    ("I", "ignore"),
    ("D", "delete"),
    ("P", "pause or resume the kind"),
];

/// Returns the action of a key in normal mode.
pub fn action(key: KeyEvent) -> Option<KeyAction> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(KeyAction::Quit),
            KeyCode::Char('f') => Some(KeyAction::Move(Move::PageDown)),
            KeyCode::Char('b') => Some(KeyAction::Move(Move::PageUp)),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q') => KeyAction::Quit,
        KeyCode::Char('?') => KeyAction::Help,
        KeyCode::Char('1') => KeyAction::Overview,
        KeyCode::Char('2') => KeyAction::Tasks,
        KeyCode::Char('3') => KeyAction::Errors,
        KeyCode::Right | KeyCode::Char('l') | KeyCode::Tab => KeyAction::NextKind,
        KeyCode::Left | KeyCode::Char('h') | KeyCode::BackTab => KeyAction::PreviousKind,
        KeyCode::Up | KeyCode::Char('k') => KeyAction::Move(Move::Up),
        KeyCode::Down | KeyCode::Char('j') => KeyAction::Move(Move::Down),
        KeyCode::PageUp => KeyAction::Move(Move::PageUp),
        KeyCode::PageDown | KeyCode::Char(' ') => KeyAction::Move(Move::PageDown),
        KeyCode::Home | KeyCode::Char('g') => KeyAction::Move(Move::First),
        KeyCode::End | KeyCode::Char('G') => KeyAction::Move(Move::Last),
        KeyCode::Enter => KeyAction::Open,
        KeyCode::Esc | KeyCode::Backspace => KeyAction::Back,
        KeyCode::Char('s') => KeyAction::NextStatus,
        KeyCode::Char('/') => KeyAction::Filter,
        KeyCode::Char('r') => KeyAction::Refresh,
        KeyCode::Char('R') => KeyAction::Admin(AdminAction::Retry),
        KeyCode::Char('C') => KeyAction::Admin(AdminAction::Cancel),
        KeyCode::Char('I') => KeyAction::Admin(AdminAction::Ignore),
        KeyCode::Char('D') => KeyAction::Admin(AdminAction::Remove),
        KeyCode::Char('P') => KeyAction::Admin(AdminAction::Pause),
        _ => return None,
    })
}
