//! Puts generated text between the markers of a document.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

/// Replaces what stands between `<!-- NAME: begin ... -->` and `<!-- NAME: end -->` in the file by `text`.
pub fn write(file: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let what = || format!("writing {}", file.display());
    let before = fs::read_to_string(file).map_err(|error| Failure::unable(what(), error))?;
    let after = replace(&before, name, text)
        .ok_or_else(|| Failure::unable(what(), format!("it has no markers `{name}: begin` and `{name}: end`")))?;
    fs::write(file, after).map_err(|error| Failure::unable(what(), error))
}

fn replace(document: &str, name: &str, text: &str) -> Option<String> {
    let begin = document.find(&format!("<!-- {name}: begin"))?;
    let from = begin + document[begin..].find("-->\n")? + "-->\n".len();
    let to = from + document[from..].find(&format!("<!-- {name}: end -->"))?;
    Some(format!("{}{}\n{}", &document[..from], text.trim_end(), &document[to..]))
}

/// What figures depend on, in one line: the machine, the date.
pub fn conditions() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let model = read("/proc/cpuinfo");
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |it| it.1);
    let memory = read("/proc/meminfo");
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kib: f64 = memory.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores ({}), {:.0} GiB, {}", model.trim(), kib / f64::from(1 << 20), today())
}

/// The date of now, as year-month-day; nothing where there is no `date`.
fn today() -> String {
    let output = Command::new("date").args(["-u", "+%F"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_markers_changes() {
        let document = "a\n<!-- t: begin, by hand -->\nold\n<!-- t: end -->\nb\n<!-- u: begin -->\n<!-- u: end -->\n";
        let expected = "a\n<!-- t: begin, by hand -->\nnew\n<!-- t: end -->\nb\n<!-- u: begin -->\n<!-- u: end -->\n";
        assert_eq!(replace(document, "t", "new\n").as_deref(), Some(expected));
        assert_eq!(replace(expected, "t", "new").as_deref(), Some(expected), "twice is once");
        assert_eq!(replace(document, "v", "new"), None);
    }

    #[test]
    fn conditions_name_the_machine_and_the_date() {
        let conditions = conditions();
        let date = conditions.rsplit(", ").next().unwrap_or_default();
        assert_eq!(date.split('-').map(str::len).collect::<Vec<_>>(), [4, 2, 2], "{conditions}");
        assert!(conditions.contains(" cores (") && conditions.contains(" GiB"), "{conditions}");
    }
}
