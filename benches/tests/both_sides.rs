//! The whole benchmark once, small: both sides run, every answer is compared, the last line is JSON.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;

#[test]
#[ignore = "long: a broker, a compiler and Kafka Streams, about 20 s"]
fn both_sides_count_alike() {
    let line = ["streams", "--records", "20000", "--keys", "1000", "--rounds", "1", "--topology", "count"];
    let options = ["--cache-max-bytes", "0", "--commit-interval-ms", "100", "--json"];
    let output = Command::new(env!("CARGO_BIN_EXE_streams-bench")).args(line).args(options).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let case = &json["cases"][0];
    assert_eq!((&case["topology"], &case["cache_max_bytes"]), (&"count".into(), &0.into()));
    for side in ["ours", "kafka_streams"] {
        let rounds = case[side]["rounds"].as_array().unwrap();
        assert_eq!(rounds.len(), 1, "{side}");
        assert!(rounds[0]["cpu_seconds"].as_f64().unwrap() > 0.0, "{side}: {case}");
        assert!(rounds[0]["records"].as_u64().unwrap() > 0, "{side}: {case}");
    }
    assert_eq!(json["wrong"], Value::Array(Vec::new()));
}
