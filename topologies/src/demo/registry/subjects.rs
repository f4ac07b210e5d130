//! What a schema registry knows: subjects, their versions, and schemas with ids that are global.
//!
//! Pure. The same schema text (whitespace and member order aside) has the same id under every subject.

use std::collections::{BTreeMap, HashMap};

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most schemas that are kept.
const SCHEMAS_MAX: usize = 10_000;

/// Which versions a new schema is compared with, and in which direction (Confluent: compatibility types).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Not compared.
    None,
    /// The new schema reads what the newest one wrote.
    #[default]
    Backward,
    /// The new schema reads what every earlier one wrote.
    BackwardTransitive,
    /// The newest schema reads what the new one writes.
    Forward,
    /// Every earlier schema reads what the new one writes.
    ForwardTransitive,
    /// Both directions, against the newest.
    Full,
    /// Both directions, against every earlier one.
    FullTransitive,
}

impl Level {
    fn is_transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }

    fn admits(self, new: &Schema, old: &Schema) -> bool {
        let new_reads_old = || SchemaCompatibility::can_read(old, new).is_ok();
        let old_reads_new = || SchemaCompatibility::can_read(new, old).is_ok();
        match self {
            Self::None => true,
            Self::Backward | Self::BackwardTransitive => new_reads_old(),
            Self::Forward | Self::ForwardTransitive => old_reads_new(),
            Self::Full | Self::FullTransitive => new_reads_old() && old_reads_new(),
        }
    }
}

/// Why the registry refuses, with Confluent's error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such subject.
    #[error("subject '{0}' not found")]
    SubjectNotFound(String),
    /// The subject has no such version.
    #[error("version {0} not found")]
    VersionNotFound(u32),
    /// No such schema, or not under this subject.
    #[error("schema not found")]
    SchemaNotFound,
    /// The schema cannot be compared with the earlier ones favourably.
    #[error("schema being registered is incompatible with an earlier schema for subject '{0}'")]
    Incompatible(String),
    /// Not an Avro schema.
    #[error("invalid Avro schema: {0}")]
    InvalidSchema(String),
    /// Neither a positive number nor `latest`.
    #[error("the specified version '{0}' is not a valid version id")]
    InvalidVersion(String),
    /// Too many schemas.
    #[error("the registry keeps at most {SCHEMAS_MAX} schemas")]
    Full,
}

impl Refusal {
    /// Confluent's error code; its first three digits are the HTTP status.
    pub fn code(&self) -> u32 {
        match self {
            Self::SubjectNotFound(_) => 40401,
            Self::VersionNotFound(_) => 40402,
            Self::SchemaNotFound => 40403,
            Self::Incompatible(_) => 409,
            Self::InvalidSchema(_) => 42201,
            Self::InvalidVersion(_) => 42202,
            Self::Full => 50001,
        }
    }
}

/// One version of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// The subject.
    pub subject: String,
    /// Number of the version, from 1.
    pub version: u32,
    /// Global id of its schema.
    pub id: u32,
    /// Schema text.
    pub schema: String,
}

#[derive(Debug)]
struct Known {
    text: String,
    schema: Schema,
}

/// All subjects and schemas.
#[derive(Debug, Default)]
pub struct Subjects {
    level: Level,
    /// Schemas by id; the first has id 1.
    schemas: Vec<Known>,
    ids: HashMap<String, u32>,
    /// Ids by version; the first is version 1.
    subjects: BTreeMap<String, Vec<u32>>,
}

impl Subjects {
    /// The level for all subjects.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Changes the level for all subjects.
    pub fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Names of all subjects.
    pub fn names(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    /// Text of the schema with this id.
    pub fn text(&self, id: u32) -> Result<&str, Refusal> {
        self.known(id).map(|known| known.text.as_str()).ok_or(Refusal::SchemaNotFound)
    }

    /// Numbers of the subject's versions.
    pub fn versions(&self, subject: &str) -> Result<Vec<u32>, Refusal> {
        Ok((1..).zip(self.ids_of(subject)?).map(|(version, _)| version).collect())
    }

    /// The version `version`, a number or `latest`.
    pub fn version(&self, subject: &str, version: &str) -> Result<Registered, Refusal> {
        let ids = self.ids_of(subject)?;
        let index = match version {
            "latest" => ids.len() - 1,
            number => {
                let invalid = || Refusal::InvalidVersion(number.to_owned());
                let number: u32 = number.parse().ok().filter(|number| *number > 0).ok_or_else(invalid)?;
                (number - 1) as usize
            }
        };
        self.registered(subject, index).ok_or(Refusal::VersionNotFound(index as u32 + 1))
    }

    /// The version of the subject that has this schema.
    pub fn find(&self, subject: &str, text: &str) -> Result<Registered, Refusal> {
        let ids = self.ids_of(subject)?;
        let (canonical, _) = parse(text)?;
        let id = self.ids.get(&canonical).ok_or(Refusal::SchemaNotFound)?;
        let index = ids.iter().position(|known| known == id).ok_or(Refusal::SchemaNotFound)?;
        self.registered(subject, index).ok_or(Refusal::SchemaNotFound)
    }

    /// Makes the schema the subject's newest version, unless it has it already. Returns the id.
    pub fn register(&mut self, subject: &str, text: &str) -> Result<u32, Refusal> {
        match self.find(subject, text) {
            Ok(registered) => return Ok(registered.id),
            Err(Refusal::SubjectNotFound(_) | Refusal::SchemaNotFound) => {}
            Err(refusal) => return Err(refusal),
        }
        let (canonical, schema) = parse(text)?;
        if !self.admits(subject, &schema) {
            return Err(Refusal::Incompatible(subject.to_owned()));
        }
        let id = match self.ids.get(&canonical) {
            Some(id) => *id,
            None if self.schemas.len() == SCHEMAS_MAX => return Err(Refusal::Full),
            None => {
                self.schemas.push(Known { text: text.to_owned(), schema });
                let id = self.schemas.len() as u32;
                self.ids.insert(canonical, id);
                id
            }
        };
        self.subjects.entry(subject.to_owned()).or_default().push(id);
        Ok(id)
    }

    /// Whether the level admits the schema as a new version of the subject; a new subject admits every schema.
    pub fn is_compatible(&self, subject: &str, text: &str) -> Result<bool, Refusal> {
        parse(text).map(|(_, schema)| self.admits(subject, &schema))
    }

    /// Whether the level admits the schema beside version `version` alone, a number or `latest`.
    pub fn is_compatible_with(&self, subject: &str, version: &str, text: &str) -> Result<bool, Refusal> {
        let (_, schema) = parse(text)?;
        let old = self.version(subject, version)?;
        Ok(self.known(old.id).is_some_and(|old| self.level.admits(&schema, &old.schema)))
    }

    fn admits(&self, subject: &str, schema: &Schema) -> bool {
        let compared = if self.level.is_transitive() { usize::MAX } else { 1 };
        let ids = self.subjects.get(subject).into_iter().flatten().rev().take(compared);
        ids.filter_map(|id| self.known(*id)).all(|old| self.level.admits(schema, &old.schema))
    }

    fn ids_of(&self, subject: &str) -> Result<&Vec<u32>, Refusal> {
        self.subjects.get(subject).ok_or_else(|| Refusal::SubjectNotFound(subject.to_owned()))
    }

    fn known(&self, id: u32) -> Option<&Known> {
        self.schemas.get((id as usize).checked_sub(1)?)
    }

    fn registered(&self, subject: &str, index: usize) -> Option<Registered> {
        let id = *self.subjects.get(subject)?.get(index)?;
        let schema = self.known(id)?.text.clone();
        Some(Registered { subject: subject.to_owned(), version: index as u32 + 1, id, schema })
    }
}

/// The schema, and its text in the one form that decides whether two are the same.
fn parse(text: &str) -> Result<(String, Schema), Refusal> {
    let invalid = |reason: String| Refusal::InvalidSchema(reason);
    let schema = Schema::parse_str(text).map_err(|error| invalid(error.to_string()))?;
    let mut json: Value = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    json.sort_all_objects();
    Ok((json.to_string(), schema))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const V1: &str = r#"{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}"#;
    /// V1 with other whitespace and member order.
    const V1_AGAIN: &str = r#"{ "name":"A", "type":"record", "fields":[ {"type":"int", "name":"x"} ] }"#;
    /// One more field with a default: reads V1 and is read by it.
    const V2: &str = r#"{"type":"record","name":"A","fields":[
        {"name":"x","type":"int"},{"name":"y","type":"int","default":0}]}"#;
    /// One more field without a default: cannot read V1, is read by it.
    const V3: &str = r#"{"type":"record","name":"A","fields":[{"name":"x","type":"int"},{"name":"z","type":"int"}]}"#;

    #[test]
    fn equal_schemas_share_an_id_over_subjects_and_a_version_within_one() {
        let mut subjects = Subjects::default();
        assert_eq!(subjects.register("a-value", V1), Ok(1));
        assert_eq!(subjects.register("b-value", V2), Ok(2));
        assert_eq!(subjects.register("b-value", V1_AGAIN), Ok(1));
        assert_eq!(subjects.register("a-value", V1_AGAIN), Ok(1));
        assert_eq!(subjects.versions("a-value"), Ok(vec![1]));
        assert_eq!(subjects.versions("b-value"), Ok(vec![1, 2]));
        assert_eq!(subjects.find("b-value", V1).map(|it| (it.version, it.id)), Ok((2, 1)));
        assert_eq!((subjects.text(1), subjects.names()), (Ok(V1), vec!["a-value", "b-value"]));
    }

    #[test]
    fn what_is_not_there_has_its_own_code() {
        let mut subjects = Subjects::default();
        assert_eq!(subjects.versions("a").unwrap_err().code(), 40401);
        subjects.register("a", V1).unwrap();
        assert_eq!(subjects.version("a", "2").unwrap_err().code(), 40402);
        assert_eq!(subjects.find("a", V2).unwrap_err().code(), 40403);
        assert_eq!(subjects.text(0).unwrap_err().code(), 40403);
        assert_eq!(subjects.text(2).unwrap_err().code(), 40403);
        assert_eq!(subjects.register("a", "{}").unwrap_err().code(), 42201);
        assert_eq!(subjects.register("a", "nonsense").unwrap_err().code(), 42201);
        for version in ["0", "-1", "x", ""] {
            assert_eq!(subjects.version("a", version).unwrap_err().code(), 42202, "{version}");
        }
    }

    #[test]
    fn each_level_admits_what_it_should() {
        for (level, v2_after_v1, v3_after_v1, v1_after_v3) in [
            (Level::None, true, true, true),
            (Level::Backward, true, false, true),
            (Level::Forward, true, true, false),
            (Level::Full, true, false, false),
        ] {
            for (old, new, expected) in [(V1, V2, v2_after_v1), (V1, V3, v3_after_v1), (V3, V1, v1_after_v3)] {
                let mut subjects = Subjects::default();
                subjects.set_level(level);
                subjects.register("a", old).unwrap();
                assert_eq!(subjects.is_compatible("a", new), Ok(expected), "{level:?} {old} {new}");
                assert_eq!(subjects.is_compatible_with("a", "1", new), Ok(expected), "{level:?} {old} {new}");
                assert_eq!(subjects.register("a", new).is_ok(), expected, "{level:?} {old} {new}");
            }
        }
    }

    #[test]
    fn a_transitive_level_looks_at_every_version() {
        for (level, expected) in [(Level::Forward, true), (Level::ForwardTransitive, false)] {
            let mut subjects = Subjects::default();
            subjects.set_level(Level::None);
            subjects.register("a", V3).unwrap();
            subjects.register("a", V1).unwrap();
            subjects.set_level(level);
            assert_eq!(subjects.is_compatible("a", V2), Ok(expected), "{level:?}");
        }
    }
}
