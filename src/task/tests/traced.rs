//! Records of sampled traces: their spans, and what derived records carry.

use super::*;
use crate::types::{Headers, Span, Spans, TraceContext};

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn spans() -> Spans {
    Spans::new(1, || 77)
}

/// Queues one record per header; the value 666 does not decode.
fn enqueue_traced(task: &mut Task, records: &[(&str, i64)]) {
    let mut batch = task.spare_batch();
    for (offset, (trace, value)) in (0..).zip(records) {
        let mut headers = Headers::new();
        headers.push(TraceContext::HEADER, Some(b"of somebody before"));
        headers.push("other", Some(b"x"));
        headers.push(TraceContext::HEADER, Some(trace.as_bytes()));
        let bytes = value.to_be_bytes();
        batch.push(RecordView {
            offset,
            timestamp: 1,
            leader_epoch: None,
            key: Some(b"k"),
            value: Some(if *value == 666 { &bytes[..3] } else { &bytes }),
            headers: headers.view(),
        });
    }
    task.enqueue(0, batch);
}

/// The headers of the records that wait for `topic`.
fn sent_headers(task: &mut Task, topic: &str) -> Vec<Vec<(String, String)>> {
    let mut sent = Vec::new();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
    let drained: Result<(), ()> = task.outbox().drain(Step::Sinks, |to, arena| {
        if &*to.topic == topic {
            let headers = |headers: HeadersView<'_>| {
                headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect::<Vec<_>>()
            };
            sent.extend(arena.iter().map(|record| headers(record.headers)));
        }
        Ok(())
    });
    drained.unwrap();
    sent
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn text(span: &Span) -> String {
    String::from_utf8(span.context.text().to_vec()).unwrap()
}

#[test]
fn derived_records_carry_the_span_of_the_record_that_caused_them() {
    let mut task = start(-1, [None; 2]);
    task.trace(spans());
    enqueue_traced(&mut task, &[(SAMPLED, 1), (UNSAMPLED, 2), ("nonsense", 3), (SAMPLED, 4)]);
    assert_eq!(process(&mut task, 10).records, 4);
    let spans: Vec<RecordSpan> = task.take_spans().collect();
    let caller = TraceContext::parse(SAMPLED.as_bytes()).unwrap();
    let places: Vec<_> = spans.iter().map(|ended| (ended.input, ended.offset, ended.fault)).collect();
    assert_eq!(places, [(0, 0, None), (0, 3, None)]);
    for RecordSpan { span, .. } in &spans {
        assert_eq!((span.context.trace_id, span.parent), (caller.trace_id, caller.span_id));
        assert_eq!((span.start_us, span.end_us), (77, 77));
    }
    assert_ne!(spans[0].span.context.span_id, spans[1].span.context.span_id);
    let carried = |ended: &RecordSpan| vec![header("other", "x"), header("traceparent", &text(&ended.span))];
    let untouched = |trace: &str| {
        vec![header("traceparent", "of somebody before"), header("other", "x"), header("traceparent", trace)]
    };
    let expected = [carried(&spans[0]), untouched(UNSAMPLED), untouched("nonsense"), carried(&spans[1])];
    assert_eq!(sent_headers(&mut task, "out"), expected);
    assert_eq!(task.take_spans().count(), 0, "taken once");
}

#[test]
fn what_the_record_cache_holds_back_is_forwarded_with_its_span() {
    let builder = StreamsBuilder::new();
    let numbers = builder.stream::<String, i64, _, _>("a", Consumed::with(StringSerde, I64Serde));
    let counts = numbers.group_by_key(Grouped::with(StringSerde, I64Serde)).count(Materialized::named("n").in_memory());
    counts.to_stream().to("out", Produced::with(StringSerde, crate::serde::OptionalSerde(I64Serde)));
    let recipes = builder.build("app").unwrap();
    let specs = store_specs(&recipes.topology.sub_topologies()[0], 0);
    let state = TaskState::open(Path::new(""), &specs, &SharedMemory::new(1 << 20).unwrap()).unwrap().state;
    let inputs = [Input { partition: TopicPartition::new("a", 0), position: 0, partition_time: None }];
    let options = TaskOptions {
        decode_policy: DecodePolicy::Skip,
        dead_letter_topic: None,
        max_task_idle_ms: -1,
        cache_max_bytes: 1 << 20,
        timestamp_ahead_max_ms: i64::MAX,
    };
    let partitions = BTreeMap::from([("out".to_owned(), 1)]);
    let mut task = Task::start(&recipes, TaskId::new(0, 0), state, &inputs, &partitions, &options, 0);
    task.trace(spans());
    enqueue_traced(&mut task, &[(SAMPLED, 1), (SAMPLED, 2)]);
    assert_eq!(process(&mut task, 10).records, 2);
    assert_eq!(sent_headers(&mut task, "out"), Vec::<Vec<_>>::new());
    task.flush_caches().unwrap();
    let last = task.take_spans().last().unwrap();
    assert_eq!(sent_headers(&mut task, "out"), [[header("other", "x"), header("traceparent", &text(&last.span))]]);
}

#[test]
fn a_record_that_is_set_aside_has_a_span_and_its_letter_the_own_headers() {
    let mut task = start_with(&recipes(), DecodePolicy::DeadLetter, -1, [None; 2]);
    task.trace(spans());
    enqueue_traced(&mut task, &[(SAMPLED, 666)]);
    assert_eq!(process(&mut task, 10).records, 1);
    let spans: Vec<_> = task.take_spans().map(|ended| (ended.offset, ended.fault)).collect();
    assert_eq!(spans, [(0, Some("malformed"))]);
    let letter = &sent_headers(&mut task, "app.dlq")[0];
    assert_eq!(
        letter[..3],
        [header("traceparent", "of somebody before"), header("other", "x"), header("traceparent", SAMPLED)]
    );
}

#[test]
fn the_record_that_ends_a_task_has_a_span() {
    let mut task = start_with(&recipes(), DecodePolicy::Fail, -1, [None; 2]);
    task.trace(spans());
    enqueue_traced(&mut task, &[(SAMPLED, 1), (SAMPLED, 666)]);
    task.process(10, 10).unwrap_err();
    let faults: Vec<_> = task.take_spans().map(|ended| ended.fault).collect();
    assert_eq!(faults, [None, Some("malformed")]);
}

#[test]
fn a_record_that_waits_for_its_schema_has_one_span_in_the_end() {
    let read = Registered::default();
    read.says(Registered::away("refused"));
    let mut task = start_with(&registered(&read, &Registered::default()), DecodePolicy::Fail, -1, [None; 2]);
    task.trace(spans());
    enqueue_traced(&mut task, &[(SAMPLED, 1)]);
    for now in [0, 60_000] {
        assert_eq!(process(&mut task, now).records, 0);
    }
    assert_eq!(task.take_spans().count(), 0);
    read.says(None);
    assert_eq!(process(&mut task, 120_000).records, 1);
    assert_eq!(task.take_spans().map(|ended| ended.fault).collect::<Vec<_>>(), [None]);
}

#[test]
fn trace_contexts_pass_as_they_came_while_nobody_wants_spans() {
    let mut task = start(-1, [None; 2]);
    enqueue_traced(&mut task, &[(SAMPLED, 1)]);
    process(&mut task, 10);
    let came = [header("traceparent", "of somebody before"), header("other", "x"), header("traceparent", SAMPLED)];
    assert_eq!(sent_headers(&mut task, "out"), [came]);
    assert_eq!(task.take_spans().count(), 0);
}
