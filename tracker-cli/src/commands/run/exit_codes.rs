//! The options `--retry-on` and `--give-up-on`: which failures of a command are retried. Called by `runner`; pure.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use super::command_status::CommandStatus;

/// Exit codes and ranges of them, such as `1,64-78`; `signal` and `timeout` stand for the two other failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitCodes {
    codes: Vec<RangeInclusive<u8>>,
    signal: bool,
    timeout: bool,
}

impl ExitCodes {
    fn contains(&self, status: CommandStatus) -> bool {
        match status {
            CommandStatus::Exit(code) => {
                u8::try_from(code).is_ok_and(|code| self.codes.iter().any(|range| range.contains(&code)))
            }
            CommandStatus::Signal(_) | CommandStatus::NeedsTerminal(_) => self.signal,
            CommandStatus::TimedOut(_) => self.timeout,
            CommandStatus::Stopped => false,
        }
    }

    /// Returns a failure that is in both lists.
    fn shared(&self, other: &Self) -> Option<String> {
        let code = (1..=u8::MAX)
            .find(|code| [self, other].iter().all(|list| list.contains(CommandStatus::Exit((*code).into()))));
        let word = || {
            let both = [(self.signal && other.signal, SIGNAL), (self.timeout && other.timeout, TIMEOUT)];
            both.into_iter().find(|(is_shared, _)| *is_shared).map(|(_, word)| word.to_owned())
        };
        code.map(|code| code.to_string()).or_else(word)
    }
}

const SIGNAL: &str = "signal";
const TIMEOUT: &str = "timeout";

impl FromStr for ExitCodes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut list = Self::default();
        for part in text.split(',') {
            match part.trim() {
                SIGNAL => list.signal = true,
                TIMEOUT => list.timeout = true,
                codes => list.codes.push(range(codes).ok_or_else(|| {
                    format!(
                        "{codes:?}: expected exit codes from 1 to 255, ranges, {SIGNAL} or {TIMEOUT}, as in 1,64-78,{TIMEOUT}"
                    )
                })?),
            }
        }
        Ok(list)
    }
}

fn range(text: &str) -> Option<RangeInclusive<u8>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = first.parse().ok()?..=last.parse().ok()?;
    (*range.start() > 0 && !range.is_empty()).then_some(range)
}

/// Which failures are retried while attempts are left. Without lists, all are.
#[derive(Clone, Debug, Default)]
pub struct RetryRule {
    retry_on: Option<ExitCodes>,
    give_up_on: Option<ExitCodes>,
}

/// A failure is in both lists.
#[derive(Debug, PartialEq, Eq)]
pub struct Contradiction(String);

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is in --retry-on and in --give-up-on: remove it from one of them", self.0)
    }
}

impl RetryRule {
    pub fn new(retry_on: Option<ExitCodes>, give_up_on: Option<ExitCodes>) -> Result<Self, Contradiction> {
        if let (Some(retry_on), Some(give_up_on)) = (&retry_on, &give_up_on)
            && let Some(failure) = retry_on.shared(give_up_on)
        {
            return Err(Contradiction(failure));
        }
        Ok(Self { retry_on, give_up_on })
    }

    /// Returns whether a further attempt may succeed after this failure.
    pub fn allows(&self, status: CommandStatus) -> bool {
        self.retry_on.as_ref().is_none_or(|list| list.contains(status))
            && !self.give_up_on.as_ref().is_some_and(|list| list.contains(status))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn list(text: &str) -> Option<ExitCodes> {
        (!text.is_empty()).then(|| text.parse().unwrap_or_else(|refused| panic!("{refused}")))
    }

    #[test]
    fn lists_choose_the_failures_that_are_retried() {
        let (exit, signal) = (CommandStatus::Exit, CommandStatus::Signal(9));
        let timeout = CommandStatus::TimedOut(Duration::from_secs(1));
        for (retry_on, give_up_on, status, expected) in [
            ("", "", exit(1), true),
            ("75", "", exit(75), true),
            ("75", "", exit(1), false),
            ("75", "", signal, false),
            ("75,signal", "", signal, true),
            ("timeout, 3-5", "", timeout, true),
            ("timeout,3-5", "", exit(5), true),
            ("timeout,3-5", "", exit(6), false),
            ("", "2,64-78", exit(64), false),
            ("", "2,64-78", exit(79), true),
            ("", "signal", signal, false),
            ("", "signal", timeout, true),
            ("1-9", "10", exit(11), false),
        ] {
            let rule = RetryRule::new(list(retry_on), list(give_up_on)).unwrap_or_else(|refused| panic!("{refused}"));
            assert_eq!(rule.allows(status), expected, "{retry_on:?} {give_up_on:?} {status:?}");
        }
    }

    #[test]
    fn other_lists_are_refused() {
        for text in ["", "0", "256", "5-3", "-1", "a", "1,", "1-", "signals"] {
            assert!(text.parse::<ExitCodes>().is_err(), "{text}");
        }
        let refused = |retry, give_up| RetryRule::new(list(retry), list(give_up)).err().map(|refused| refused.0);
        assert_eq!(refused("1-5", "3,9").as_deref(), Some("3"));
        assert_eq!(refused("1,timeout", "timeout").as_deref(), Some("timeout"));
        assert_eq!(refused("1", "2"), None);
    }
}
