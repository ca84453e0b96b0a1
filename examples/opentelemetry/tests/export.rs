//! Runs the program against a receiver on a loopback port, and checks the spans and metrics that arrive there.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{Metric, metric::Data, number_data_point},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message as _;

/// Bodies of requests by their path.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Receives requests until the process ends.
fn receiver() -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let requests = received.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let request = receive(stream.unwrap());
            requests.lock().unwrap().push(request);
        }
    });
    (address, received)
}

/// Reads one request with a known length, and answers it.
fn receive(stream: TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(' ') {
            Some(("POST", rest)) => path = rest.split(' ').next().unwrap().to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length:") => length = value.parse().unwrap(),
            Some(_) => (),
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer =
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    (path, body)
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    }
}

fn counter(metric: &Metric, outcome: Option<&str>) -> i64 {
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    let points = sum.data_points.iter().filter(|point| text(&point.attributes, "outcome").as_deref() == outcome);
    points
        .map(
            |point| {
                if let Some(number_data_point::Value::AsInt(count)) = point.value { count } else { panic!("{point:?}") }
            },
        )
        .sum()
}

#[test]
fn spans_and_metrics_arrive_at_a_collector() {
    let folder = tempfile::tempdir().unwrap();
    let (address, received) = receiver();
    let ended = Command::new(env!("CARGO_BIN_EXE_tracker-opentelemetry-example"))
        .arg(folder.path().join("mails.redb"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &address)
        .status()
        .unwrap();
    assert!(ended.success());
    let received = received.lock().unwrap();
    let bodies = |wanted: &str| {
        let wanted = wanted.to_owned();
        received.iter().filter(move |(path, _)| *path == wanted).map(|(_, body)| body.as_slice()).collect::<Vec<_>>()
    };

    let spans: Vec<Span> = bodies("/v1/traces")
        .into_iter()
        .flat_map(|body| ExportTraceServiceRequest::decode(body).unwrap().resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect();
    let request = spans.iter().find(|span| span.name == "request").unwrap();
    let attempts: BTreeMap<_, _> = spans
        .iter()
        .filter(|span| span.name == "process mail")
        .map(|span| (text(&span.attributes, "messaging.message.id").unwrap(), span))
        .collect();
    assert_eq!((spans.len(), attempts.len()), (3, 2), "{spans:?}");
    for span in attempts.values() {
        assert_eq!(span.kind, SpanKind::Consumer as i32);
        assert_eq!(text(&span.attributes, "messaging.system").as_deref(), Some("tracker"));
        assert_eq!(text(&span.attributes, "messaging.destination.name").as_deref(), Some("mail"));
        assert_ne!(span.trace_id, request.trace_id, "an attempt has a trace of its own");
        let links: Vec<_> = span.links.iter().map(|link| (&link.trace_id, &link.span_id)).collect();
        assert_eq!(links, [(&request.trace_id, &request.span_id)]);
    }
    let end = |address: &str| {
        let span = attempts[address];
        let status = span.status.clone().unwrap_or_default();
        (status.code, status.message, text(&span.attributes, "error.type"))
    };
    assert_eq!(end("ada@example.org"), (StatusCode::Unset as i32, String::new(), None));
    let failed = (StatusCode::Error as i32, "there is no such mailbox".to_owned(), Some("failed".to_owned()));
    assert_eq!(end("unknown@example.org"), failed);

    let metrics: BTreeMap<String, Metric> = bodies("/v1/metrics")
        .into_iter()
        .flat_map(|body| ExportMetricsServiceRequest::decode(body).unwrap().resource_metrics)
        .flat_map(|resource| resource.scope_metrics)
        .flat_map(|scope| scope.metrics)
        .map(|metric| (metric.name.clone(), metric))
        .collect();
    assert_eq!(counter(&metrics["tracker_submitted_tasks_total"], None), 2);
    assert_eq!(counter(&metrics["tracker_attempts_total"], Some("succeeded")), 1);
    assert_eq!(counter(&metrics["tracker_attempts_total"], Some("failed")), 1);
    let gauges = ["tracker_tasks", "tracker_leases", "tracker_oldest_waiting_seconds"];
    assert!(gauges.iter().all(|name| metrics.contains_key(*name)), "{:?}", metrics.keys());
}
