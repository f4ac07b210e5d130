//! A schema registry that fails on request: Confluent's paths for ids and subjects, with a mood per id.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// How the registry answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    /// As Confluent's.
    #[default]
    Fine,
    /// Hangs up without an answer.
    Away,
    /// As Confluent's, after this time.
    Slow(Duration),
    /// This status and body.
    Says(u16, &'static str),
}

#[derive(Debug, Default)]
struct Content {
    /// The id is the place, from 1.
    schemas: Vec<String>,
    /// Mood of everything that has none of its own.
    mood: Mood,
    moods: HashMap<u32, Mood>,
    requests: Vec<String>,
}

/// A running registry; it ends with the process.
#[derive(Debug, Clone)]
pub struct FakeRegistry {
    url: String,
    content: Arc<Mutex<Content>>,
}

impl FakeRegistry {
    /// Starts on a free port; everything is fine.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let registry = Self { url, content: Arc::default() };
        let shared = registry.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let registry = shared.clone();
                std::thread::spawn(move || registry.serve(stream));
            }
        });
        registry
    }

    /// Base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of `schema`, which is new when nobody has registered it.
    pub fn id_of(&self, schema: &str) -> u32 {
        let mut content = self.lock();
        let known = content.schemas.iter().position(|known| known == schema);
        let place = known.unwrap_or_else(|| {
            content.schemas.push(schema.to_owned());
            content.schemas.len() - 1
        });
        u32::try_from(place).expect("few schemas") + 1
    }

    /// A further id of `schema`; whoever registers it gets the first.
    pub fn another_id_of(&self, schema: &str) -> u32 {
        self.id_of(schema);
        let mut content = self.lock();
        content.schemas.push(schema.to_owned());
        u32::try_from(content.schemas.len()).expect("few schemas")
    }

    /// How questions about `id` are answered from now on.
    pub fn set(&self, id: u32, mood: Mood) {
        self.lock().moods.insert(id, mood);
    }

    /// How everything else is answered from now on.
    pub fn set_all(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Questions about `id` so far.
    pub fn questions_about(&self, id: u32) -> usize {
        let path = format!(" /schemas/ids/{id} ");
        self.lock().requests.iter().filter(|line| line.replace('?', " ").contains(&path)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some((line, body)) = request(&mut reader) {
            let Some((status, answer)) = self.answer(&line, &body) else { return };
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
            if reader.get_mut().write_all((head + &answer).as_bytes()).is_err() {
                return;
            }
        }
    }

    /// `None`: hang up.
    fn answer(&self, line: &str, body: &[u8]) -> Option<(u16, String)> {
        let path = line.split([' ', '?']).nth(1).unwrap_or_default();
        let id: Option<u32> = path.strip_prefix("/schemas/ids/").and_then(|id| id.parse().ok());
        let mood = {
            let mut content = self.lock();
            content.requests.push(line.to_owned());
            id.and_then(|id| content.moods.get(&id).copied()).unwrap_or(content.mood)
        };
        match mood {
            Mood::Fine => {}
            Mood::Away => return None,
            Mood::Slow(time) => std::thread::sleep(time),
            Mood::Says(status, text) => return Some((status, text.to_owned())),
        }
        let Some(id) = id else {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let schema = body["schema"].as_str().unwrap_or_default().to_owned();
            return Some((200, json!({"id": self.id_of(&schema)}).to_string()));
        };
        let content = self.lock();
        Some(match content.schemas.get((id as usize).wrapping_sub(1)) {
            Some(schema) => (200, json!({"schema": schema}).to_string()),
            None => (404, json!({"error_code": 40403, "message": "Schema not found"}).to_string()),
        })
    }
}

/// Request line and body; `None` at the end of the connection.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.trim().to_owned(), body))
}
