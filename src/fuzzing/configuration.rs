//! The configuration in its layers.

use crate::cli::{Inputs, KEYS, Loaded, load};

/// File, environment and flags, each separated from the next by a zero byte; the latter two as lines `name=value`.
pub fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut layers = text.splitn(3, '\0');
    let file = layers.next().map(|text| ("fuzz.toml".to_owned(), Ok(text.to_owned())));
    let variables = pairs(layers.next().unwrap_or_default());
    let flags = pairs(layers.next().unwrap_or_default());
    let flags = flags.into_iter().map(|(path, value)| (format!("--set {path}"), path, value)).collect();
    let inputs = Inputs { file, variables, flags };
    match load(&inputs, &|_| Vec::new()) {
        Ok(loaded) => reads_back(&loaded),
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a problem");
            assert!(problems.iter().all(|problem| !problem.place.is_empty() && !problem.what.is_empty()));
        }
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    // Neither a variable nor a flag has an empty name.
    text.lines().filter_map(pair).filter(|(name, _)| !name.is_empty()).collect()
}

/// Every effective value, given as a flag, is the same effective value.
fn reads_back(loaded: &Loaded) {
    let given = loaded.entries.iter().filter(|entry| KEYS.iter().any(|key| key.path == entry.path));
    let flag = |entry: &crate::cli::Entry| Some(("--set".to_owned(), entry.path.clone(), entry.value.clone()?));
    let inputs = Inputs { flags: given.filter_map(flag).collect(), ..Inputs::default() };
    let again =
        load(&inputs, &|_| Vec::new()).unwrap_or_else(|problems| panic!("refused its own values: {problems:?}"));
    let values = |loaded: &Loaded| {
        let known = |entry: &&crate::cli::Entry| KEYS.iter().any(|key| key.path == entry.path);
        loaded.entries.iter().filter(known).map(|entry| entry.value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(loaded));
}
