//! Bad requests as bytes on a socket, each with the one answer that it must get.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::query::{Limits, Server};

const PATIENCE: Duration = Duration::from_secs(20);

/// What must come back.
#[derive(Debug, Clone)]
enum Expected {
    /// A problem with this status and type, whose text names this.
    Problem(u16, &'static str, &'static str),
    /// hyper's own answer, without a body; then the connection is closed.
    Bare(u16),
    /// No answer: the connection is closed.
    Closed,
}
use Expected::{Bare, Closed, Problem};

struct Case {
    request: Vec<u8>,
    expected: Expected,
}

fn case(request: impl AsRef<[u8]>, expected: Expected) -> Case {
    Case { request: request.as_ref().to_vec(), expected }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// A read of a row that is there, with these further header lines.
fn with_headers(lines: &str) -> String {
    format!("GET /v1/views/orders/o-1 HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
}

const UNKNOWN_PATHS: [&str; 38] = [
    "/",
    "/v1",
    "/v1/",
    "/v2/views",
    "/v1/views/",
    "//v1/views",
    "/v1//views",
    "/./v1/views",
    "/v1/./views",
    "/%76%31/views",
    "/v1%2Fviews",
    "/v1/views;x=1",
    "/v1/views\\orders",
    "/v1/views/orders/o-1/",
    "/v1/views/orders/o-1//route",
    "/v1/views/orders//o-1",
    "/v1/views/orders/o-1/routes",
    "/v1/views/orders/o-1/Route",
    "/v1/views/orders/o-1/route/",
    "/v1/views/orders/o-1/route/x",
    "/v1/views/orders/../orders/o-1",
    "/v1/views/orders/a/b",
    "/V1/VIEWS",
    "/v1/view",
    "/v1/tasks/0_1",
    "/v1/admin/drain",
    "/metrics/",
    "/livez/x",
    "/healthz",
    "/openapi.yaml",
    "/favicon.ico",
    "/robots.txt",
    "/.git/config",
    "/.env",
    "/wp-login.php",
    "/cgi-bin/../../../../etc/passwd",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "/v1/views/orders/o-1%3Fconsistency=any/x",
];

const UNKNOWN_VIEWS: [&str; 14] = [
    "/v1/views/nothing",
    "/v1/views/nothing/o-1",
    "/v1/views/nothing/o-1/route",
    "/v1/views/nothing?limit=0",
    "/v1/views/Orders/o-1",
    "/v1/views/orders%20/o-1",
    "/v1/views/orders%00/o-1",
    "/v1/views/orders%2Fo-1",
    "/v1/views/orders-store/o-1",
    "/v1/views/%ff/o-1",
    "/v1/views/%zz/o-1",
    "/v1/views/../tasks",
    "/v1/views/..%2f..%2fetc%2fpasswd",
    "/v1/views/%C3%B6rders",
];

/// The key, and what the problem says of it.
const KEYS: [(&str, &str); 24] = [
    ("orders/", "empty"),
    ("orders/%", "hexadecimal"),
    ("orders/%4", "hexadecimal"),
    ("orders/%4g", "hexadecimal"),
    ("orders/%zz", "hexadecimal"),
    ("orders/abc%", "hexadecimal"),
    ("orders/%+1", "hexadecimal"),
    ("orders/%u0041", "hexadecimal"),
    ("orders/%25%", "hexadecimal"),
    ("orders/%zz/route", "hexadecimal"),
    ("orders/%00", "NUL"),
    ("orders/a%00b", "NUL"),
    ("orders/%00/route", "NUL"),
    ("orders/%ff", "UTF-8"),
    ("orders/%c0%af", "UTF-8"),
    ("orders/%ed%a0%80", "UTF-8"),
    ("orders/%e2%82", "UTF-8"),
    ("orders/%f4%90%80%80", "UTF-8"),
    ("numbers/abc", "u64"),
    ("numbers/-1", "u64"),
    ("numbers/%201", "u64"),
    ("numbers/0x10", "u64"),
    ("numbers/18446744073709551616", "u64"),
    ("numbers/1.5/route", "u64"),
];

/// Parameters of a point read, and the one that the problem names.
const POINT_PARAMETERS: [(&str, &str); 21] = [
    ("wait=1", "wait"),
    ("max_lag_ms=5", "max_lag_ms"),
    ("Consistency=any", "Consistency"),
    ("=any", "unknown"),
    ("consistency%3Dany", "consistency%3Dany"),
    ("consistency", "consistency"),
    ("consistency=", "consistency"),
    ("consistency=STRONG", "strong, bounded or any"),
    ("consistency=any&consistency=any", "given twice"),
    ("consistency=bounded", "min_position"),
    ("consistency=%zz", "hexadecimal"),
    ("consistency=any;min_position=a-0:1", "consistency"),
    ("min_position=", "<topic>-<partition>:<offset>"),
    ("min_position=12", "min_position"),
    ("min_position=a-0", "min_position"),
    ("min_position=a-0:-1", "min_position"),
    ("min_position=a-0:1,", "min_position"),
    ("min_position=a-0:1;b-0:1", "min_position"),
    ("min_position=a-0:99999999999999999999", "min_position"),
    ("min_position=a-99999999999:1", "min_position"),
    ("min_position=%ff-0:1", "UTF-8"),
];

/// Parameters of a range, and what the problem names.
const RANGE_PARAMETERS: [(&str, &str); 27] = [
    ("limit=", "from 1 to 1000"),
    ("limit=0", "from 1 to 1000"),
    ("limit=-1", "limit"),
    ("limit=1001", "limit"),
    ("limit=1e3", "limit"),
    ("limit=1000000000", "limit"),
    ("limit=18446744073709551616", "limit"),
    ("limit=%2B5", "limit"),
    ("limit=0x10", "limit"),
    ("limit=5%00", "NUL"),
    ("limit=5&limit=5", "given twice"),
    ("Limit=5", "unknown"),
    ("offset=5", "unknown"),
    ("where=1%3D1", "unknown"),
    ("from=b&to=a", "behind"),
    ("from=", "from"),
    ("to=", "to"),
    ("prefix=", "prefix"),
    ("from=%f", "hexadecimal"),
    ("from=%ff", "UTF-8"),
    ("to=%00", "NUL"),
    ("prefix=a&from=a", "prefix"),
    ("prefix=a&to=a", "prefix"),
    ("from=a&from=b", "given twice"),
    ("prefix=%e2%82", "UTF-8"),
    ("cursor=a&cursor=a", "given twice"),
    ("consistency=any", "unknown"),
];

const CURSORS: [&str; 9] = [
    "",
    "!!",
    "AQ",
    "AQAAAAAAAAAAAAAAAA",
    "%41%51",
    "AQ%3D%3D",
    "../../etc/passwd",
    "AgAAAAAAAAAAAAAAAAAAAAA",
    "//////////////////////8",
];

fn target_cases() -> Vec<Case> {
    let problem = |target: &str, status, slug, names| case(get(target), Problem(status, slug, names));
    let mut cases = Vec::new();
    cases.extend(UNKNOWN_PATHS.map(|target| problem(target, 404, "unknown-path", "/openapi.json")));
    cases.extend(UNKNOWN_VIEWS.map(|target| problem(target, 404, "unknown-view", "\"orders\"")));
    cases.extend(KEYS.map(|(key, names)| problem(&format!("/v1/views/{key}"), 400, "bad-key", names)));
    let point = |(query, names)| problem(&format!("/v1/views/orders/o-1?{query}"), 400, "bad-parameter", names);
    cases.extend(POINT_PARAMETERS.map(point));
    let range = |(query, names)| problem(&format!("/v1/views/orders?{query}"), 400, "bad-parameter", names);
    cases.extend(RANGE_PARAMETERS.map(range));
    let cursor = |cursor| problem(&format!("/v1/views/orders?cursor={cursor}"), 400, "bad-cursor", "last page");
    cases.extend(CURSORS.map(cursor));
    for target in ["/v1/views", "/v1/tasks", "/v1/instances", "/v1/topology", "/v1/views/orders/o-1/route"] {
        cases.push(problem(&format!("{target}?verbose"), 400, "bad-parameter", "takes no parameters"));
    }
    let key = |bytes| format!("/v1/views/orders/{}", "k".repeat(bytes));
    let bounds = format!("/v1/views/orders/o-1?min_position={}", ["a-1:1"; 1001].join(","));
    cases.push(problem(&key(4097), 400, "bad-key", "4096"));
    cases.push(problem(&format!("/v1/views/orders?from={}", "k".repeat(4097)), 400, "bad-parameter", "4096"));
    cases.push(problem(&bounds, 400, "bad-parameter", "min_position"));
    cases.push(problem(&key(8192), 414, "uri-too-long", "8192"));
    cases.push(problem(&format!("/v1/views/orders?from={}", "k".repeat(8192)), 414, "uri-too-long", "8192"));
    cases.push(problem("/v1/views/numbers?prefix=25", 400, "bad-parameter", "prefix"));
    cases
}

fn method_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get", "PROPFIND"] {
        for target in ["/v1/views/orders/o-1", "/metrics"] {
            let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            cases.push(case(request, Problem(405, "method-not-allowed", "GET and HEAD")));
        }
    }
    let unknown = Problem(404, "unknown-path", "/openapi.json");
    cases.push(case("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", unknown.clone()));
    cases.push(case("GET * HTTP/1.1\r\nHost: x\r\n\r\n", unknown.clone()));
    cases.push(case("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", unknown.clone()));
    cases.push(case("GET / HTTP/1.0\r\n\r\n", unknown.clone()));
    // Lone line feeds are line ends (RFC 9112 section 2.2).
    cases.push(case("GET /x HTTP/1.1\nHost: x\n\n", unknown.clone()));
    cases.push(case("\r\n\r\nGET /after-empty-lines HTTP/1.1\r\nHost: x\r\n\r\n", unknown.clone()));
    // The absolute form is taken, whoever it names (RFC 9112 section 3.2.2); the authority form names no path.
    cases.push(case("GET http://example.org/x HTTP/1.1\r\nHost: example.org\r\n\r\n", unknown.clone()));
    cases.push(case("GET example.org HTTP/1.1\r\nHost: x\r\n\r\n", unknown.clone()));
    cases.push(case("CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", unknown));
    cases
}

fn header_cases() -> Vec<Case> {
    let many = |count: usize, bytes: usize| -> String {
        (0..count).map(|n| format!("x-{n}: {}\r\n", "y".repeat(bytes))).collect()
    };
    let too_large = || Problem(431, "headers-too-large", "64 headers and 16384 bytes");
    let bad_host = || Problem(400, "bad-host", "one Host header");
    let line = "GET /v1/views/orders/o-1 HTTP/1.1\r\n";
    let mut cases = vec![
        case(with_headers(&many(64, 1)), too_large()),
        case(with_headers(&many(99, 1)), too_large()),
        case(with_headers(&many(100, 1)), Bare(431)),
        case(with_headers(&many(1000, 1)), Bare(431)),
        case(with_headers(&many(1, 16_384)), too_large()),
        case(with_headers(&many(50, 400)), too_large()),
        case(with_headers(&format!("Cookie: {}\r\n", "c=1; ".repeat(4000))), too_large()),
        case(with_headers(&format!("{}: 1\r\n", "n".repeat(16_384))), too_large()),
        case(with_headers(&many(1, 33_000)), Bare(431)),
        case(with_headers(&many(90, 4000)), Bare(431)),
        case(get(&format!("/{}", "k".repeat(33_000))), Bare(431)),
        case(get(&format!("/{}", "k".repeat(200_000))), Bare(431)),
        case(format!("{line}\r\n"), bad_host()),
        case(format!("{line}Host: x\r\nHost: x\r\n\r\n"), bad_host()),
        case(format!("{line}Host: x\r\nHost: y\r\n\r\n"), bad_host()),
        case("GET /livez HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", bad_host()),
    ];
    for host in ["a b", "http://x", "x/y", "x?y", "x#y", "user@x", "[::1", "x,y z", "<x>", "%zz{"] {
        cases.push(case(format!("{line}Host: {host}\r\n\r\n"), bad_host()));
    }
    cases
}

fn body_cases() -> Vec<Case> {
    let unexpected = || Problem(400, "unexpected-body", "no body");
    let too_large = || Problem(413, "body-too-large", "65536");
    let post = |lines: &str| format!("POST /v1/views HTTP/1.1\r\nHost: x\r\n{lines}");
    let not_allowed = || Problem(405, "method-not-allowed", "GET and HEAD");
    let hidden = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    vec![
        case(with_headers("Content-Length: 1\r\n") + "x", unexpected()),
        case(with_headers("Content-Length: 5\r\n"), unexpected()),
        case(with_headers("Content-Length: 65536\r\n"), unexpected()),
        case(with_headers("Content-Length: 65537\r\n"), too_large()),
        case(with_headers("Content-Length: 1000000000000\r\n"), too_large()),
        case(with_headers("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", unexpected()),
        case(with_headers("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n", unexpected()),
        case(with_headers("Transfer-Encoding: chunked\r\n") + "zz\r\n", unexpected()),
        case(with_headers("Transfer-Encoding: chunked\r\n") + "ffffffffffffffffff\r\n", unexpected()),
        case(with_headers("Transfer-Encoding: gzip, chunked\r\n"), unexpected()),
        case(with_headers("Expect: 100-continue\r\nContent-Length: 10\r\n"), unexpected()),
        case(with_headers("Content-Encoding: gzip\r\nContent-Length: 3\r\n") + "\x1f\x0b\x08", unexpected()),
        // Nothing behind an unread body may pass for a request of its own.
        case(with_headers(&format!("Content-Length: {}\r\n", hidden.len())) + hidden, unexpected()),
        case(with_headers("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + hidden, unexpected()),
        case(post("Content-Length: 10\r\n\r\n0123456789"), not_allowed()),
        case(post("Content-Length: 65536\r\n\r\n"), not_allowed()),
        case(post("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"), not_allowed()),
        case(post("Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), not_allowed()),
        case(post("Content-Length: 65537\r\n\r\n"), too_large()),
        case(post("Expect: 100-continue\r\nContent-Length: 4294967296\r\n\r\n"), too_large()),
    ]
}

fn syntax_cases() -> Vec<Case> {
    let lines = [
        "bad header\r\n",
        ": 1\r\n",
        "x : 1\r\n",
        " x: 1\r\n",
        "x: a\r\n folded\r\n",
        "x: a\0b\r\n",
        "x: a\rb\r\n",
        "x\0y: 1\r\n",
        "x(y): 1\r\n",
        "x: \x7f\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: five\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: nonsense\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: xchunked\r\n",
    ];
    let starts: [&[u8]; 23] = [
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.2\r\n\r\n",
        b"GET / http/1.1\r\n\r\n",
        b"GET / FTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\n\r\n",
        b"GET /<script> HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET foo/bar HTTP/1.1\r\nHost: x\r\n\r\n",
        b"G@T / HTTP/1.1\r\n\r\n",
        b"GET\0 / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"{\"method\": \"GET\"}\r\n\r\n",
        b"\0\0\0\x1a\0\x12\0\x03\0\0\0\x01\0\x04test",
        b"\xff\xfe\xfd\xfc\r\n\r\n",
        b"<?xml version=\"1.0\"?>\r\n\r\n",
    ];
    let lines = lines.iter().map(|line| case(with_headers(line), Bare(400)));
    lines.chain(starts.iter().map(|start| case(start, Bare(400)))).collect()
}

/// The client closes its side after these.
fn unfinished_cases() -> Vec<Case> {
    let unfinished: [&[u8]; 12] = [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"G",
        b"GET",
        b"GET /",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: x",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ];
    unfinished.iter().map(|request| case(request, Closed)).collect()
}

/// Cursors that are good for another request.
fn foreign_cursor_cases(address: SocketAddr) -> Vec<Case> {
    let page = ask(address, get("/v1/views/orders?from=a&limit=1").as_bytes());
    let (_, body) = page.split_once("\r\n\r\n").unwrap();
    let cursor = serde_json::from_str::<Value>(body).unwrap()["cursor"].as_str().unwrap().to_owned();
    let others =
        ["numbers?from=1&", "numbers?", "orders?", "orders?from=b&", "orders?prefix=o&", "orders?from=a&to=b&"];
    let tampered = format!("orders?from=a&cursor={}", cursor.to_ascii_lowercase());
    let cut = format!("orders?from=a&cursor={}", &cursor[..cursor.len() - 2]);
    let others = others.map(|other| format!("{other}cursor={cursor}"));
    let refused = |target: String| case(get(&format!("/v1/views/{target}")), Problem(400, "bad-cursor", "last page"));
    others.into_iter().chain([tampered, cut]).map(refused).collect()
}

/// Sends `request`, closes the sending side, and returns what comes until the server closes.
fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // The server may answer and close before it has taken everything.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server did not close: {error}"),
    }
    String::from_utf8(answer).unwrap()
}

/// Why `answer` is not what was expected.
fn mismatch(expected: &Expected, answer: &str) -> Option<String> {
    let starts = answer.matches("HTTP/1.").count();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status: Option<u16> = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let wanted = match expected {
        Closed => return (!answer.is_empty()).then(|| "an answer".to_owned()),
        Bare(wanted) | Problem(wanted, ..) => *wanted,
    };
    if starts != 1 || status != Some(wanted) {
        return Some(format!("{starts} answers, status {status:?}"));
    }
    let Problem(_, slug, names) = expected else {
        return (!body.is_empty() || !head.contains("connection: close")).then(|| "not a bare refusal".to_owned());
    };
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let detail = format!("{} {} {}", problem["detail"], problem["parameter"], problem["views"]);
    let complete = head.contains("content-type: application/problem+json")
        && head.contains("thalweg-served-by: a")
        && problem["status"] == wanted
        && problem["type"] == format!("urn:thalweg:problem:{slug}")
        && problem["title"].is_string()
        && detail.contains(names);
    (!complete).then(|| "another problem".to_owned())
}

#[test]
fn every_bad_request_has_its_one_answer_and_readers_go_on() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = World::new().with_orders(&[("o-1", json!({"phone": "secret"})), ("o-2", json!(2)), ("o-3", json!(3))]);
    for partition in 0..PARTITIONS {
        let task = TaskId::new(1, partition);
        world.owned_by(task, 0).with(task, Role::Active, reader_at(partition));
    }
    let server = {
        let _entered = runtime.enter();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server::start(runtime.handle(), listener, world.router(), Limits::default(), Arc::clone(&world.metrics))
            .unwrap()
    };
    let address = server.address();
    let cases: Vec<Case> = [
        target_cases(),
        method_cases(),
        header_cases(),
        body_cases(),
        syntax_cases(),
        unfinished_cases(),
        foreign_cursor_cases(address),
    ]
    .into_iter()
    .flatten()
    .collect();
    let distinct: BTreeSet<&[u8]> = cases.iter().map(|case| case.request.as_slice()).collect();
    assert_eq!(distinct.len(), cases.len(), "each request is there once");
    assert!(cases.len() >= 200, "{} cases", cases.len());
    println!("{} cases", cases.len());

    let mut wrong = Vec::new();
    for Case { request, expected } in &cases {
        let answer = ask(address, request);
        let good = ask(address, get("/v1/views/orders/o-1").as_bytes());
        let shown = String::from_utf8_lossy(&request[..request.len().min(90)]).into_owned();
        assert!(good.starts_with("HTTP/1.1 200 OK\r\n") && good.contains("secret"), "after {shown:?}: {good}");
        if let Some(reason) = mismatch(expected, &answer) {
            wrong.push(format!("{shown:?}\n  expected {expected:?}, got {reason}: {answer:?}"));
        }
        assert!(!answer.contains("secret"), "no content of a row: {shown:?}");
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let metrics = ask(address, get("/metrics").as_bytes());
    assert!(!metrics.contains("status=\"5"), "no failure of the server: {metrics}");
}

#[test]
fn garbage_behind_a_good_request_costs_only_the_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let router = World::new().with_orders(&[("o-1", json!(1))]).router();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(runtime.handle(), listener, router, Limits::default(), Metrics::new().unwrap()).unwrap();
    let good = get("/v1/views/orders/o-1");
    for garbage in ["\0\0\0", "GET", "\r\n\r\n\r\n", "xyzzy\r\n\r\n", "GET / HTTP/7\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]
    {
        let answer = ask(server.address(), format!("{good}{good}{garbage}{good}").as_bytes());
        assert!(answer.matches("HTTP/1.1 200 OK").count() >= 2, "the requests before {garbage:?}: {answer}");
        let rest = answer.rsplit("HTTP/1.1 ").next().unwrap();
        // Empty lines are skipped, and `GETGET` is a method.
        assert!(["400 ", "405 ", "200 OK"].iter().any(|start| rest.starts_with(start)), "{garbage:?}: {answer}");
    }
}
