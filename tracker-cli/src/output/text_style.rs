//! `TextStyle`: styles of text and their colors: the 16 colors of the terminal, which fit dark and light themes. Used by all that print; pure.

use console::Style;
use tracker_core::status::Role;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextStyle {
    #[default]
    Plain,
    Strong,
    Quiet,
    Good,
    Busy,
    Warn,
    Bad,
    Special,
}

impl TextStyle {
    pub fn paint(self, text: &str, colored: bool) -> String {
        if !colored || text.is_empty() {
            return text.to_owned();
        }
        let style = match self {
            Self::Plain => return text.to_owned(),
            Self::Strong => Style::new().bold(),
            Self::Quiet => Style::new().dim(),
            Self::Good => Style::new().green(),
            Self::Busy => Style::new().cyan(),
            Self::Warn => Style::new().yellow(),
            Self::Bad => Style::new().red(),
            Self::Special => Style::new().magenta(),
        };
        style.force_styling(true).apply_to(text).to_string()
    }
}

impl From<Role> for TextStyle {
    fn from(role: Role) -> Self {
        match role {
            Role::Pending => Self::Plain,
            Role::InProgress => Self::Busy,
            Role::Failed => Self::Warn,
            Role::Succeeded => Self::Good,
            Role::Exhausted => Self::Bad,
            Role::Ignored | Role::Cancelled => Self::Quiet,
            Role::Parked => Self::Special,
        }
    }
}
