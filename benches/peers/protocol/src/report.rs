//! The result of a scenario, as one line of JSON.

use std::{fmt, time::Duration};

/// The result of a scenario. `Display` writes one line of JSON.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Number of tasks asked for.
    pub tasks: u64,
    /// Number of tasks submitted, or terminal in the store.
    pub done: u64,
    /// Duration of the scenario.
    pub time: Duration,
    /// Duration until all handlers had ended.
    pub handlers_time: Option<Duration>,
    /// Number of handlers that ended. It exceeds `tasks` if tasks ran twice.
    pub runs: u64,
    /// Number of tasks given up by the store.
    pub given_up: u64,
    /// Times from submit to the begin of the handler.
    pub latencies: Vec<Duration>,
    /// Whether the store accepted the end of a stale claim: from a worker of another name, and of the same name.
    pub stale_ends_accepted: Option<[bool; 2]>,
    /// The library has no call for this scenario.
    pub unsupported: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, done, time, runs, given_up, unsupported, .. } = self;
        write!(f, "{{\"tasks\":{tasks},\"done\":{done},\"seconds\":{:.6},", time.as_secs_f64())?;
        if let Some(time) = self.handlers_time {
            write!(f, "\"handlers_seconds\":{:.6},", time.as_secs_f64())?;
        }
        if let Some([other, same]) = self.stale_ends_accepted {
            write!(f, "\"stale_ends_accepted\":[{other},{same}],")?;
        }
        write!(f, "\"runs\":{runs},\"given_up\":{given_up},\"unsupported\":{unsupported},\"latencies_us\":[")?;
        for (index, latency) in self.latencies.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", latency.as_micros())?;
        }
        f.write_str("]}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_is_one_line_of_json() {
        let report = Report {
            tasks: 10,
            done: 9,
            time: Duration::from_millis(1500),
            latencies: vec![Duration::from_micros(250), Duration::from_millis(2)],
            stale_ends_accepted: Some([false, true]),
            ..Report::default()
        };
        let expected = "{\"tasks\":10,\"done\":9,\"seconds\":1.500000,\"stale_ends_accepted\":[false,true],\"runs\":0,\
                        \"given_up\":0,\"unsupported\":false,\"latencies_us\":[250,2000]}";
        assert_eq!(report.to_string(), expected);
    }
}
