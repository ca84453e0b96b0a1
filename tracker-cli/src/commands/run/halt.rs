use std::str::FromStr;

/// When the run ends early, in GNU parallel's words: `soon,fail=3`, `now,fail=10%`, `now,success=1`, `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Halt(Option<Condition>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Condition {
    /// What runs is ended too.
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
    /// Of the lines that have ended, once there are three.
    Percent(u64),
}

/// What a halt means for what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halting {
    Soon,
    Now,
}

impl Halt {
    /// Whether so many lines that succeeded, and were given up, in this run end it.
    pub fn reached(self, succeeded: u64, given_up: u64) -> Option<Halting> {
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
        reached.then_some(if condition.now { Halting::Now } else { Halting::Soon })
    }
}

impl FromStr for Halt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        parse(text).map(|condition| Self(Some(condition))).ok_or_else(|| {
            "write never, or when and what: soon,fail=3 (none begins any more), now,fail=10% (what runs is ended too), \
             and success or done in place of fail"
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
    fn a_run_halts_when_its_words_say_so() {
        for (text, succeeded, given_up, expected) in [
            ("never", 0, 1_000, None),
            ("soon,fail=3", 9, 2, None),
            ("soon,fail=3", 0, 3, Some(Halting::Soon)),
            ("now,success=1", 1, 0, Some(Halting::Now)),
            ("now,done=2", 1, 1, Some(Halting::Now)),
            ("now,fail=50%", 0, 2, None),
            ("now,fail=50%", 2, 2, Some(Halting::Now)),
            ("now,fail=50%", 3, 2, None),
        ] {
            assert_eq!(text.parse::<Halt>().unwrap_or_default().reached(succeeded, given_up), expected, "{text}");
        }
    }

    #[test]
    fn other_words_are_refused() {
        for text in ["", "now", "fail=1", "now,fail", "now,fail=0", "now,fail=101%", "later,fail=1", "now,never=1"] {
            assert!(text.parse::<Halt>().is_err(), "{text}");
        }
    }
}
