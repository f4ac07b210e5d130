//! Topic administration: one request, one queue, one answer.
#![allow(unsafe_code, reason = "rust-rdkafka's admin client is asynchronous and keeps a thread; these calls block")]

use std::ptr;
use std::slice;
use std::time::Duration;

use rdkafka::bindings as c;

use super::{Client, Code, ErrorText, OK, Topic, c_string, copied, millis, text_of};
use crate::wire::NewTopic;

/// What a request about several topics answers for each: its value or the broker's refusal.
type PerTopic<T> = Vec<(String, Result<T, Failure>)>;

/// A code and what was said about it.
#[derive(Debug, Clone)]
pub(in crate::wire::rdkafka) struct Failure {
    pub(in crate::wire::rdkafka) code: Code,
    pub(in crate::wire::rdkafka) text: String,
}

/// Number of partitions of a topic; `None` when there is no such topic.
///
/// It asks any broker. librdkafka's DescribeTopics insists on the controller, which the mock cluster has not.
pub(in crate::wire::rdkafka) fn partition_count(
    client: &Client,
    topic: &str,
    timeout: Duration,
) -> Result<Option<i32>, Code> {
    let handle = Topic::new(client, topic)?;
    let mut metadata = ptr::null();
    // SAFETY: client and topic are alive; on success the metadata is ours and has one entry per topic asked for.
    unsafe {
        match c::rd_kafka_metadata(client.raw(), 0, handle.raw(), &mut metadata, millis(timeout)) {
            OK => {}
            code => return Err(code),
        }
        let topics = elements(|n| {
            *n = usize::try_from((*metadata).topic_cnt).unwrap_or(0);
            (*metadata).topics
        });
        let count = topics.first().map_or(Ok(None), |topic| match topic.err {
            OK => Ok(Some(topic.partition_cnt)),
            Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => Ok(None),
            code => Err(code),
        });
        c::rd_kafka_metadata_destroy(metadata);
        count
    }
}

/// Creates topics and waits until the controller has spread them.
pub(in crate::wire::rdkafka) fn create_topics(
    client: &Client,
    topics: &[NewTopic],
    timeout: Duration,
) -> Result<PerTopic<()>, Failure> {
    let mut natives = NewTopics(Vec::with_capacity(topics.len()));
    for topic in topics {
        natives.0.push(new_topic(topic)?);
    }
    let request = Request::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
    // SAFETY: topics, options and queue live over the call, which copies them.
    unsafe {
        c::rd_kafka_CreateTopics(client.raw(), natives.0.as_mut_ptr(), natives.0.len(), request.options, request.queue);
    }
    let answer = request.answer()?;
    // SAFETY: the event is alive and of this kind (`Answer`), everything read belongs to it.
    let created = unsafe {
        let result = c::rd_kafka_event_CreateTopics_result(answer.event);
        elements(|n| c::rd_kafka_CreateTopics_result_topics(result, n))
            .iter()
            .map(|&topic| {
                let outcome = match c::rd_kafka_topic_result_error(topic) {
                    OK => Ok(()),
                    code => Err(Failure { code, text: copied(c::rd_kafka_topic_result_error_string(topic)) }),
                };
                (copied(c::rd_kafka_topic_result_name(topic)), outcome)
            })
            .collect()
    };
    Ok(created)
}

/// The effective configuration of a topic; settings without a value are left out.
pub(in crate::wire::rdkafka) fn describe_config(
    client: &Client,
    topic: &str,
    timeout: Duration,
) -> Result<Vec<(String, String)>, Failure> {
    let name = c_string(topic);
    let request = Request::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout);
    // SAFETY: the resource, options and queue live over the call, which copies them.
    unsafe {
        let kind = c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        let mut resource = c::rd_kafka_ConfigResource_new(kind, name.as_ptr());
        c::rd_kafka_DescribeConfigs(client.raw(), &mut resource, 1, request.options, request.queue);
        c::rd_kafka_ConfigResource_destroy(resource);
    }
    let answer = request.answer()?;
    let mut settings = Vec::new();
    // SAFETY: the event is alive and of this kind (`Answer`), everything read belongs to it.
    unsafe {
        let result = c::rd_kafka_event_DescribeConfigs_result(answer.event);
        for &resource in elements(|n| c::rd_kafka_DescribeConfigs_result_resources(result, n)) {
            match c::rd_kafka_ConfigResource_error(resource) {
                OK => {}
                code => {
                    return Err(Failure { code, text: copied(c::rd_kafka_ConfigResource_error_string(resource)) });
                }
            }
            for &entry in elements(|n| c::rd_kafka_ConfigResource_configs(resource, n)) {
                let value = c::rd_kafka_ConfigEntry_value(entry);
                if !value.is_null() {
                    settings.push((copied(c::rd_kafka_ConfigEntry_name(entry)), copied(value)));
                }
            }
        }
    }
    Ok(settings)
}

/// The id of each topic, as text.
pub(in crate::wire::rdkafka) fn topic_ids(
    client: &Client,
    topics: &[String],
    timeout: Duration,
) -> Result<PerTopic<String>, Failure> {
    let names: Vec<_> = topics.iter().map(|topic| c_string(topic)).collect();
    let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let request = Request::new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout);
    // SAFETY: the names live over the call that copies them; collection, options and queue over the one that copies those.
    unsafe {
        let collection = c::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        c::rd_kafka_DescribeTopics(client.raw(), collection, request.options, request.queue);
        c::rd_kafka_TopicCollection_destroy(collection);
    }
    let answer = request.answer()?;
    // SAFETY: the event is alive and of this kind (`Answer`), everything read belongs to it.
    let ids = unsafe {
        let result = c::rd_kafka_event_DescribeTopics_result(answer.event);
        elements(|n| c::rd_kafka_DescribeTopics_result_topics(result, n))
            .iter()
            .map(|&topic| {
                let error = c::rd_kafka_TopicDescription_error(topic);
                let id = match if error.is_null() { OK } else { c::rd_kafka_error_code(error) } {
                    OK => Ok(copied(c::rd_kafka_Uuid_base64str(c::rd_kafka_TopicDescription_topic_id(topic)))),
                    code => Err(Failure { code, text: copied(c::rd_kafka_error_string(error)) }),
                };
                (copied(c::rd_kafka_TopicDescription_name(topic)), id)
            })
            .collect()
    };
    Ok(ids)
}

/// Topics to create, freed together.
struct NewTopics(Vec<*mut c::rd_kafka_NewTopic_t>);

impl Drop for NewTopics {
    fn drop(&mut self) {
        for &topic in &self.0 {
            // SAFETY: made by `new_topic`, and every request copies it.
            unsafe { c::rd_kafka_NewTopic_destroy(topic) }
        }
    }
}

fn new_topic(topic: &NewTopic) -> Result<*mut c::rd_kafka_NewTopic_t, Failure> {
    let name = c_string(&topic.name);
    let mut text: ErrorText = [0; _];
    // SAFETY: the string and the buffer live over the call.
    let native = unsafe {
        c::rd_kafka_NewTopic_new(
            name.as_ptr(),
            topic.partitions,
            topic.replication_factor,
            text.as_mut_ptr(),
            text.len(),
        )
    };
    if native.is_null() {
        return Err(Failure { code: Code::RD_KAFKA_RESP_ERR__INVALID_ARG, text: text_of(&text) });
    }
    for (key, value) in &topic.config {
        let (key, value) = (c_string(key), c_string(value));
        // SAFETY: the topic is ours, the strings live over the call. It fails only for a null name.
        unsafe { c::rd_kafka_NewTopic_set_config(native, key.as_ptr(), value.as_ptr()) };
    }
    Ok(native)
}

/// Options and queue of one request.
struct Request {
    options: *mut c::rd_kafka_AdminOptions_t,
    queue: *mut c::rd_kafka_queue_t,
    timeout: Duration,
}

impl Request {
    fn new(client: &Client, operation: c::rd_kafka_admin_op_t, timeout: Duration) -> Self {
        let mut text: ErrorText = [0; _];
        // SAFETY: the client is alive. A refused timeout leaves the client's default, the wait below still ends.
        unsafe {
            let options = c::rd_kafka_AdminOptions_new(client.raw(), operation);
            c::rd_kafka_AdminOptions_set_request_timeout(options, millis(timeout), text.as_mut_ptr(), text.len());
            if operation == c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS {
                let spread = millis(timeout);
                c::rd_kafka_AdminOptions_set_operation_timeout(options, spread, text.as_mut_ptr(), text.len());
            }
            Self { options, queue: c::rd_kafka_queue_new(client.raw()), timeout }
        }
    }

    /// Waits for the answer; an answer that is an error as a whole is a failure.
    fn answer(&self) -> Result<Answer, Failure> {
        // The client itself answers within the request timeout; the rest is for its threads.
        let wait = self.timeout + Duration::from_secs(1);
        // SAFETY: the queue is alive; the event is ours until `Answer` is dropped.
        unsafe {
            let event = c::rd_kafka_queue_poll(self.queue, millis(wait));
            if event.is_null() {
                let code = Code::RD_KAFKA_RESP_ERR__TIMED_OUT;
                return Err(Failure { code, text: "no answer in time".to_owned() });
            }
            let answer = Answer { event };
            match c::rd_kafka_event_error(event) {
                OK => Ok(answer),
                code => Err(Failure { code, text: copied(c::rd_kafka_event_error_string(event)) }),
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: the last use of both; an answer that comes later is dropped by librdkafka.
        unsafe {
            c::rd_kafka_AdminOptions_destroy(self.options);
            c::rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// The answer to the one request that used the queue: its kind is the request's.
struct Answer {
    event: *mut c::rd_kafka_event_t,
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the last use of the event.
        unsafe { c::rd_kafka_event_destroy(self.event) }
    }
}

/// The array that `get` returns together with its length.
///
/// # Safety
/// `get` returns null or an array of as many elements as it wrote, alive for 'a.
unsafe fn elements<'a, T: 'a>(get: impl FnOnce(&mut usize) -> *mut T) -> &'a [T] {
    let mut count = 0;
    let first = get(&mut count);
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(first, count) }
}
