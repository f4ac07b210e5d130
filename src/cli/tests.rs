//! The whole way from file, environment and flags to settings or mistakes.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::key::{Default, variable};
use super::*;
use crate::dsl::{Consumed, Produced};
use crate::serde::BytesSerde;

fn file(text: &str) -> Option<(String, Result<String, String>)> {
    Some(("app.toml".to_owned(), Ok(text.to_owned())))
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn set(path: &str, value: &str) -> (String, String, String) {
    (format!("--set {path}"), path.to_owned(), value.to_owned())
}

const LEAST: &str = "application.id = 'orders'\nkafka.bootstrap_servers = 'localhost:9092'\n";

fn accept(inputs: &Inputs) -> Loaded {
    load(inputs, &|_| Vec::new()).unwrap_or_else(|problems| panic!("{}", report(&problems)))
}

fn refuse(inputs: &Inputs) -> Vec<String> {
    load(inputs, &|_| Vec::new()).unwrap_err().iter().map(ToString::to_string).collect()
}

fn entry(loaded: &Loaded, path: &str) -> Entry {
    loaded.entries.iter().find(|entry| entry.path == path).unwrap().clone()
}

#[test]
fn defaults_are_as_documented() {
    let settings = accept(&Inputs { file: file(LEAST), ..Inputs::default() }).settings;
    assert_eq!(
        settings.application,
        Application {
            id: "orders".into(),
            state_dir: "state".into(),
            stream_threads: 1,
            commit_interval: Duration::from_secs(1),
            state_memory_bytes: 256 << 20,
            statestore_cache_max_bytes: 10 << 20,
            bad_records: BadRecords::DeadLetter("orders.dlq".into()),
            replication_factor: -1,
            max_task_idle: Some(Duration::ZERO),
            input_buffer_max_bytes: 512 << 20,
            timestamp_ahead_max: Duration::from_secs(3600),
        }
    );
    assert_eq!(
        settings.kafka.group,
        Group {
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            instance_id: None,
        }
    );
    assert_eq!(settings.schema_registry, None);
    assert_eq!(settings.http.bind, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(settings.log, Log { filter: "info".into(), format: LogFormat::Auto });
    assert_eq!(settings.tracing, Tracing { otlp_endpoint: None, service_name: "orders".into() });
}

#[test]
fn variables_that_other_programs_know_beat_the_file_and_are_beaten_by_ours() {
    let text = format!("{LEAST}tracing.otlp_endpoint = 'http://file'\ntracing.service_name = 'file'\n");
    let mut inputs = Inputs { file: file(&text), ..Inputs::default() };
    let tracing = |inputs: &Inputs| {
        let Tracing { otlp_endpoint, service_name } = accept(inputs).settings.tracing;
        (otlp_endpoint.unwrap_or_default(), service_name)
    };
    assert_eq!(tracing(&inputs), ("http://file".into(), "file".into()));
    inputs.variables = pairs(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://common"), ("OTEL_SERVICE_NAME", "common")]);
    assert_eq!(tracing(&inputs), ("http://common".into(), "common".into()));
    assert_eq!(entry(&accept(&inputs), "tracing.service_name").source, Source::Environment);
    inputs.variables.extend(pairs(&[("THALWEG__TRACING__OTLP_ENDPOINT", "http://ours")]));
    assert_eq!(tracing(&inputs), ("http://ours".into(), "common".into()));
    inputs.variables = pairs(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")]);
    let wrong = "OTEL_EXPORTER_OTLP_ENDPOINT: \"collector:4317\" is not a URL such as http://localhost:8081";
    assert_eq!(refuse(&inputs), [wrong]);
}

#[test]
fn every_default_is_a_value_of_its_kind() {
    for key in KEYS {
        if let Default::Is(text) = key.default {
            assert!(key.kind.read(text).is_some(), "{}", key.path);
        }
    }
}

/// Two values of each kind, of which no default is one, and the same as TOML.
fn samples(kind: Kind) -> [(String, String); 3] {
    let quoted = |text: &str| (text.to_owned(), format!("{text:?}"));
    match kind {
        Kind::Text | Kind::Name(_) | Kind::Path => ["one", "two", "three"].map(quoted),
        Kind::Integer(least, _) => [7, 8, 9].map(|more| {
            let number = (least + more).to_string();
            (number.clone(), number)
        }),
        Kind::Choice(words) => [0, 1, 0].map(|word| quoted(words[word])),
        Kind::Listen => ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(quoted),
        Kind::Address | Kind::Addresses => ["a:1", "b:2", "c:3"].map(quoted),
        Kind::Url => ["http://a", "http://b", "http://c"].map(quoted),
        Kind::LogFilter => ["warn", "debug", "error"].map(quoted),
    }
}

/// What a key needs beside it so that no rule is broken.
fn company(path: &str) -> &'static str {
    match path {
        "schema_registry.user" => "schema_registry.password = 'p'\nschema_registry.url = 'http://r'\n",
        "schema_registry.password" => "schema_registry.user = 'u'\nschema_registry.url = 'http://r'\n",
        "kafka.group.session_timeout_ms" => "kafka.group.heartbeat_interval_ms = 1\n",
        "kafka.group.rebalance_timeout_ms" => "application.commit_interval_ms = 1\n",
        _ => "",
    }
}

#[test]
fn every_key_is_set_in_all_three_ways_and_flag_beats_environment_beats_file() {
    for key in KEYS {
        let [(in_file, toml), (in_variable, _), (in_flag, _)] = samples(key.kind);
        let others: String =
            LEAST.lines().filter(|line| !line.starts_with(key.path)).map(|line| format!("{line}\n")).collect();
        let text = format!("{others}{}{} = {toml}\n", company(key.path), key.path);
        let mut inputs = Inputs { file: file(&text), ..Inputs::default() };
        let expect = |inputs: &Inputs, value: String, source| {
            let value = Some(if key.secret { "***".to_owned() } else { value });
            let expected = Entry { path: key.path.to_owned(), value, source };
            assert_eq!(entry(&accept(inputs), key.path), expected, "{}", key.path);
        };
        expect(&inputs, in_file, Source::File);
        inputs.variables = vec![(key.variable(), in_variable.clone())];
        expect(&inputs, in_variable, Source::Environment);
        inputs.flags = vec![set(key.path, &in_flag)];
        expect(&inputs, in_flag.clone(), Source::Flag);
        if let Some(flag) = key.flag {
            let arguments = ["app", "serve", &format!("--{flag}"), &in_flag].map(str::to_owned);
            let Command::Serve(options) = parse("app", "about", &arguments).unwrap().command else { panic!("serve") };
            inputs.flags = options.flags;
            expect(&inputs, in_flag, Source::Flag);
        }
    }
}

#[test]
fn client_settings_pass_through_by_their_names() {
    let text = format!(
        "{LEAST}[kafka.common]\n'socket.timeout.ms' = 1\nsocket.keepalive.enable = true\n[kafka.consumer]\n'fetch.wait.max.ms' = '5'\n"
    );
    let inputs = Inputs {
        file: file(&text),
        variables: pairs(&[("THALWEG__KAFKA__COMMON__SOCKET_TIMEOUT_MS", "2")]),
        flags: vec![set("kafka.producer.linger.ms", "3")],
    };
    let kafka = accept(&inputs).settings.kafka;
    let map = |settings: &[(&str, &str)]| pairs(settings).into_iter().collect::<std::collections::BTreeMap<_, _>>();
    assert_eq!(kafka.common, map(&[("socket.keepalive.enable", "true"), ("socket.timeout.ms", "2")]));
    assert_eq!(kafka.consumer, map(&[("fetch.wait.max.ms", "5")]));
    assert_eq!(kafka.producer, map(&[("linger.ms", "3")]));
}

#[test]
fn many_mistakes_are_all_told_at_once() {
    let text = "
        [application]
        id = 'my orders'
        stream_threads = '2'
        comit_interval_ms = 100
        deserialization_policy = 'dead-letter'
        replication_factor = 0
        [kafka]
        session_timeout_ms = 1
        consumer = { 'fetch.min.bytes' = [1] }
        group = { heartbeat_interval_ms = 20000 }
        [http]
        bind = '0.0.0.0:8080'
        [schema_registry]
        user = 'u'
    ";
    let inputs = Inputs {
        file: file(text),
        variables: pairs(&[
            ("THALWEG__HTTP__HEADER_READ_TIMEOUT_MS", "-1"),
            ("THALWEG__APPLICATION__STATEDIR", "x"),
            ("THALWEG__SCHEMA_REGISTRY__PASSWORD", ""),
        ]),
        flags: vec![set("log.fromat", "json"), set("log.format", "jsn")],
    };
    let check = |_: &Settings| vec![Problem::new("kafka.consumer.x", "from the check")];
    let problems: Vec<_> = load(&inputs, &check).unwrap_err().iter().map(ToString::to_string).collect();
    let expected = [
        "app.toml: application.comit_interval_ms: there is no such key; did you mean application.commit_interval_ms?",
        "app.toml: application.deserialization_policy: \"dead-letter\" is not one of dead_letter, skip, fail; did you mean \"dead_letter\"?",
        "app.toml: application.id: \"my orders\" is not letters, digits, '.', '_' and '-', at most 120",
        "app.toml: application.stream_threads: \"2\" is not a whole number from 1 to 512; write 2 without quotes",
        "app.toml: kafka.consumer.fetch.min.bytes: array is not a text, a number or a boolean",
        "app.toml: kafka.session_timeout_ms: there is no such key; did you mean kafka.group.session_timeout_ms?",
        "THALWEG__HTTP__HEADER_READ_TIMEOUT_MS: \"-1\" is not a whole number from 1 to 600000",
        "THALWEG__APPLICATION__STATEDIR: there is no such key; did you mean THALWEG__APPLICATION__STATE_DIR?",
        "THALWEG__SCHEMA_REGISTRY__PASSWORD: the value is not text",
        "--set log.fromat: there is no such key; did you mean log.format?",
        "--set log.format: \"jsn\" is not one of auto, text, json; did you mean \"json\"?",
        "kafka.bootstrap_servers: is required; set it in the file, as THALWEG__KAFKA__BOOTSTRAP_SERVERS or --bootstrap-servers",
        "app.toml: kafka.group.heartbeat_interval_ms: kafka.group.heartbeat_interval_ms must be at most a third of kafka.group.session_timeout_ms, or one lost heartbeat ends the membership; lower it, or raise kafka.group.session_timeout_ms",
        "app.toml: application.replication_factor: application.replication_factor must not be 0: a topic without copies does not exist; write -1 for the broker's default, or 1 and more",
        "app.toml: http.bind: http.advertised is required when http.bind is every address: other instances must know one; set it to host:port as other instances reach this one",
        "app.toml: schema_registry.user: schema_registry.url is required when schema_registry.user is set; set schema_registry.url",
        "kafka.consumer.x: from the check",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_problem_of_the_check_stands_where_the_value_was_given() {
    let check = |settings: &Settings| {
        let names = settings.kafka.consumer.keys();
        names.map(|name| Problem::new(format!("kafka.consumer.{name}"), "no such setting")).collect()
    };
    let inputs = Inputs {
        file: file(LEAST),
        variables: pairs(&[("THALWEG__KAFKA__CONSUMER__FETCH_MIN", "1")]),
        ..Inputs::default()
    };
    let problems = load(&inputs, &check).unwrap_err();
    assert_eq!(problems, [Problem::new("THALWEG__KAFKA__CONSUMER__FETCH_MIN", "no such setting")]);
}

#[test]
fn a_file_that_is_no_toml_is_one_mistake_beside_the_others() {
    let broken = "[application]\nid = 'a'\nid = 'secret'\n";
    let problems = refuse(&Inputs { file: file(broken), flags: vec![set("x", "y")], ..Inputs::default() });
    assert_eq!(problems[0], "app.toml: line 3: not TOML: duplicate key id; keep one of the lines");
    assert_eq!(problems.len(), 3, "the broker's address and the unknown flag: {problems:?}");
    let missing = Inputs { file: Some(("app.toml".into(), Err("not found".into()))), ..Inputs::default() };
    assert_eq!(refuse(&missing)[0], "app.toml: cannot be read: not found");
}

#[test]
fn a_line_that_is_no_toml_hides_no_other_mistake() {
    let text = "[application]\nid = hunter2\nstream_threads = 0\n[kafka\n[http]\nbind = 'x'\n";
    let problems = refuse(&Inputs { file: file(text), ..Inputs::default() });
    assert!(problems[0].starts_with("app.toml: line 2: not TOML: "), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.starts_with("app.toml: line 4: not TOML: ")), "{problems:?}");
    let rest =
        ["application.stream_threads: 0 is not", "http.bind: \"x\" is not", "kafka.bootstrap_servers: is required"];
    for wrong in rest {
        assert!(problems.iter().any(|problem| problem.contains(wrong)), "{wrong} in {problems:?}");
    }
    assert_eq!(problems.len(), 5, "the key of a broken line is not missing: {problems:?}");
    assert!(problems.iter().all(|problem| !problem.contains("hunter2")), "{problems:?}");
}

#[test]
fn what_a_broken_file_leaves_of_a_time_is_told() {
    let problems = refuse(&Inputs { file: file("[ka.\n[http]\nbind = 0:\n"), ..Inputs::default() });
    let told = problems.iter().any(|problem| problem.contains("http.bind: a value of type datetime is not an IP"));
    assert!(told, "{problems:?}");
}

#[test]
fn a_number_with_a_unit_is_answered_with_the_number() {
    let told = |path: &str, value: &str| {
        refuse(&Inputs { file: file(LEAST), flags: vec![set(path, value)], ..Inputs::default() })
    };
    let suggestion = |path: &str, value: &str| told(path, value)[0].split_once("; ").map(|(_, text)| text.to_owned());
    let number = |number: i64| Some(format!("write {number}, the name of the key says its unit"));
    assert_eq!(suggestion("application.commit_interval_ms", "5s"), number(5_000));
    assert_eq!(suggestion("application.commit_interval_ms", "2 min"), number(120_000));
    assert_eq!(suggestion("application.state_memory_bytes", "64MiB"), number(64 << 20));
    assert_eq!(suggestion("application.state_memory_bytes", "1 KB"), None, "below the least");
    assert_eq!(suggestion("application.stream_threads", "2s"), None, "the name says no unit");
    assert_eq!(suggestion("application.commit_interval_ms", "99999999999999999h"), None);
}

#[test]
fn a_wrong_value_is_told_even_when_a_stronger_one_hides_it() {
    let text = format!("{LEAST}application.stream_threads = 0\n");
    let inputs = Inputs { file: file(&text), flags: vec![set("application.stream_threads", "2")], ..Inputs::default() };
    assert_eq!(refuse(&inputs), ["app.toml: application.stream_threads: 0 is not a whole number from 1 to 512"]);
}

#[test]
fn secrets_are_never_printed() {
    let text = format!(
        "{LEAST}schema_registry.url = 'http://r'\nschema_registry.user = 'u'\nschema_registry.password = 'hunter2'\n\
         kafka.common.'sasl.password' = 'hunter2'\nkafka.common.'ssl.key.pem' = 'hunter2'\n"
    );
    let loaded = accept(&Inputs { file: file(&text), ..Inputs::default() });
    let registry = loaded.settings.schema_registry.as_ref().unwrap();
    assert_eq!(registry.credentials.as_ref().unwrap().password, "hunter2");
    let shown = effective(&loaded.entries);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("\npassword = \"***\" # file\n") && shown.contains("\"sasl.password\" = \"***\" # file\n"));
    assert!(!format!("{registry:?}").contains("hunter2"));
    let wrong = Inputs { file: file("schema_registry.password = 42\n"), ..Inputs::default() };
    assert!(refuse(&wrong).iter().all(|problem| !problem.contains("42")));
}

#[test]
fn the_effective_configuration_reads_back() {
    let text = format!("{LEAST}application.stream_threads = 3\nlog.filter = 'a=\"b'\nkafka.common.'x.y' = 1\n")
        .replace("a=\"b", "info,thalweg=debug");
    let loaded = accept(&Inputs { file: file(&text), ..Inputs::default() });
    let shown = effective(&loaded.entries);
    assert!(shown.starts_with("[application]\nid = \"orders\" # file\nstate_dir = \"state\" # default\n"), "{shown}");
    assert_eq!(accept(&Inputs { file: file(&shown), ..Inputs::default() }).settings, loaded.settings);
}

#[test]
fn the_flag_typed_last_wins() {
    let bind = |first: &str, second: &str| {
        let arguments = ["app", "config", "--config", "f", first, second].map(str::to_owned);
        let Command::Config(options) = parse("app", "about", &arguments).unwrap().command else { panic!("config") };
        assert_eq!(options.file.as_deref(), Some("f"));
        let inputs = Inputs { file: file(LEAST), flags: options.flags, ..Inputs::default() };
        accept(&inputs).settings.http.bind.port()
    };
    assert_eq!(bind("--set=http.bind=127.0.0.1:1", "--http-bind=127.0.0.1:2"), 2);
    assert_eq!(bind("--http-bind=127.0.0.1:2", "--set=http.bind=127.0.0.1:1"), 1);
}

type Pairs = Vec<(String, String)>;

/// Whatever the inputs are: settings or mistakes, never a panic.
#[test]
fn random_inputs_do_no_harm() {
    use proptest::prelude::*;
    let path = || {
        let known = KEYS.iter().map(|key| key.path.to_owned()).collect::<Vec<_>>();
        prop_oneof![prop::sample::select(known), "[a-z.]{0,12}", "kafka\\.common\\.[a-z.]{0,5}", any::<String>()]
    };
    let value = || prop_oneof!["-?[0-9]{1,20}", "[a-z0-9.:/,@\\[\\]-]{0,12}", any::<String>()];
    let toml = prop_oneof![
        Just("1".to_owned()),
        Just("[1]".into()),
        Just("{a = 1}".into()),
        Just("1979-05-27".into()),
        value()
    ];
    let lines = prop::collection::vec((path(), toml), 0..4);
    let variables = prop::collection::vec((path(), value()), 0..3);
    let flags = prop::collection::vec((path(), value()), 0..3);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let check = |(lines, variables, flags): (Pairs, Pairs, Pairs)| {
        let text: String = lines.iter().map(|(path, value)| format!("{path} = {value}\n")).collect();
        let inputs = Inputs {
            file: file(&text),
            variables: variables.iter().map(|(path, value)| (variable(path), value.clone())).collect(),
            flags: flags.iter().map(|(path, value)| set(path, value)).collect(),
        };
        match load(&inputs, &|_| Vec::new()) {
            Ok(loaded) => prop_assert!(!loaded.settings.application.id.is_empty()),
            Err(problems) => {
                prop_assert!(problems.iter().all(|problem| !problem.place.is_empty() && !problem.what.is_empty()))
            }
        }
        Ok(())
    };
    runner.run(&(lines, variables, flags), check).unwrap();
}

#[test]
fn a_command_line_that_is_not_understood_exits_with_64() {
    let run = |arguments: &[&str]| {
        let arguments: Vec<_> = std::iter::once("app").chain(arguments.iter().copied()).map(str::to_owned).collect();
        parse("app", "about", &arguments)
    };
    for text in [&["topology"][..], &["topology", "--text"], &["describe"]] {
        assert_eq!(run(text).unwrap().command, Command::Topology(GraphForm::Text), "{text:?}");
    }
    assert_eq!(run(&["topology", "--dot"]).unwrap().command, Command::Topology(GraphForm::Dot));
    let status = |url: &str| Command::Status { url: url.to_owned() };
    assert_eq!(run(&["status"]).unwrap().command, status("http://127.0.0.1:8080"));
    assert_eq!(run(&["status", "--url", "http://a:1"]).unwrap().command, status("http://a:1"));
    let wrong: [&[&str]; 6] = [
        &["serv"],
        &[],
        &["serve", "--nonsense"],
        &["serve", "extra"],
        &["serve", "--config"],
        &["topology", "--text", "--dot"],
    ];
    for wrong in wrong {
        assert_eq!(run(wrong).unwrap_err().exit, USAGE, "{wrong:?}");
    }
    let help = run(&["serve", "--help"]).unwrap_err();
    assert_eq!(help.exit, OK);
    for key in KEYS {
        assert!(help.text.contains(key.path) && help.text.contains(key.meaning), "{}", key.path);
    }
}

#[test]
fn only_an_application_with_avro_needs_a_registry() {
    let recipes = |describe| recipes(App { name: "app", about: "", describe }, "app", None);
    let plain = recipes(Describe::Plain(|builder| {
        builder
            .stream::<Vec<u8>, Vec<u8>, _, _>("in", Consumed::with(BytesSerde, BytesSerde))
            .to("out", Produced::with(BytesSerde, BytesSerde));
    }));
    assert!(plain.unwrap().registry.is_none());
    let error = recipes(Describe::Avro(|_, _| Ok(()))).err().unwrap();
    assert_eq!(
        error.to_string(),
        "schema_registry.url is not set, and this application's records are Avro; set it in the file, as \
         THALWEG__SCHEMA_REGISTRY__URL or --schema-registry"
    );
    assert_eq!(error.exit(), USAGE);
}

#[test]
fn the_table_names_every_key_once() {
    let table = table();
    for key in KEYS {
        assert_eq!(table.lines().filter(|line| line.starts_with(&format!("| `{}`", key.path))).count(), 1);
        assert_eq!(KEYS.iter().filter(|other| other.variable() == key.variable()).count(), 1);
    }
    assert_eq!(table.lines().count(), 2 + KEYS.len() + PASSTHROUGH.len());
    assert_eq!(variable("kafka.group.instance_id"), "THALWEG__KAFKA__GROUP__INSTANCE_ID");
}

#[test]
fn the_readme_holds_the_table_of_all_keys() {
    let readme = include_str!("../../README.md");
    let (_, begun) = readme.split_once("<!-- keys: begin, written by thalweg::cli::table() -->\n").unwrap();
    let (found, _) = begun.split_once("<!-- keys: end -->").unwrap();
    assert_eq!(found.trim(), table().trim(), "put the right side between the comments");
}

/// The documentation of `dsl` holds it as a doctest; hidden lines aside, the README shows the same.
#[test]
fn the_example_of_the_readme_is_one_that_runs() {
    let docs = include_str!("../dsl/mod.rs").lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = docs.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let example: Vec<&str> = lines.split(|line| *line == "```").nth(1).unwrap().to_vec();
    let shown: String = example.iter().filter(|line| !line.starts_with("# ")).map(|line| format!("{line}\n")).collect();
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("```rust\n{shown}```\n")), "the README must show:\n{shown}");
}
