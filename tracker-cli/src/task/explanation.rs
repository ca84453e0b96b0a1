//! `ExplanationView`: why a task is not running, as `show` and `plan` print it. Pure.

use serde::Serialize;
use tracker_core::inspect::Explanation;

#[derive(Serialize)]
pub struct ExplanationView {
    /// The reason in JSON.
    pub reason: &'static str,
    pub text: String,
}

impl From<&Explanation> for ExplanationView {
    fn from(why: &Explanation) -> Self {
        let reason = match why {
            Explanation::Running { .. } => "running",
            Explanation::LeaseExpired { .. } => "lease_expired",
            Explanation::Paused => "paused",
            Explanation::TaskPaused => "task_paused",
            Explanation::Unreadable => "unreadable",
            Explanation::NotDue { .. } => "not_due",
            Explanation::Waiting { .. } => "waiting",
            Explanation::Limited { .. } => "limited",
            Explanation::Reserved { .. } => "reserved",
            Explanation::SharedLimit { .. } => "shared_limit",
            Explanation::KindLimited { .. } => "kind_limited",
            Explanation::BudgetReached { .. } => "budget_reached",
            Explanation::ExceedsBudget { .. } => "exceeds_budget",
            Explanation::RateReached { .. } => "rate_reached",
            Explanation::Queued { .. } => "ready",
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
