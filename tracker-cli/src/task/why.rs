use serde::Serialize;
use tracker_core::inspect::Explanation;

/// Why a task is not running: a word for programs, a sentence for people.
#[derive(Serialize)]
pub struct WhyView {
    pub reason: &'static str,
    pub text: String,
}

impl From<&Explanation> for WhyView {
    fn from(why: &Explanation) -> Self {
        let reason = match why {
            Explanation::Running { .. } => "running",
            Explanation::LeaseOver { .. } => "lease_over",
            Explanation::Paused => "paused",
            Explanation::Unreadable => "unreadable",
            Explanation::NotDue { .. } => "not_due",
            Explanation::Waiting { .. } => "waiting",
            Explanation::Limited { .. } => "limited",
            Explanation::RateReached { .. } => "rate_reached",
            Explanation::InLine { .. } => "in_line",
            Explanation::Exhausted { .. } => "exhausted",
            Explanation::Succeeded => "succeeded",
            Explanation::Ignored => "ignored",
            Explanation::Cancelled => "cancelled",
            Explanation::Parked { .. } => "parked",
            _ => "other",
        };
        Self { reason, text: why.to_string() }
    }
}
