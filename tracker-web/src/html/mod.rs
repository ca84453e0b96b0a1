//! Pages as HTML: each is a pure function of what `model` has read, and `Frame` is the page around it. Called by `routes` and `site`; maud
//! escapes every value.

pub mod batch;
pub mod batches;
pub mod command;
pub mod errors;
pub mod health;
pub mod kinds;
pub mod notice;
#[cfg(feature = "schedules")]
pub mod schedules;
pub mod status;
pub mod task;
pub mod tasks;
pub mod workers;

use maud::{DOCTYPE, Markup, html};

use crate::format::Text;

/// The parts that every page shows besides its subject.
pub struct Frame {
    /// The name of the file.
    pub name: String,
    /// Why commands cannot be performed; `None` if they can.
    pub read_only: Option<String>,
    /// The result of the command that led to this page.
    pub notice: Option<notice::Notice>,
}

impl Frame {
    /// Returns whether the page offers commands.
    pub fn is_writable(&self) -> bool {
        self.read_only.is_none()
    }
}

/// The pages of the navigation: the path, and the name.
const PAGES: &[(&str, &str)] = &[
    ("kinds", "Kinds"),
    ("errors", "Errors"),
    ("batches", "Batches"),
    #[cfg(feature = "schedules")]
    ("schedules", "Schedules"),
    ("workers", "Workers"),
    ("health", "Health"),
];

/// A whole page. `current` is the path of its entry in the navigation.
pub fn page(frame: &Frame, title: &str, current: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (Text(title)) " · " (Text(&frame.name)) }
                link rel="stylesheet" href="style.css";
                link rel="icon" href="icon.svg" type="image/svg+xml";
                script src="live.js" defer {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    a.name href="kinds" { (Text(&frame.name)) }
                    nav aria-label="Pages" {
                        @for &(path, name) in PAGES {
                            a href=(path) aria-current=[(path == current).then_some("page")] { (name) }
                        }
                    }
                    form.find method="get" action="find" role="search" aria-label="Find a task" {
                        input type="search" name="id" aria-label="Task id" placeholder="Task id" maxlength="1024" autocomplete="off" required;
                        button type="submit" { "Find" }
                    }
                }
                main #content tabindex="-1" {
                    @if let Some(notice) = &frame.notice { (notice::notice(notice)) }
                    (content)
                    @if let Some(reason) = &frame.read_only {
                        p.quiet.foot { "Read only: " (Text(reason)) "." }
                    }
                    div #live.quiet.foot hidden {
                        button type="button" { "Pause updates" }
                        " "
                        span role="status" {}
                    }
                }
            }
        }
    }
}
