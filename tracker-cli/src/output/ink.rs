use console::Style;
use tracker_core::status::Role;

/// What a piece of text is, and so its colour: of the terminal's own sixteen, which fit dark and light ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
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

impl Ink {
    pub fn paint(self, text: &str, coloured: bool) -> String {
        if !coloured || text.is_empty() {
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

impl From<Role> for Ink {
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
