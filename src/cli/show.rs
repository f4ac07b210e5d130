//! The configuration as text: what is in effect, and the table of all keys.

use std::fmt::Write;

use super::key::{Default, KEYS, PASSTHROUGH};
use super::layer::Source;
use super::load::Entry;

/// The effective configuration as a TOML file that gives the same configuration again, secrets masked; each line says
/// where its value comes from.
pub fn effective(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut open = "";
    for entry in entries {
        let (section, name) = split(&entry.path);
        let Some(value) = &entry.value else { continue };
        if section != open {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{section}]");
            open = section;
        }
        let name = if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() };
        let source = match entry.source {
            Source::Default => "default",
            Source::File => "file",
            Source::Environment => "environment",
            Source::Flag => "flag",
        };
        let is_number = KEYS.iter().any(|key| key.path == entry.path && matches!(key.kind, super::Kind::Integer(..)));
        let value = if is_number { value.clone() } else { toml::Value::String(value.clone()).to_string() };
        let _ = writeln!(text, "{name} = {value} # {source}");
    }
    text
}

/// Section and name; names of pass-through settings have dots themselves.
fn split(path: &str) -> (&str, &str) {
    let passed = PASSTHROUGH.iter().map(|section| section.path).find_map(|section| {
        let name = path.strip_prefix(section)?.strip_prefix('.')?;
        Some((&path[..section.len()], name))
    });
    passed.or_else(|| path.rsplit_once('.')).unwrap_or(("", path))
}

/// The table of all keys in Markdown.
pub fn table() -> String {
    let mut text = String::from("| key | takes | default | meaning |\n| --- | --- | --- | --- |\n");
    for key in KEYS {
        let default = match key.default {
            Default::Is(value) => format!("`{value}`"),
            Default::None => "none".to_owned(),
            Default::Derived(from) => from.to_owned(),
            Default::Required => "required".to_owned(),
        };
        let flag = key.flag.map(|flag| format!(" (`--{flag}`)")).unwrap_or_default();
        let also = key.common_variable.map(|name| format!(" (`{name}`)")).unwrap_or_default();
        let _ =
            writeln!(text, "| `{}`{flag}{also} | {} | {default} | {} |", key.path, key.kind.expected(), key.meaning);
    }
    for section in PASSTHROUGH {
        let _ = writeln!(text, "| `{}.*` | text, number or boolean | none | {} |", section.path, section.meaning);
    }
    text
}

/// All keys for `--help`.
pub(super) fn help() -> String {
    let mut text = String::from(
        "Keys of the file and of --set; as a variable THALWEG__SECTION__KEY. A flag wins over a variable, a variable over the file.\n",
    );
    for key in KEYS {
        let also = key.common_variable.map(|name| format!("; also {name}")).unwrap_or_default();
        let _ = writeln!(text, "  {:<38} {}{also}", key.path, key.meaning);
    }
    for section in PASSTHROUGH {
        let _ = writeln!(text, "  {:<38} {}", format!("{}.*", section.path), section.meaning);
    }
    text
}
