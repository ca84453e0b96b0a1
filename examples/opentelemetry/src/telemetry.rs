//! Installs the exporters of spans and metrics, and turns trace contexts of the tracker into those of OpenTelemetry. Called by `main`.

use std::{error::Error, str::FromStr as _};

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};
use tracker_core::submit::TraceContext;

use crate::recorder::OtelRecorder;

/// The exporters, which send to the address in `OTEL_EXPORTER_OTLP_ENDPOINT` (by default `http://localhost:4318`).
pub struct Telemetry {
    spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Telemetry {
    /// Installs the exporters for the whole program. Must run before a tracker is opened: it registers its counters then.
    pub fn install() -> Result<Self, Box<dyn Error>> {
        // `OTEL_SERVICE_NAME` names the service.
        let resource = Resource::builder().build();
        let spans = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(SpanExporter::builder().with_http().build()?)
            .build();
        let metrics = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_periodic_exporter(MetricExporter::builder().with_http().build()?)
            .build();
        // The target of the tracker's spans, and that of this program. The exporter's own events would be exported without an end.
        let targets = Targets::new()
            .with_target("tracker_core::run", Level::INFO)
            .with_target(env!("CARGO_CRATE_NAME"), Level::INFO);
        let layer = tracing_opentelemetry::layer().with_tracer(spans.tracer("tracker"));
        tracing_subscriber::registry().with(layer.with_filter(targets)).try_init()?;
        metrics::set_global_recorder(OtelRecorder::new(&metrics))?;
        Ok(Self { spans, metrics })
    }

    /// Sends what is left.
    pub fn shutdown(self) -> Result<(), Box<dyn Error>> {
        self.spans.shutdown()?;
        self.metrics.shutdown()?;
        Ok(())
    }
}

/// Returns the trace context of the current span, to be stored with a task.
pub fn current_trace_context() -> Option<TraceContext> {
    let context = Span::current().context();
    let span = context.span();
    let context = span.span_context();
    let trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
    let parent_id = u64::from_be_bytes(context.span_id().to_bytes());
    TraceContext::new(trace_id, parent_id, context.is_sampled())?.with_state(context.trace_state().header()).ok()
}

/// Links the current span, which is that of the attempt, to the span that submitted the task.
///
/// A link is what OpenTelemetry proposes for messages. The attempt cannot become a child of that span: its span has begun.
pub fn link_to(submitter: &TraceContext) {
    let trace_id = TraceId::from_bytes(submitter.trace_id().to_be_bytes());
    let span_id = SpanId::from_bytes(submitter.parent_id().to_be_bytes());
    let state = TraceState::from_str(submitter.state()).unwrap_or_default();
    Span::current().add_link(SpanContext::new(trace_id, span_id, TraceFlags::new(submitter.flags()), true, state));
}
