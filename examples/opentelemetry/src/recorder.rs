//! `OtelRecorder`: gives the metrics of the crate `metrics` to OpenTelemetry. Installed by `telemetry`.

use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider as _},
};
use opentelemetry_sdk::metrics::SdkMeterProvider;

/// Makes an instrument of each metric that is registered. An instrument has the labels of its metric.
pub struct OtelRecorder(Meter);

impl OtelRecorder {
    pub fn new(provider: &SdkMeterProvider) -> Self {
        Self(provider.meter("tracker"))
    }
}

/// An instrument of OpenTelemetry and the labels of one metric.
struct Labelled<I> {
    instrument: I,
    labels: Vec<KeyValue>,
}

impl<I> Labelled<I> {
    fn new(instrument: I, key: &Key) -> Arc<Self> {
        let labels = key.labels().map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned()));
        Arc::new(Self { instrument, labels: labels.collect() })
    }
}

impl Recorder for OtelRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Labelled::new(self.0.u64_counter(key.name().to_owned()).build(), key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Labelled::new(self.0.f64_gauge(key.name().to_owned()).build(), key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Labelled::new(self.0.f64_histogram(key.name().to_owned()).build(), key))
    }
}

impl CounterFn for Labelled<opentelemetry::metrics::Counter<u64>> {
    fn increment(&self, value: u64) {
        self.instrument.add(value, &self.labels);
    }

    /// The tracker sets no counter.
    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Labelled<opentelemetry::metrics::Gauge<f64>> {
    /// The tracker sets its gauges only.
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        self.instrument.record(value, &self.labels);
    }
}

impl HistogramFn for Labelled<opentelemetry::metrics::Histogram<f64>> {
    fn record(&self, value: f64) {
        self.instrument.record(value, &self.labels);
    }
}
