//! A span as OpenTelemetry's exporters take it.

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Event, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use shared::version;

use super::{Kind, Span};

impl From<Span> for SpanData {
    fn from(span: Span) -> Self {
        let (trace, id) = (TraceId::from(span.trace), SpanId::from(span.id));
        let scope = InstrumentationScope::builder("autoscaler").with_version(version::NUMBER);
        let mut events = SpanEvents::default();
        events.events.extend(span.events.into_iter().map(|event| {
            let detail = KeyValue::new("detail", event.detail);
            Event::new(event.what, event.at.into(), vec![detail], 0)
        }));
        Self {
            span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: SpanId::from(span.parent),
            // A delivery is sent by another system, and a job by the process that took its delivery.
            parent_span_is_remote: span.kind != Kind::Internal && span.parent != 0,
            span_kind: match span.kind {
                Kind::Server => SpanKind::Server,
                Kind::Consumer => SpanKind::Consumer,
                Kind::Internal => SpanKind::Internal,
            },
            name: span.name.into(),
            start_time: span.start.into(),
            end_time: span.end.max(span.start).into(),
            attributes: span.attributes.into_iter().map(|(name, value)| KeyValue::new(name, value)).collect(),
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status: span.error.map_or(Status::Unset, Status::error),
            instrumentation_scope: scope.build(),
        }
    }
}
