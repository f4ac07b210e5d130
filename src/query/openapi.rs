//! The OpenAPI 3.1 document of the paths in `app.rs`.

use axum::Json;
use serde_json::{Map, Value, json};

use crate::query::params::{LIMIT_DEFAULT, LIMIT_MAX};

/// `GET /openapi.json`.
pub async fn serve() -> Json<Value> {
    Json(document())
}

struct Path {
    template: &'static str,
    summary: &'static str,
    query: &'static [&'static str],
    errors: &'static [&'static str],
}

const PATHS: [Path; 12] = [
    Path { template: "/v1/views", summary: "The views, their stores, key and value types", query: &[], errors: &[] },
    Path {
        template: "/v1/views/{view}",
        summary: "A page of rows of this instance's partitions, in the order of partition and key bytes",
        query: &["from", "to", "prefix", "limit", "cursor"],
        errors: &["400", "404", "410", "503"],
    },
    Path {
        template: "/v1/views/{view}/{key}",
        summary: "The row of a key, read here or forwarded to the instance that owns it",
        query: &["consistency", "min_position"],
        errors: &["400", "404", "409", "421", "502", "503"],
    },
    Path {
        template: "/v1/views/{view}/{key}/route",
        summary: "Who can answer for a key",
        query: &[],
        errors: &["400", "404", "503"],
    },
    Path { template: "/v1/instances", summary: "The instances and their tasks", query: &[], errors: &[] },
    Path { template: "/v1/tasks", summary: "The tasks of this instance and how far they are", query: &[], errors: &[] },
    Path { template: "/v1/topology", summary: "The graph and the text of describe()", query: &[], errors: &[] },
    Path { template: "/livez", summary: "Whether the loops of the process turn", query: &[], errors: &["503"] },
    Path {
        template: "/readyz",
        summary: "Whether the member is stable and its active tasks run",
        query: &[],
        errors: &["503"],
    },
    Path { template: "/startupz", summary: "Whether the first assignment was handled", query: &[], errors: &["503"] },
    Path { template: "/metrics", summary: "Metrics as Prometheus text", query: &[], errors: &[] },
    Path { template: "/openapi.json", summary: "This document", query: &[], errors: &[] },
];

/// The whole document.
pub fn document() -> Value {
    let paths: Map<String, Value> =
        PATHS.iter().map(|path| (path.template.to_owned(), json!({"get": operation(path)}))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Thalweg", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION},
        "paths": paths,
        "components": {"schemas": {"Problem": problem(), "Served": served()}},
    })
}

const DESCRIPTION: &str = "Reads the state of a stream processor. Every answer carries thalweg-served-by; answers from \
    a view carry thalweg-role, thalweg-position and, while it is known, thalweg-lag. Errors are RFC 9457 problems. \
    Unknown query parameters are errors.";

fn operation(path: &Path) -> Value {
    let mut parameters: Vec<Value> = path
        .template
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(path.query.iter().map(|name| query_parameter(name)));
    let mut responses = Map::new();
    responses.insert("200".into(), success(path.template));
    for status in path.errors {
        let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        responses.insert((*status).into(), json!({"description": "Problem", "content": content}));
    }
    json!({"summary": path.summary, "parameters": parameters, "responses": responses})
}

fn query_parameter(name: &str) -> Value {
    let (description, schema) = match name {
        "from" => ("First key, inclusive", json!({"type": "string"})),
        "to" => ("Last key, inclusive", json!({"type": "string"})),
        "prefix" => {
            ("What keys begin with; not with from or to, and only where keys are text", json!({"type": "string"}))
        }
        "limit" => {
            ("Most rows", json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}))
        }
        "cursor" => ("The cursor of the last page, from the same instance and request", json!({"type": "string"})),
        "consistency" => (
            "strong: the active task only; bounded: any replica that has reached min_position; any: any replica",
            json!({"type": "string", "enum": ["strong", "bounded", "any"], "default": "strong"}),
        ),
        _ => (
            "Offsets that the answer must reflect, as <topic>-<partition>:<offset>,... in thalweg-position",
            json!({"type": "string"}),
        ),
    };
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn success(template: &str) -> Value {
    let served = json!({"$ref": "#/components/schemas/Served"});
    let row = json!({
        "key": {"type": "string"},
        "value": {},
        "timestamp": {"type": ["integer", "null"], "description": "Record time, ms since 1970"},
        "partition": {"type": "integer"},
    });
    let mut properties = match template {
        "/metrics" => return json!({"description": "Metrics", "content": {"text/plain": {}}}),
        "/v1/views/{view}/{key}" => row,
        "/v1/views/{view}" => json!({
            "scope": {"const": "local"},
            "partitions": {"type": "array", "items": {"type": "integer"}, "description": "What the rows cover"},
            "partitions_total": {"type": "integer"},
            "rows": {"type": "array", "items": {"type": "object", "properties": row}},
            "cursor": {"type": ["string", "null"], "description": "Send it back for the next page; null: no more rows"},
        }),
        _ => return json!({"description": "OK", "content": {"application/json": {"schema": {"type": "object"}}}}),
    };
    properties["view"] = json!({"type": "string"});
    properties["served"] = served;
    let schema = json!({"type": "object", "properties": properties});
    json!({"description": "OK", "content": {"application/json": {"schema": schema}}})
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "description": "urn:thalweg:problem:<slug>"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    })
}

fn served() -> Value {
    json!({
        "type": "object",
        "properties": {
            "by": {"type": "string", "description": "Instance id"},
            "role": {"enum": ["active", "standby", "restoring"]},
            "position": {"type": "string", "description": "Input offsets that the answer reflects"},
            "lag": {"type": ["integer", "null"], "description": "Records behind, while known"},
        },
    })
}
