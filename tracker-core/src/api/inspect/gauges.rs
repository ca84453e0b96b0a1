//! Lists the gauges of `Metrics` with their labels and values. Called by `open_metrics` and, with the feature `metrics`, by `recorded_gauges`.
//! Touches only the given `Gauges`, which is the user's recorder in `recorded_gauges`.

use std::time::Duration;

use super::{KindMetrics, Metrics};
use crate::model::{
    metric_family::{
        EXPIRED_LEASES, KIND_PAUSED, LEASES, MetricFamily, OLDEST_WAITING, TASKS, WINDOW, WINDOW_ATTEMPTS,
    },
    transition::AttemptStatus,
};

/// Receives the gauges, one family after the other.
pub(super) trait Gauges {
    /// Starts a family. The following calls of `gauge` belong to it.
    fn family(&mut self, family: &MetricFamily);
    /// A label without text is the same as none.
    fn gauge(&mut self, family: &MetricFamily, labels: &[(&'static str, &str)], value: GaugeValue);
}

/// The value of a gauge.
pub(super) enum GaugeValue {
    Count(u64),
    /// `None` if there is no such time now.
    Seconds(Option<Duration>),
}

pub(super) fn write_gauges(metrics: &Metrics, gauges: &mut impl Gauges) {
    gauges.family(&TASKS);
    for kind in &metrics.kinds {
        for (status, count) in &kind.tasks {
            let step = kind.steps.get(usize::from(status.step)).map_or("", String::as_str);
            let labels =
                [("kind", &*kind.kind), ("step", step), ("status", &status.name), ("role", status.role.name())];
            gauges.gauge(&TASKS, &labels, GaugeValue::Count(*count));
        }
    }
    by_kind(metrics, gauges, &KIND_PAUSED, |kind| GaugeValue::Count(kind.paused.into()));
    by_kind(metrics, gauges, &OLDEST_WAITING, |kind| GaugeValue::Seconds(kind.oldest_waiting));
    by_kind(metrics, gauges, &LEASES, |kind| GaugeValue::Count(kind.leases));
    by_kind(metrics, gauges, &EXPIRED_LEASES, |kind| GaugeValue::Count(kind.expired_leases));
    by_kind(metrics, gauges, &WINDOW, |kind| {
        GaugeValue::Seconds(Some((kind.throughput.until - kind.throughput.since).to_std().unwrap_or_default()))
    });
    gauges.family(&WINDOW_ATTEMPTS);
    for kind in &metrics.kinds {
        for status in AttemptStatus::ALL {
            let found = kind.throughput.statuses.iter().find(|(other, _)| *other == status);
            let labels = [("kind", &*kind.kind), ("outcome", status.name())];
            gauges.gauge(&WINDOW_ATTEMPTS, &labels, GaugeValue::Count(found.map_or(0, |(_, count)| *count)));
        }
    }
}

fn by_kind(
    metrics: &Metrics,
    gauges: &mut impl Gauges,
    family: &MetricFamily,
    value: impl Fn(&KindMetrics) -> GaugeValue,
) {
    gauges.family(family);
    for kind in &metrics.kinds {
        gauges.gauge(family, &[("kind", &kind.kind)], value(kind));
    }
}
