//! A registry of canned answers on a local port, for tests.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::registry::{Patience, SchemaRegistry};
use super::{AvroSerde, RegistryOptions};

/// How the registry behaves.
#[derive(Clone)]
pub(super) enum Mood {
    /// Like Confluent's.
    Fine,
    /// Accepts and never answers.
    Silent,
    /// This status and body to everything.
    Says(u16, &'static str),
    /// This status and body once, then fine.
    SaysOnce(u16, &'static str),
}

struct Content {
    mood: Mood,
    schemas: HashMap<u32, String>,
    subjects: Vec<(String, u32)>,
    requests: Vec<String>,
}

/// The registry; it ends with the process.
pub(super) struct Stub {
    pub url: String,
    content: Arc<Mutex<Content>>,
}

impl Stub {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let content = Content { mood: Mood::Fine, schemas: HashMap::new(), subjects: Vec::new(), requests: Vec::new() };
        let content = Arc::new(Mutex::new(content));
        let shared = Arc::clone(&content);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let content = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &content));
            }
        });
        Self { url, content }
    }

    pub(super) fn set(&self, mood: Mood) {
        self.content.lock().unwrap().mood = mood;
    }

    pub(super) fn put(&self, id: u32, schema: &str) {
        self.content.lock().unwrap().schemas.insert(id, schema.to_owned());
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.content.lock().unwrap().requests.clone()
    }

    pub(super) fn subjects(&self) -> Vec<(String, u32)> {
        self.content.lock().unwrap().subjects.clone()
    }

    /// Waits for every answer, forgets every failure at once.
    pub(super) fn registry(&self) -> SchemaRegistry {
        self.registry_with(Patience {
            answer: Duration::from_secs(20),
            refused: Duration::ZERO,
            unavailable: Duration::ZERO,
        })
    }

    pub(super) fn registry_with(&self, patience: Patience) -> SchemaRegistry {
        let credentials = Some(("user".to_owned(), "pass".to_owned()));
        let options = RegistryOptions { url: self.url.clone(), credentials, timeout: Duration::from_secs(10) };
        SchemaRegistry::with_patience(&options, patience).unwrap()
    }

    pub(super) fn serde<T>(&self, schema: &str) -> AvroSerde<T> {
        self.registry().serde(schema).unwrap()
    }
}

fn serve(stream: TcpStream, content: &Mutex<Content>) {
    const TLS_HANDSHAKE: u8 = 0x16;
    let mut reader = BufReader::new(stream);
    if reader.fill_buf().is_ok_and(|bytes| bytes.first() == Some(&TLS_HANDSHAKE)) {
        let _ = reader.get_mut().write_all(b"this is no TLS");
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let (mut length, mut authorised) = (0, false);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            authorised |= header == "authorization: basic dxnlcjpwyxnz";
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let (status, answer) = answer(content, line.trim(), &body, authorised).unwrap_or_default();
        if status == 0 {
            // Hold the connection open until the client gives up.
            let _ = reader.read(&mut [0]);
            return;
        }
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
        if reader.get_mut().write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}

fn answer(content: &Mutex<Content>, line: &str, body: &[u8], authorised: bool) -> Option<(u16, String)> {
    let mut content = content.lock().unwrap();
    content.requests.push(line.to_owned());
    match content.mood.clone() {
        Mood::Silent => return None,
        Mood::Says(status, text) => return Some((status, text.to_owned())),
        Mood::SaysOnce(status, text) => {
            content.mood = Mood::Fine;
            return Some((status, text.to_owned()));
        }
        Mood::Fine => {}
    }
    if !authorised {
        return Some((401, json!({"error_code": 401, "message": "who are you"}).to_string()));
    }
    let path = line.split(' ').nth(1).unwrap();
    let path = path.split('?').next().unwrap();
    if let Some(id) = path.strip_prefix("/schemas/ids/") {
        return Some(match content.schemas.get(&id.parse().unwrap()) {
            Some(schema) => (200, json!({ "schema": schema }).to_string()),
            None => (404, json!({"error_code": 40403, "message": "Schema not found"}).to_string()),
        });
    }
    let subject = path.strip_prefix("/subjects/").unwrap().strip_suffix("/versions").unwrap().to_owned();
    let body: Value = serde_json::from_slice(body).unwrap();
    let schema = body["schema"].as_str().unwrap().to_owned();
    let known = content.schemas.iter().find(|(_, known)| **known == schema).map(|(id, _)| *id);
    let id = known.unwrap_or(content.schemas.len() as u32 + 1);
    content.schemas.insert(id, schema);
    content.subjects.push((subject, id));
    Some((200, json!({ "id": id }).to_string()))
}
