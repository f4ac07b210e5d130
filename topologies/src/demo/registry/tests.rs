//! The registry as its clients see it.
#![allow(clippy::unwrap_used)]

use reqwest::{Client, Method, StatusCode};
use schema_registry_converter::blocking::schema_registry as client;
use schema_registry_converter::schema_registry_common::{SchemaType, SubjectNameStrategy, SuppliedSchema};
use serde_json::{Value, json};

use super::*;
use crate::schemas;

const V1: &str = r#"{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}"#;
const WIDER: &str = r#"{"type":"record","name":"A","fields":[{"name":"x","type":"int"},{"name":"z","type":"int"}]}"#;

async fn ask(registry: &Registry, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = Client::new().request(method, format!("{}{path}", registry.url()));
    if let Some(body) = body {
        let media_type = "application/vnd.schemaregistry.v1+json";
        request = request.header("content-type", media_type).body(body.to_string());
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/vnd.schemaregistry.v1+json", "{path}");
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn the_paths_answer_as_confluents() {
    let registry = Registry::start(0).await.unwrap();
    let body = |schema: &str| Some(json!({"schema": schema}));
    let v1 = json!({"subject": "a-value", "version": 1, "id": 1, "schema": V1});
    for (method, path, body, expected) in [
        (Method::GET, "/", None, json!({})),
        (Method::GET, "/subjects", None, json!([])),
        (Method::POST, "/subjects/a-value/versions", body(V1), json!({"id": 1})),
        (Method::POST, "/subjects/a-value/versions", body(V1), json!({"id": 1})),
        (Method::GET, "/subjects", None, json!(["a-value"])),
        (Method::GET, "/subjects/a-value/versions", None, json!([1])),
        (Method::GET, "/subjects/a-value/versions/1", None, v1.clone()),
        (Method::GET, "/subjects/a-value/versions/latest", None, v1.clone()),
        (Method::POST, "/subjects/a-value?deleted=false", body(V1), v1.clone()),
        (Method::GET, "/schemas/ids/1?deleted=true", None, json!({"schema": V1})),
        (Method::GET, "/config", None, json!({"compatibilityLevel": "BACKWARD"})),
        (Method::POST, "/compatibility/subjects/a-value/versions/latest", body(WIDER), json!({"is_compatible": false})),
        (Method::PUT, "/config", Some(json!({"compatibility": "FORWARD"})), json!({"compatibility": "FORWARD"})),
        (Method::POST, "/compatibility/subjects/a-value/versions", body(WIDER), json!({"is_compatible": true})),
        (Method::POST, "/subjects/a-value/versions", body(WIDER), json!({"id": 2})),
    ] {
        assert_eq!(ask(&registry, method, path, body).await, (StatusCode::OK.as_u16(), expected), "{path}");
    }
}

#[tokio::test]
async fn errors_carry_confluents_status_and_code() {
    let registry = Registry::start(0).await.unwrap();
    ask(&registry, Method::POST, "/subjects/a/versions", Some(json!({"schema": V1}))).await;
    for (method, path, body, status, code) in [
        (Method::GET, "/subjects/b/versions", None, 404, 40401),
        (Method::POST, "/subjects/b", Some(json!({"schema": V1})), 404, 40401),
        (Method::GET, "/subjects/a/versions/2", None, 404, 40402),
        (Method::POST, "/subjects/a", Some(json!({"schema": WIDER})), 404, 40403),
        (Method::GET, "/schemas/ids/9", None, 404, 40403),
        (Method::GET, "/schemas/ids/x", None, 404, 40403),
        (Method::POST, "/subjects/a/versions", Some(json!({"schema": WIDER})), 409, 409),
        (Method::POST, "/subjects/a/versions", Some(json!({"schema": "nonsense"})), 422, 42201),
        (Method::POST, "/subjects/a/versions", Some(json!({})), 422, 42201),
        (Method::POST, "/subjects/a/versions", Some(json!({"schema": V1, "schemaType": "JSON"})), 422, 42201),
        (Method::POST, "/subjects/a/versions", Some(json!({"schema": V1, "references": [{}]})), 422, 42201),
        (Method::GET, "/subjects/a/versions/zero", None, 422, 42202),
        (Method::PUT, "/config", Some(json!({"compatibility": "SIDEWAYS"})), 422, 42203),
        (Method::GET, "/nowhere", None, 404, 404),
    ] {
        let (got, body) = ask(&registry, method, path, body).await;
        assert_eq!((got, &body["error_code"]), (status, &json!(code)), "{path}: {body}");
        assert!(!body["message"].as_str().unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn the_usual_client_registers_and_reads_schemas() {
    let registry = Registry::start(0).await.unwrap();
    let url = registry.url();
    let work = move || {
        let settings = client::SrSettings::new(url);
        let post = |subject: &str, text: &str| {
            let supplied = SuppliedSchema::new(None, SchemaType::Avro, text.to_owned());
            client::post_schema(&settings, subject.to_owned(), supplied).map(|schema| schema.id)
        };
        assert_eq!(post("order.events-value", schemas::ORDER_EVENT).unwrap(), 1);
        assert_eq!(post("order.status-value", schemas::STATUS_CHANGE).unwrap(), 2);
        assert_eq!(client::get_schema_by_id(2, &settings).unwrap().schema, schemas::STATUS_CHANGE);
        let latest = SubjectNameStrategy::TopicNameStrategy("order.events".to_owned(), false);
        assert_eq!(client::get_schema_by_subject(&settings, &latest).unwrap().schema, schemas::ORDER_EVENT);
        let refused = post("order.events-value", schemas::STATUS_CHANGE).unwrap_err();
        assert!(refused.to_string().contains("409"), "{refused}");
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}
