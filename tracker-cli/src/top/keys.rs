use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{list::Move, source::Act};

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Leave,
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
    Act(Act),
}

/// The keys as the help names them. What changes tasks is in upper case.
pub const HELP: [(&str, &str); 16] = [
    ("1 2 3", "overview, tasks, errors"),
    ("↑ ↓  k j", "up and down; also PgUp PgDn, g G"),
    ("← →  h l", "another kind of tasks"),
    ("Enter", "open what is chosen"),
    ("Esc", "back; ends a filter"),
    ("s", "only tasks of the next status"),
    ("/", "only tasks whose id or error contains …"),
    ("r", "look again now"),
    ("?", "this help"),
    ("q", "leave"),
    ("", ""),
    ("R", "retry: startable again, nothing held against it"),
    ("C", "cancel"),
    ("I", "ignore"),
    ("D", "remove for ever"),
    ("P", "pause or resume the kind"),
];

/// What a key wants, where no text is typed and nothing is asked.
pub fn want(key: KeyEvent) -> Option<Want> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Want::Leave),
            KeyCode::Char('f') => Some(Want::Move(Move::PageDown)),
            KeyCode::Char('b') => Some(Want::Move(Move::PageUp)),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q') => Want::Leave,
        KeyCode::Char('?') => Want::Help,
        KeyCode::Char('1') => Want::Overview,
        KeyCode::Char('2') => Want::Tasks,
        KeyCode::Char('3') => Want::Errors,
        KeyCode::Right | KeyCode::Char('l') | KeyCode::Tab => Want::NextKind,
        KeyCode::Left | KeyCode::Char('h') | KeyCode::BackTab => Want::PreviousKind,
        KeyCode::Up | KeyCode::Char('k') => Want::Move(Move::Up),
        KeyCode::Down | KeyCode::Char('j') => Want::Move(Move::Down),
        KeyCode::PageUp => Want::Move(Move::PageUp),
        KeyCode::PageDown | KeyCode::Char(' ') => Want::Move(Move::PageDown),
        KeyCode::Home | KeyCode::Char('g') => Want::Move(Move::First),
        KeyCode::End | KeyCode::Char('G') => Want::Move(Move::Last),
        KeyCode::Enter => Want::Open,
        KeyCode::Esc | KeyCode::Backspace => Want::Back,
        KeyCode::Char('s') => Want::NextStatus,
        KeyCode::Char('/') => Want::Filter,
        KeyCode::Char('r') => Want::Refresh,
        KeyCode::Char('R') => Want::Act(Act::Retry),
        KeyCode::Char('C') => Want::Act(Act::Cancel),
        KeyCode::Char('I') => Want::Act(Act::Ignore),
        KeyCode::Char('D') => Want::Act(Act::Remove),
        KeyCode::Char('P') => Want::Act(Act::Pause),
        _ => return None,
    })
}
