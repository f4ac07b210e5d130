//! The registry as the serdes see it: every question is asked once at a time, and its answer remembered.
//!
//! Questions run on threads of their own. Whoever decodes a source does not wait but comes again, so a slow registry
//! delays the partition that needs it and no other; and asking from an async context is harmless.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::super::SerdeError;
use super::client::{Answer, Client, Failure, Question, RegistryOptions};
use super::value::Part;
use super::{AvroSerde, EncodedListSerde};

/// Questions under way at once.
const ASKING_MAX: usize = 8;
/// Remembered questions, from which on failed ones are forgotten early.
const REMEMBERED_MAX: usize = 1024;

/// How long things are waited for and remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long those wait that cannot come again: a little more than one HTTP call.
    pub answer: Duration,
    /// How long a refused schema or an unknown id is not asked about again.
    pub refused: Duration,
    /// How long after a failed call the next one is made.
    pub unavailable: Duration,
}

/// The schema registry of an application; one handle per application, cheap to clone.
#[derive(Debug, Clone)]
pub struct SchemaRegistry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    patience: Patience,
    questions: Mutex<FxHashMap<Question, State>>,
    answered: Condvar,
    failures: AtomicU64,
}

/// Whether the asker waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// It comes again.
    No,
    /// For about one HTTP call.
    ForAnswer,
}

#[derive(Debug)]
enum State {
    /// With the failure before, if there was one.
    Asking {
        last: Option<String>,
    },
    Answered {
        at: Instant,
        answer: Result<Answer, Failure>,
    },
}

impl SchemaRegistry {
    /// A handle; nothing is asked yet. Fails when `options` make no HTTP client.
    pub fn new(options: &RegistryOptions) -> Result<Self, SerdeError> {
        let patience = Patience {
            answer: options.timeout + Duration::from_millis(500),
            refused: Duration::from_secs(10),
            unavailable: Duration::from_millis(500),
        };
        Self::with_patience(options, patience)
    }

    pub(super) fn with_patience(options: &RegistryOptions, patience: Patience) -> Result<Self, SerdeError> {
        // On a thread of its own because the blocking HTTP client must not be made within an async context.
        let client = thread::scope(|scope| scope.spawn(|| Client::new(options)).join());
        let client = match client {
            Ok(Ok(client)) => client,
            Ok(Err(failure)) => return Err(SerdeError::Unavailable(format!("no HTTP client: {failure:?}"))),
            Err(_) => return Err(SerdeError::Unavailable("no HTTP client".to_owned())),
        };
        let (questions, answered, failures) = (Mutex::default(), Condvar::new(), AtomicU64::new(0));
        let shared = Shared { client, patience, questions, answered, failures };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The serde of record values of type `T` under `schema` (JSON text), both for writing and as reader schema.
    ///
    /// Subject: `<topic>-value` (TopicName strategy). Fails when the schema is not valid Avro.
    pub fn serde<T>(&self, schema: &str) -> Result<AvroSerde<T>, SerdeError> {
        AvroSerde::new(self.clone(), Part::Value, schema)
    }

    /// The serde of record keys; subject `<topic>-key`.
    pub fn key_serde<T>(&self, schema: &str) -> Result<AvroSerde<T>, SerdeError> {
        AvroSerde::new(self.clone(), Part::Key, schema)
    }

    /// The serde of values that are lists, whose items stay encoded. `schema` is a record of one field, an array.
    ///
    /// Subject: `<topic>-value`. Fails when the schema is not valid Avro, or another one.
    pub fn list_serde<T>(&self, schema: &str) -> Result<EncodedListSerde<T>, SerdeError> {
        EncodedListSerde::new(self.clone(), Part::Value, schema)
    }

    /// Calls to the registry that brought no usable answer, since the start.
    pub fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// The schema that has `id`.
    pub(super) fn schema(&self, id: u32, waits: Waits) -> Result<Answer, Failure> {
        self.ask(&Question::Schema(id), waits)
    }

    /// The id of `schema` under `subject`, registering it if it is new.
    pub(super) fn register(&self, subject: String, schema: Arc<str>, waits: Waits) -> Result<Answer, Failure> {
        self.ask(&Question::Id { subject, schema }, waits)
    }

    fn ask(&self, question: &Question, waits: Waits) -> Result<Answer, Failure> {
        let shared = &self.shared;
        let deadline = match waits {
            Waits::No => None,
            Waits::ForAnswer => Some(Instant::now() + shared.patience.answer),
        };
        let mut questions = shared.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asked = false;
        loop {
            let now = Instant::now();
            match questions.get(question) {
                // An answer to our own question counts however old: with no patience at all it still arrives.
                Some(State::Answered { at, answer }) if asked || shared.is_fresh(answer, now - *at) => {
                    return answer.clone();
                }
                Some(State::Asking { .. }) => asked = true,
                stale => {
                    let last = last_failure(stale);
                    // At the bound the question waits for its turn: the asker comes again or is woken.
                    if has_room(&mut questions) {
                        Shared::start(shared, question)?;
                        questions.insert(question.clone(), State::Asking { last });
                        asked = true;
                    }
                }
            }
            let Some(left) = deadline.map(|deadline| deadline.saturating_duration_since(now)).filter(|d| !d.is_zero())
            else {
                return Err(Failure::Pending(last_failure(questions.get(question))));
            };
            let waited = shared.answered.wait_timeout(questions, left);
            questions = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn last_failure(state: Option<&State>) -> Option<String> {
    match state? {
        State::Asking { last } => last.clone(),
        State::Answered { answer: Err(Failure::Unavailable(reason)), .. } => Some(reason.clone()),
        State::Answered { .. } => None,
    }
}

/// Bounds what is remembered; whether one more question may be under way.
fn has_room(questions: &mut FxHashMap<Question, State>) -> bool {
    if questions.len() >= REMEMBERED_MAX {
        questions.retain(|_, state| !matches!(state, State::Answered { answer: Err(_), .. }));
    }
    questions.values().filter(|state| matches!(state, State::Asking { .. })).count() < ASKING_MAX
}

impl Shared {
    /// A schema never changes under its id; everything else may heal.
    fn is_fresh(&self, answer: &Result<Answer, Failure>, age: Duration) -> bool {
        match answer {
            Ok(_) => true,
            Err(Failure::Unknown | Failure::Refused(_)) => age < self.patience.refused,
            Err(Failure::Unavailable(_) | Failure::Pending(_)) => age < self.patience.unavailable,
        }
    }

    fn start(shared: &Arc<Self>, question: &Question) -> Result<(), Failure> {
        let (shared, question) = (Arc::clone(shared), question.clone());
        let asking = move || {
            // Whatever happens, the question must not stay open.
            let answer = panic::catch_unwind(AssertUnwindSafe(|| shared.client.ask(&question)));
            let answer = answer.unwrap_or_else(|_| Err(Failure::Unavailable("asking panicked".to_owned())));
            if let Err(Failure::Unavailable(_)) = answer {
                shared.failures.fetch_add(1, Ordering::Relaxed);
            }
            let mut questions = shared.questions.lock().unwrap_or_else(PoisonError::into_inner);
            questions.insert(question, State::Answered { at: Instant::now(), answer });
            drop(questions);
            shared.answered.notify_all();
        };
        match thread::Builder::new().name("schema-registry".to_owned()).spawn(asking) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::Unavailable(format!("no thread to ask on: {error}"))),
        }
    }
}
