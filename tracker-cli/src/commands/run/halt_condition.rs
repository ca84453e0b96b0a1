//! `HaltCondition`: the option `--halt`: when a run ends early, with the words of GNU parallel. Called by `runner` after each end; pure.

use std::str::FromStr;

/// `soon,fail=3`, `now,fail=10%`, `now,success=1`, `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HaltCondition(Option<Condition>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Condition {
    /// Running commands are ended too.
    now: bool,
    on: On,
    limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Fail,
    Success,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Count(u64),
    /// Of the lines that have ended; at least three lines must have ended.
    Percent(u64),
}

/// The effect of a halt on running commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltAction {
    Soon,
    Now,
}

impl HaltCondition {
    /// Returns the action if these counts of the run meet the condition.
    pub fn reached(self, succeeded: u64, given_up: u64) -> Option<HaltAction> {
        let condition = self.0?;
        let ended = succeeded + given_up;
        let count = match condition.on {
            On::Fail => given_up,
            On::Success => succeeded,
            On::Done => ended,
        };
        let reached = match condition.limit {
            Limit::Count(limit) => count >= limit,
            Limit::Percent(percent) => ended >= 3 && count.saturating_mul(100) >= percent.saturating_mul(ended),
        };
        reached.then_some(if condition.now { HaltAction::Now } else { HaltAction::Soon })
    }
}

impl FromStr for HaltCondition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        parse(text).map(|condition| Self(Some(condition))).ok_or_else(|| {
            "expected never, or when and what: soon,fail=3 (starts no more commands), now,fail=10% (also ends running \
             commands); success or done in place of fail"
                .to_owned()
        })
    }
}

fn parse(text: &str) -> Option<Condition> {
    let (when, what) = text.split_once(',')?;
    let (on, limit) = what.split_once('=')?;
    let now = match when {
        "now" => true,
        "soon" => false,
        _ => return None,
    };
    let on = match on {
        "fail" => On::Fail,
        "success" => On::Success,
        "done" => On::Done,
        _ => return None,
    };
    let limit = match limit.strip_suffix('%') {
        Some(percent) => Limit::Percent(percent.parse().ok().filter(|percent| (1..=100).contains(percent))?),
        None => Limit::Count(limit.parse().ok().filter(|count| *count > 0)?),
    };
    Some(Condition { now, on, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_halts_when_the_condition_is_met() {
        for (text, succeeded, given_up, expected) in [
            ("never", 0, 1_000, None),
            ("soon,fail=3", 9, 2, None),
            ("soon,fail=3", 0, 3, Some(HaltAction::Soon)),
            ("now,success=1", 1, 0, Some(HaltAction::Now)),
            ("now,done=2", 1, 1, Some(HaltAction::Now)),
            ("now,fail=50%", 0, 2, None),
            ("now,fail=50%", 2, 2, Some(HaltAction::Now)),
            ("now,fail=50%", 3, 2, None),
        ] {
            assert_eq!(
                text.parse::<HaltCondition>().unwrap_or_default().reached(succeeded, given_up),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "now", "fail=1", "now,fail", "now,fail=0", "now,fail=101%", "later,fail=1", "now,never=1"] {
            assert!(text.parse::<HaltCondition>().is_err(), "{text}");
        }
    }
}
