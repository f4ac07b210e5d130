//! Confluent's REST paths over [`Subjects`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::subjects::{Level, Refusal, Registered, Subjects};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");

type Shared = State<Arc<Mutex<Subjects>>>;
type Answer = Result<Json<Value>, Refusal>;

/// All paths. Bodies are limited to axum's 2 MB.
pub(super) fn router(subjects: Subjects) -> Router {
    Router::new()
        .route("/", get(async || Json(json!({}))))
        .route("/subjects", get(names))
        .route("/subjects/{subject}", post(find))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version))
        .route("/schemas/ids/{id}", get(schema))
        .route("/config", get(level).put(set_level))
        .route("/compatibility/subjects/{subject}/versions", post(compatible))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(compatible_with))
        .fallback(async || (StatusCode::NOT_FOUND, Json(json!({"error_code": 404, "message": "HTTP 404 Not Found"}))))
        .layer(middleware::from_fn(media_types))
        .with_state(Arc::new(Mutex::new(subjects)))
}

/// Bodies are JSON under a name of their own, in both directions.
async fn media_types(mut request: Request, next: Next) -> Response {
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = next.run(request).await;
    response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.code();
        let status = if code < 1000 { code } else { code / 100 };
        let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let body = json!({"error_code": code, "message": self.to_string()});
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaBody {
    schema: String,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Value>,
}

/// The schema text of a request.
fn text(body: Result<Json<SchemaBody>, JsonRejection>) -> Result<String, Refusal> {
    let Json(body) = body.map_err(|rejection| Refusal::InvalidSchema(rejection.body_text()))?;
    match body.schema_type.as_deref() {
        None | Some("AVRO") if body.references.is_empty() => Ok(body.schema),
        None | Some("AVRO") => Err(Refusal::InvalidSchema("references are not supported".to_owned())),
        Some(_) => Err(Refusal::InvalidSchema("only schemas of type AVRO are supported".to_owned())),
    }
}

/// A handler that panicked cannot leave the map half changed: each change is one push at its end.
fn lock(subjects: &Mutex<Subjects>) -> MutexGuard<'_, Subjects> {
    subjects.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn names(State(subjects): Shared) -> Json<Value> {
    Json(json!(lock(&subjects).names()))
}

async fn versions(State(subjects): Shared, Path(subject): Path<String>) -> Answer {
    Ok(Json(json!(lock(&subjects).versions(&subject)?)))
}

async fn version(
    State(subjects): Shared,
    Path((subject, version)): Path<(String, String)>,
) -> Result<Json<Registered>, Refusal> {
    lock(&subjects).version(&subject, &version).map(Json)
}

async fn schema(State(subjects): Shared, Path(id): Path<String>) -> Answer {
    let id = id.parse().map_err(|_| Refusal::SchemaNotFound)?;
    Ok(Json(json!({"schema": lock(&subjects).text(id)?})))
}

async fn find(
    State(subjects): Shared,
    Path(subject): Path<String>,
    body: Result<Json<SchemaBody>, JsonRejection>,
) -> Result<Json<Registered>, Refusal> {
    let text = text(body)?;
    lock(&subjects).find(&subject, &text).map(Json)
}

async fn register(
    State(subjects): Shared,
    Path(subject): Path<String>,
    body: Result<Json<SchemaBody>, JsonRejection>,
) -> Answer {
    let text = text(body)?;
    Ok(Json(json!({"id": lock(&subjects).register(&subject, &text)?})))
}

async fn compatible(
    State(subjects): Shared,
    Path(subject): Path<String>,
    body: Result<Json<SchemaBody>, JsonRejection>,
) -> Answer {
    let text = text(body)?;
    Ok(Json(json!({"is_compatible": lock(&subjects).is_compatible(&subject, &text)?})))
}

async fn compatible_with(
    State(subjects): Shared,
    Path((subject, version)): Path<(String, String)>,
    body: Result<Json<SchemaBody>, JsonRejection>,
) -> Answer {
    let text = text(body)?;
    Ok(Json(json!({"is_compatible": lock(&subjects).is_compatible_with(&subject, &version, &text)?})))
}

async fn level(State(subjects): Shared) -> Json<Value> {
    Json(json!({"compatibilityLevel": lock(&subjects).level()}))
}

#[derive(Debug, Deserialize)]
struct LevelBody {
    compatibility: Level,
}

async fn set_level(State(subjects): Shared, body: Result<Json<LevelBody>, JsonRejection>) -> Response {
    match body {
        Ok(Json(LevelBody { compatibility })) => {
            lock(&subjects).set_level(compatibility);
            Json(json!({"compatibility": compatibility})).into_response()
        }
        Err(_) => {
            let body = json!({"error_code": 42203, "message": "invalid compatibility level"});
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
    }
}
