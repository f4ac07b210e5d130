//! One question to the registry over HTTP, and which reaction a failure asks for.

use std::sync::Arc;
use std::time::Duration;

use schema_registry_converter::blocking::schema_registry::{SrSettings, get_schema_by_id, post_schema};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RegisteredSchema, SchemaType, SuppliedSchema};

/// How to reach the schema registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Base URL of Confluent's REST paths, such as `http://localhost:8081`.
    pub url: String,
    /// User and password of HTTP basic authentication.
    pub credentials: Option<(String, String)>,
    /// Longest time of one HTTP call, connecting included.
    pub timeout: Duration,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// The schema that has this id.
    Schema(u32),
    /// The id of this schema under this subject, registering it if it is new.
    Id {
        /// Subject, by the TopicName strategy.
        subject: String,
        /// Schema as JSON text.
        schema: Arc<str>,
    },
}

/// A schema and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub id: u32,
    pub schema: Arc<str>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The registry says that the id does not exist.
    Unknown,
    /// The registry or we refuse the schema; asking again changes nothing until a person acts.
    Refused(String),
    /// No usable answer; asking again may bring one.
    Unavailable(String),
    /// No answer yet; it will be remembered when it comes. Has the failure before, when this is not the first try.
    Pending(Option<String>),
}

/// The HTTP side.
#[derive(Debug)]
pub(super) struct Client {
    settings: SrSettings,
}

impl Client {
    /// Redirects are not followed and proxies of the environment are not used: credentials go to `url` alone.
    pub(super) fn new(options: &RegistryOptions) -> Result<Self, Failure> {
        let mut builder = SrSettings::new_builder(options.url.trim_end_matches('/').to_owned());
        builder.no_proxy().set_timeout(options.timeout);
        if let Some((user, password)) = &options.credentials {
            builder.set_basic_authorization(user, Some(password));
        }
        let http = reqwest::blocking::Client::builder().redirect(reqwest::redirect::Policy::none());
        builder.build_with(http).map(|settings| Self { settings }).map_err(|error| failure(&error))
    }

    /// Asks and waits for the answer; may block up to the timeout.
    pub(super) fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        let registered = match question {
            Question::Schema(id) => get_schema_by_id(*id, &self.settings),
            // Two instances that register the same new schema at once are in each other's way (Apicurio answers that the
            // subject exists already). A conflict with a schema that does not fit stays one.
            Question::Id { subject, schema } => self
                .register(subject, schema)
                .or_else(|error| if is_conflict(&error) { self.register(subject, schema) } else { Err(error) }),
        };
        answer(registered.map_err(|error| failure(&error))?)
    }

    fn register(&self, subject: &str, schema: &str) -> Result<RegisteredSchema, SRCError> {
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned());
        post_schema(&self.settings, subject.to_owned(), supplied)
    }
}

fn answer(registered: RegisteredSchema) -> Result<Answer, Failure> {
    if !matches!(registered.schema_type, SchemaType::Avro) {
        return Err(Failure::Refused(format!("it is of type {:?}, not Avro", registered.schema_type)));
    }
    if !registered.references.is_empty() {
        return Err(Failure::Refused("it has references to other subjects, which are not supported".to_owned()));
    }
    Ok(Answer { id: registered.id, schema: registered.schema.into() })
}

/// Error codes of Confluent's registry (`io.confluent.kafka.schemaregistry.rest.exceptions.Errors`). A status without
/// such a body comes from something else on the way (proxy, wrong path): that is no answer.
fn failure(error: &SRCError) -> Failure {
    const SCHEMA_NOT_FOUND: u32 = 40403;
    match raw(error).map(|raw| (raw.error_code, raw.message.as_str())) {
        Some((SCHEMA_NOT_FOUND, _)) => Failure::Unknown,
        Some((409 | 422 | 40900..=40999 | 42200..=42299, message)) => Failure::Refused(shorten(message)),
        _ => Failure::Unavailable(shorten(&chain(error))),
    }
}

fn is_conflict(error: &SRCError) -> bool {
    matches!(raw(error), Some(RawError { error_code: 409 | 40900..=40999, .. }))
}

fn raw(error: &SRCError) -> Option<&RawError> {
    std::error::Error::source(error).and_then(|source| source.downcast_ref::<RawError>())
}

/// The error with its causes: the outermost says only that a request failed.
fn chain(error: &SRCError) -> String {
    let first = std::error::Error::source(error);
    let causes = std::iter::successors(first, |cause| cause.source());
    causes.fold(error.error.clone(), |text, cause| format!("{text}: {cause}"))
}

/// A registry may answer with pages of text.
fn shorten(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure_of(error_code: u32) -> Failure {
        let body = format!(r#"{{"error_code":{error_code},"message":"text"}}"#);
        let raw: RawError = serde_json::from_str(&body).expect("the fields of RawError");
        failure(&SRCError::non_retryable_with_cause(raw, "failed"))
    }

    #[test]
    fn only_the_registrys_own_code_makes_an_id_unknown() {
        assert_eq!(failure_of(40403), Failure::Unknown);
        assert_eq!(failure_of(409), Failure::Refused("text".to_owned()));
        assert_eq!(failure_of(42201), Failure::Refused("text".to_owned()));
        for code in [0, 401, 403, 404, 429, 500, 50001] {
            let expected = format!("failed: error_code: {code}, message: text");
            assert_eq!(failure_of(code), Failure::Unavailable(expected));
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(shorten(&"é".repeat(400)).chars().count(), 303);
        assert_eq!(shorten("short"), "short");
    }
}
