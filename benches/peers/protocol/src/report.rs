use std::{fmt, time::Duration};

/// What a scenario came to. Displayed as one line of JSON.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Tasks asked for.
    pub tasks: u64,
    /// Tasks submitted, or terminal in the store.
    pub done: u64,
    /// The time that took.
    pub time: Duration,
    /// The time until the bodies had run, where bodies run.
    pub bodies_time: Option<Duration>,
    /// Bodies that ended; more than tasks if some ran twice.
    pub runs: u64,
    /// Tasks given up by the store.
    pub given_up: u64,
    /// From submit to start.
    pub latencies: Vec<Duration>,
    /// The library has no call for this scenario.
    pub unsupported: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, done, time, runs, given_up, unsupported, .. } = self;
        write!(f, "{{\"tasks\":{tasks},\"done\":{done},\"seconds\":{:.6},", time.as_secs_f64())?;
        if let Some(time) = self.bodies_time {
            write!(f, "\"bodies_seconds\":{:.6},", time.as_secs_f64())?;
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
    fn a_report_is_one_line() {
        let report = Report {
            tasks: 10,
            done: 9,
            time: Duration::from_millis(1500),
            latencies: vec![Duration::from_micros(250), Duration::from_millis(2)],
            ..Report::default()
        };
        let expected = "{\"tasks\":10,\"done\":9,\"seconds\":1.500000,\"runs\":0,\"given_up\":0,\
                        \"unsupported\":false,\"latencies_us\":[250,2000]}";
        assert_eq!(report.to_string(), expected);
    }
}
