//! `Metrics::record` gives the gauges to the recorder of the crate `metrics`. Called by users; runs that recorder, and touches no row.

use metrics::{Label, Unit};

use super::{
    Metrics,
    gauges::{GaugeValue, Gauges, write_gauges},
};
use crate::model::metric_family::MetricFamily;

impl Metrics {
    /// Sets the gauges of the program's recorder of the crate `metrics` to these numbers. They have the names of the
    /// [text](Self::open_metrics). Durations have no gauge; the oldest waiting task of a kind has the age 0 if no task waits.
    ///
    /// Call it as often as the gauges are collected, for example every 15 seconds.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use std::time::Duration;
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// tracker.metrics(Duration::from_secs(300), 5_000)?.record();
    /// # Ok(())
    /// # }
    /// ```
    pub fn record(&self) {
        write_gauges(self, &mut Recorder);
    }
}

struct Recorder;

impl Gauges for Recorder {
    fn family(&mut self, family: &MetricFamily) {
        match family.unit {
            Some(_) => metrics::describe_gauge!(family.name, Unit::Seconds, family.help),
            None => metrics::describe_gauge!(family.name, family.help),
        }
    }

    fn gauge(&mut self, family: &MetricFamily, labels: &[(&'static str, &str)], value: GaugeValue) {
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let labels: Vec<_> = labels.map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        let gauge = metrics::gauge!(family.name, labels);
        match value {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            GaugeValue::Count(count) => gauge.set(count as f64),
            GaugeValue::Seconds(time) => gauge.set(time.unwrap_or_default().as_secs_f64()),
        }
    }
}
