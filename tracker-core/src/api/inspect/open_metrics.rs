//! Writes `Metrics` as text in the format OpenMetrics 1.0. Called by `metrics.rs`. Pure.

use std::{fmt::Write as _, time::Duration};

use super::{
    Metrics,
    gauges::{GaugeValue, Gauges, write_gauges},
};
use crate::model::metric_family::{MetricFamily, WINDOW_DURATION};

/// The upper bounds of the buckets of durations, in seconds.
const BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0];

/// Renders the families one after the other: the samples of a family must be consecutive.
pub(super) fn render(metrics: &Metrics) -> String {
    let mut text = Text(String::new());
    write_gauges(metrics, &mut text);
    text.family(&WINDOW_DURATION);
    for kind in &metrics.kinds {
        text.durations(WINDOW_DURATION.name, &kind.kind, &kind.throughput.durations);
    }
    text.0.push_str("# EOF\n");
    text.0
}

struct Text(String);

impl Gauges for Text {
    fn family(&mut self, family: &MetricFamily) {
        let MetricFamily { name, kind, unit, help } = family;
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
        if let Some(unit) = unit {
            let _ = writeln!(self.0, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.0, "# HELP {name} {help}");
    }

    fn gauge(&mut self, family: &MetricFamily, labels: &[(&'static str, &str)], value: GaugeValue) {
        match value {
            GaugeValue::Count(count) => self.sample(family.name, labels, count),
            GaugeValue::Seconds(Some(time)) => self.sample(family.name, labels, time.as_secs_f64()),
            GaugeValue::Seconds(None) => (),
        }
    }
}

impl Text {
    /// A number is printed by its `Debug` form: that of a float always has a dot, as the canonical form of `le` demands.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Debug) {
        self.0.push_str(name);
        // An empty label is the same as none.
        for (at, (label, value)) in labels.iter().filter(|(_, value)| !value.is_empty()).enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if at == 0 { '{' } else { ',' });
            for letter in value.chars() {
                match letter {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    // Replaced, so that a terminal does not interpret it.
                    letter
                        if letter.is_control()
                            || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
                    {
                        self.0.push(char::REPLACEMENT_CHARACTER);
                    }
                    letter => self.0.push(letter),
                }
            }
            self.0.push('"');
        }
        let _ = writeln!(self.0, "}} {value:?}");
    }

    /// A histogram of how long the attempts ran that succeeded in the period of the snapshot. Its counts can decrease, so it is a gauge histogram. The
    /// durations are sorted.
    fn durations(&mut self, name: &str, kind: &str, durations: &[Duration]) {
        let bucket = format!("{name}_bucket");
        for bound in BOUNDS {
            let count = durations.partition_point(|duration| duration.as_secs_f64() <= bound);
            self.sample(&bucket, &[("kind", kind), ("le", &format!("{bound:?}"))], count);
        }
        self.sample(&bucket, &[("kind", kind), ("le", "+Inf")], durations.len());
        self.sample(&format!("{name}_gcount"), &[("kind", kind)], durations.len());
        let sum: f64 = durations.iter().map(Duration::as_secs_f64).sum();
        self.sample(&format!("{name}_gsum"), &[("kind", kind)], sum);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Checks the grammar of OpenMetrics as far as the tracker uses it. Returns the samples.
    fn parsed(text: &str) -> Vec<(&str, &str)> {
        let (body, end) = text.split_at(text.len() - "# EOF\n".len());
        assert!(end == "# EOF\n" && !body.contains("# EOF"), "{text}");
        let (mut family, mut families, mut samples) = ("", HashSet::new(), Vec::new());
        for line in body.lines() {
            if let Some(meta) = line.strip_prefix("# TYPE ") {
                family = meta.split_once(' ').map_or("", |(name, _)| name);
                assert!(families.insert(family), "{line}");
                continue;
            }
            if let Some(meta) = line.strip_prefix("# UNIT ") {
                assert_eq!(meta, format!("{family} seconds"));
                assert!(family.ends_with("_seconds"));
                continue;
            }
            if let Some(meta) = line.strip_prefix("# HELP ") {
                assert!(meta.starts_with(family), "{line}");
                continue;
            }
            let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("{line}"));
            let (labels, value) = rest.rsplit_once("} ").unwrap_or_else(|| panic!("{line}"));
            let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line}"));
            assert!(["", "_bucket", "_gcount", "_gsum"].contains(&suffix), "{line}");
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            assert_eq!(labels.replace("\\\\", "").replace("\\\"", "").matches('"').count() % 2, 0, "{line}");
            samples.push((name, &line[name.len()..]));
        }
        let unique: HashSet<_> = samples.iter().map(|(name, rest)| (name, rest.rsplit_once(' '))).collect();
        assert_eq!(unique.len(), samples.len(), "a sample stands there twice");
        samples
    }

    #[test]
    fn text_follows_the_grammar_and_escapes_names() {
        let text = render(&Metrics::sample());
        let samples = parsed(&text);
        let kind = "a \\\"kind\\\"\\\\with\\nlines\u{fffd}";
        for (name, rest) in [
            ("tracker_tasks", format!("{{kind=\"{kind}\",step=\"first\",status=\"Läuft\",role=\"in_progress\"}} 1")),
            ("tracker_kind_paused", format!("{{kind=\"{kind}\"}} 1")),
            ("tracker_oldest_waiting_seconds", format!("{{kind=\"{kind}\"}} 1.5")),
            ("tracker_window_seconds", "{kind=\"idle\"} 300.0".to_owned()),
            ("tracker_window_attempts", "{kind=\"idle\",outcome=\"crashed\"} 1".to_owned()),
            ("tracker_window_attempts", "{kind=\"idle\",outcome=\"failed\"} 0".to_owned()),
            ("tracker_window_duration_seconds_bucket", "{kind=\"idle\",le=\"0.005\"} 1".to_owned()),
            ("tracker_window_duration_seconds_bucket", "{kind=\"idle\",le=\"0.5\"} 2".to_owned()),
            ("tracker_window_duration_seconds_bucket", "{kind=\"idle\",le=\"86400.0\"} 2".to_owned()),
            ("tracker_window_duration_seconds_bucket", "{kind=\"idle\",le=\"+Inf\"} 3".to_owned()),
            ("tracker_window_duration_seconds_gcount", "{kind=\"idle\"} 3".to_owned()),
            ("tracker_window_duration_seconds_gsum", "{kind=\"idle\"} 90000.251".to_owned()),
        ] {
            assert!(samples.contains(&(name, &rest)), "{name}{rest} is missing in\n{text}");
        }
        let waiting = samples.iter().filter(|(name, _)| *name == "tracker_oldest_waiting_seconds");
        assert_eq!(waiting.count(), 1, "a kind without a waiting task has no age");
    }

    #[test]
    fn file_without_kinds_has_no_samples() {
        let none = Metrics { kinds: Vec::new(), ..Metrics::sample() };
        assert!(parsed(&render(&none)).is_empty());
    }
}
