#![allow(clippy::unwrap_used)]

//! A server of a few lines plays brokers that break the rules.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::group::ErrorCode;
use crate::group::member::Identity;
use crate::wire::coordinator::{CoordinatorConnection, CoordinatorSettings};
use crate::wire::{Error, ErrorKind};

fn settings(port: u16) -> CoordinatorSettings {
    CoordinatorSettings {
        bootstrap_servers: vec![format!("127.0.0.1:{port}")],
        client_id: "test".to_owned(),
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_millis(300),
        frame_bytes_max: 1_000,
    }
}

/// Reads one request and returns its correlation id; `None` when the client is gone.
fn request(stream: &mut TcpStream) -> Option<i32> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(i32::from_be_bytes(frame[4..8].try_into().unwrap()))
}

fn respond(stream: &mut TcpStream, correlation_id: i32, body: &[u8]) {
    let length = (body.len() as u32 + 4).to_be_bytes();
    stream.write_all(&[&length, &correlation_id.to_be_bytes(), body].concat()).unwrap();
}

/// ApiVersions 2: Heartbeat up to 4.
const API_VERSIONS: [u8; 16] = [0, 0, 0, 0, 0, 1, 0, 12, 0, 0, 0, 4, 0, 0, 0, 0];

type Heartbeat = Result<Result<(), ErrorCode>, Error>;

/// Opens a connection to a server that greets well, answers the first heartbeat with `answer`, then hears what follows.
/// Returns what two heartbeats gave, and whether the server saw a second request.
fn heartbeats(answer: impl FnOnce(&mut TcpStream, i32) + Send + 'static) -> (Heartbeat, Heartbeat, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let correlation_id = request(&mut stream).unwrap();
        respond(&mut stream, correlation_id, &API_VERSIONS);
        let correlation_id = request(&mut stream).unwrap();
        answer(&mut stream, correlation_id);
        request(&mut stream).is_some()
    });
    let mut connection = CoordinatorConnection::open(&settings(port), "127.0.0.1", port).unwrap();
    let identity = Identity { member_id: "m".to_owned(), generation: 1, instance_id: None };
    let first = connection.heartbeat("app", &identity);
    let second = connection.heartbeat("app", &identity);
    drop(connection);
    (first, second, server.join().unwrap())
}

#[test]
fn a_good_answer_is_read_and_its_error_code_is_no_broken_connection() {
    let (first, _, asked_again) = heartbeats(|stream, id| respond(stream, id, &[0, 0, 0, 0, 0, 27]));
    assert_eq!(first.unwrap(), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    assert!(asked_again);
}

/// A way to answer, and what the error must say.
type Misdeed = (fn(&mut TcpStream, i32), &'static str);

#[test]
fn every_broken_frame_closes_the_connection_with_a_typed_error() {
    let table: [Misdeed; 8] = [
        (|stream, id| respond(stream, id + 1, &[0; 6]), "came for request"),
        (|stream, id| respond(stream, id, &[0; 5]), "the input ends early"),
        (|stream, id| respond(stream, id, &[0; 7]), "bytes after the end"),
        (|stream, _| stream.write_all(&[0, 0, 0, 2, 9, 9]).unwrap(), "the input ends early"),
        (|stream, _| stream.write_all(&[0x7f, 0xff, 0xff, 0xff]).unwrap(), "over the bound of 1000"),
        (|stream, _| stream.write_all(&[0xff, 0xff, 0xff, 0xff]).unwrap(), "over the bound of 1000"),
        (|stream, _| stream.write_all(&[0, 0, 0, 10, 1]).unwrap(), "no answer in time"),
        (|stream, _| stream.shutdown(std::net::Shutdown::Write).unwrap(), "the broker closed the connection"),
    ];
    for (misdeed, reason) in table {
        let (first, second, asked_again) = heartbeats(misdeed);
        let error = first.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Retriable);
        assert!(error.reason.contains(reason), "{error}, expected {reason}");
        assert!(error.context.starts_with("Heartbeat to 127.0.0.1:"), "{error}");
        assert_eq!(second.unwrap_err().reason, "the connection is closed");
        assert!(!asked_again, "{reason}: nothing is sent on a broken connection");
    }
}

#[test]
fn an_answer_that_drips_ends_at_the_deadline() {
    let started = Instant::now();
    let (first, ..) = heartbeats(move |stream, _| {
        // A byte now and then until the client gives up, each well within the timeout of a single read.
        let _ = stream.write_all(&[0, 0, 0, 200]);
        while stream.write_all(&[1]).is_ok() && started.elapsed() < Duration::from_secs(20) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    });
    assert!(first.unwrap_err().reason.contains("no answer in time"));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_broker_that_does_not_listen_or_greet_is_a_retriable_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mute = CoordinatorConnection::open(&settings(port), "127.0.0.1", port).unwrap_err();
    assert_eq!((mute.kind, mute.reason.as_str()), (ErrorKind::Retriable, "no answer in time"));
    drop(listener);
    let absent = CoordinatorConnection::open(&settings(port), "127.0.0.1", port).unwrap_err();
    assert_eq!(absent.kind, ErrorKind::Retriable);
    assert!(absent.context.starts_with("connect to 127.0.0.1:"), "{absent}");
}
