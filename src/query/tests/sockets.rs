use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::get;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;

use super::*;
use crate::query::{Limits, Server, Stopped};

/// Long enough to be no flake, short enough to fail a hanging test.
const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn serve(handle: &Handle, router: Router, limits: Limits) -> Server {
    counted(handle, router, limits, &Metrics::new().unwrap())
}

fn counted(handle: &Handle, router: Router, limits: Limits, metrics: &Arc<Metrics>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Server::start(handle, listener, router, limits, Arc::clone(metrics)).unwrap()
}

fn orders(handle: &Handle, limits: Limits) -> Server {
    let _entered = handle.enter();
    serve(handle, World::new().with_orders(&[("o-1", json!(1))]).router(), limits)
}

fn quick() -> Limits {
    Limits { header_read_timeout: Duration::from_millis(150), ..Limits::default() }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything until the server closes; a reset counts as closed.
fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server did not close: {error}"),
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    read_all(&mut stream)
}

const READ: &[u8] = b"GET /v1/views/orders/o-1 HTTP/1.1\r\nHost: x\r\n";

#[test]
fn slow_headers_are_cut() {
    let runtime = runtime();
    let server = orders(runtime.handle(), quick());
    let started = Instant::now();
    let answer = ask(server.address(), READ);
    assert!(!answer.contains("200 OK"), "{answer}");
    assert!(started.elapsed() >= Duration::from_millis(150) && started.elapsed() < PATIENCE);
}

#[test]
fn headers_that_trickle_are_cut_although_bytes_keep_coming() {
    let runtime = runtime();
    let server = orders(runtime.handle(), quick());
    let mut stream = connect(server.address());
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let started = Instant::now();
    stream.write_all(READ).unwrap();
    // The read timeout paces the writes; the loop ends when the server has closed.
    while started.elapsed() < PATIENCE {
        let closed = matches!(stream.read(&mut [0; 1024]), Ok(0))
            || stream.write_all(b"x: y\r\n").is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock);
        if closed {
            return;
        }
    }
    panic!("the server kept a connection whose headers never end");
}

#[test]
fn idle_connections_are_closed() {
    let runtime = runtime();
    let server = orders(runtime.handle(), quick());
    assert_eq!(ask(server.address(), b""), "", "silent from the start");
    let answer = ask(server.address(), &[READ, b"\r\n"].concat());
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "answered, then closed: {answer}");
}

#[test]
fn a_half_closed_connection_still_gets_its_answer() {
    let runtime = runtime();
    let server = orders(runtime.handle(), Limits::default());
    let mut stream = connect(server.address());
    stream.write_all(&[READ, b"\r\n"].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = read_all(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"key\":\"o-1\""), "{answer}");

    let mut stream = connect(server.address());
    stream.write_all(READ).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let started = Instant::now();
    assert!(!read_all(&mut stream).contains("200 OK"), "half a request is none");
    assert!(started.elapsed() < Limits::default().header_read_timeout, "and does not wait for the timeout");
}

#[test]
fn floods_of_body_bytes_are_refused_and_cut() {
    let runtime = runtime();
    let server = orders(runtime.handle(), Limits::default());
    let announced = b"GET /v1/views/orders/o-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
    let answer = ask(server.address(), announced);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body-too-large"), "{answer}");

    let mut stream = connect(server.address());
    stream.write_all(&[READ, b"Transfer-Encoding: chunked\r\n\r\n"].concat()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
    let taken = (0..2000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(taken < 500, "{taken} chunks of 64 KiB were taken");
}

#[test]
fn broken_requests_are_refused_and_others_go_on() {
    let runtime = runtime();
    let server = orders(runtime.handle(), Limits::default());
    let many: Vec<u8> = (0..101).flat_map(|n| format!("x-{n}: 1\r\n").into_bytes()).collect();
    let large = [b"x: ".as_slice(), &[b'y'; 40_000], b"\r\n"].concat();
    let long = [b"GET /".as_slice(), &[b'k'; 70_000], b" HTTP/1.1\r\n\r\n"].concat();
    let cases: [(&[u8], &str); 13] = [
        (&[READ, &many, b"\r\n"].concat(), "HTTP/1.1 431 "),
        (&[READ, &large, b"\r\n"].concat(), "HTTP/1.1 431 "),
        (&long, "HTTP/1.1 4"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: nonsense\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nx: a\r\n folded\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET /\x01 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\nx: a\0b\r\n\r\n", "HTTP/1.1 400 "),
        (b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 4"),
    ];
    for (request, expected) in cases {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        let mut stream = connect(server.address());
        // The server may close before it has taken everything.
        let _ = stream.write_all(request);
        let answer = read_all(&mut stream);
        assert!(answer.starts_with(expected), "{shown}: {answer}");
        let good = ask(server.address(), &[READ, b"Connection: close\r\n\r\n"].concat());
        assert!(good.starts_with("HTTP/1.1 200 OK\r\n"), "after {shown}: {good}");
    }
}

/// Waits until the scrape has this line.
fn wait_for(metrics: &Metrics, line: &str) {
    let started = Instant::now();
    loop {
        let text = String::from_utf8(metrics.text(&[])).unwrap();
        if text.lines().any(|found| found == line) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "no `{line}` in:\n{text}");
        std::thread::yield_now();
    }
}

#[test]
fn connections_are_counted_while_they_are_open() {
    let (runtime, metrics) = (runtime(), Metrics::new().unwrap());
    let server = counted(runtime.handle(), large(1), Limits::default(), &metrics);
    let mut streams: Vec<TcpStream> = Vec::new();
    for open in 1..=3 {
        streams.push(connect(server.address()));
        wait_for(&metrics, &format!("thalweg_http_connections {open}"));
    }
    for open in (0..3).rev() {
        streams.pop();
        wait_for(&metrics, &format!("thalweg_http_connections {open}"));
    }
    let text = String::from_utf8(metrics.text(&[])).unwrap();
    assert!(!text.contains("thalweg_http_connections_closed_total"), "their clients closed them: {text}");
}

#[test]
fn connections_that_the_server_closes_are_counted_by_reason() {
    let (runtime, metrics) = (runtime(), Metrics::new().unwrap());
    let limits = Limits { write_timeout: Duration::from_millis(150), ..quick() };
    let server = counted(runtime.handle(), large(1 << 20), limits, &metrics);
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (sent, reason, count) in [
        (String::new(), "idle", 1),
        (request.trim_end().to_owned(), "slow_headers", 1),
        ("no request\r\n\r\n".to_owned(), "malformed", 1),
        (request.repeat(100), "slow_reader", 1),
        (String::new(), "idle", 2),
    ] {
        let mut stream = connect(server.address());
        stream.write_all(sent.as_bytes()).unwrap();
        wait_for(&metrics, &format!("thalweg_http_connections_closed_total{{reason=\"{reason}\"}} {count}"));
    }
    let answered = ask(server.address(), request.as_bytes());
    assert!(answered.starts_with("HTTP/1.1 200 OK\r\n"));
    wait_for(&metrics, "thalweg_http_connections_closed_total{reason=\"idle\"} 3");
}

#[test]
fn connections_over_the_bound_wait_for_a_place() {
    let runtime = runtime();
    let server = orders(runtime.handle(), Limits { connections_max: 1, ..Limits::default() });
    let mut first = connect(server.address());
    first.write_all(&[READ, b"\r\n"].concat()).unwrap();
    let mut head = [0; 15];
    first.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let mut second = connect(server.address());
    second.write_all(&[READ, b"Connection: close\r\n\r\n"].concat()).unwrap();
    second.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(second.read(&mut head).is_err(), "not served while the first one is open");
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(first);
    assert!(read_all(&mut second).starts_with("HTTP/1.1 200 OK\r\n"));
}

/// A router whose one path answers this many bytes.
fn large(bytes: usize) -> Router {
    Router::new().route("/", get(async move || vec![b'x'; bytes]))
}

#[test]
fn a_client_that_does_not_take_its_answers_is_cut() {
    let runtime = runtime();
    let limits = Limits { write_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = serve(runtime.handle(), large(1 << 20), limits);
    let mut stream = connect(server.address());
    let started = Instant::now();
    // While answers wait the server reads nothing: the writes stop, and fail when the connection is reset.
    while stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").is_ok() {}
    let took = started.elapsed();
    assert!(took >= limits.write_timeout && took < PATIENCE, "{took:?}");
}

#[test]
fn a_client_that_takes_its_answer_slowly_gets_all_of_it() {
    const BYTES: usize = 20 << 20;
    let runtime = runtime();
    let limits = Limits { write_timeout: Duration::from_secs(1), ..Limits::default() };
    let server = serve(runtime.handle(), large(BYTES), limits);
    let mut stream = connect(server.address());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let (mut taken, started, mut part) = (0, Instant::now(), vec![0; 1 << 20]);
    loop {
        let next = Instant::now() + Duration::from_millis(150);
        match stream.read(&mut part).unwrap() {
            0 => break,
            read => taken += read,
        }
        // Paced, not synchronised: the answer must take longer than the limit.
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    assert!(taken > BYTES, "{taken}");
    assert!(started.elapsed() > 2 * limits.write_timeout, "the answer took {:?}", started.elapsed());
}

#[test]
fn one_request_of_a_connection_is_served_at_a_time() {
    let runtime = runtime();
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = serve(runtime.handle(), gated(&entered, &go_on), Limits::default());
    let mut stream = connect(server.address());
    let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice();
    stream.write_all(&request.repeat(3)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    runtime.block_on(async {
        for _ in 0..3 {
            entered.notified().await;
            let second = tokio::time::timeout(Duration::from_millis(50), entered.notified()).await;
            assert!(second.is_err(), "the next request entered before the last one was answered");
            go_on.notify_one();
        }
    });
    assert_eq!(read_all(&mut stream).matches("200 OK").count(), 3);
}

/// A router whose one path reports when it is entered and answers once `go_on` is notified.
fn gated(entered: &Arc<Notify>, go_on: &Arc<Notify>) -> Router {
    let (entered, go_on) = (Arc::clone(entered), Arc::clone(go_on));
    let handler = async move || {
        entered.notify_one();
        go_on.notified().await;
        "done"
    };
    Router::new().route("/", get(handler))
}

#[test]
fn a_shutdown_lets_a_running_request_finish() {
    let runtime = runtime();
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = serve(runtime.handle(), gated(&entered, &go_on), Limits::default());
    let address = server.address();
    let idle = connect(address);
    let mut running = connect(address);
    running.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let stopped = runtime.block_on(async {
        entered.notified().await;
        let stopping = tokio::spawn(server.stop(PATIENCE));
        // The listener closes before running requests are waited for.
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        go_on.notify_one();
        stopping.await.unwrap()
    });
    assert_eq!(stopped, Stopped::Clean);
    let answer = read_all(&mut running);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
    drop(idle);
}

#[test]
fn a_shutdown_cuts_what_does_not_finish() {
    let runtime = runtime();
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = serve(runtime.handle(), gated(&entered, &go_on), Limits::default());
    let mut running = connect(server.address());
    running.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let stopped = runtime.block_on(async {
        entered.notified().await;
        server.stop(Duration::from_millis(50)).await
    });
    assert_eq!(stopped, Stopped::Cut);
    assert_eq!(read_all(&mut running), "", "no half answer");
}
