use axum::http::{Uri, header};
use proptest::prelude::*;

use super::*;

fn world() -> World {
    World::new().with_orders(&[("o-1", json!({"phone": "secret"}))])
}

#[tokio::test]
async fn bad_targets_have_exact_answers() {
    let long_key = format!("/v1/views/orders/{}", "k".repeat(4097));
    let long_target = format!("/v1/views/orders/{}", "k".repeat(8200));
    let long_query = format!("/v1/views/orders?from={}", "k".repeat(8200));
    let many_bounds = format!("/v1/views/orders/o-1?min_position={}", ["a-1:1"; 1001].join(","));
    let rows: [(&str, u16, &str); 67] = [
        // Paths.
        ("/", 404, "unknown-path"),
        ("/v1", 404, "unknown-path"),
        ("/v2/views", 404, "unknown-path"),
        ("/v1/views/", 404, "unknown-path"),
        ("//v1/views", 404, "unknown-path"),
        ("/v1//views", 404, "unknown-path"),
        ("/v1/views/orders/o-1/", 404, "unknown-path"),
        ("/v1/views/orders/o-1/routes", 404, "unknown-path"),
        ("/v1/views/orders/o-1/route/x", 404, "unknown-path"),
        ("/v1/views/orders/a/b", 404, "unknown-path"),
        ("/V1/VIEWS", 404, "unknown-path"),
        ("/metrics/", 404, "unknown-path"),
        ("/v1/views/../tasks", 404, "unknown-view"),
        ("/v1/admin/drain", 404, "unknown-path"),
        // Views.
        ("/v1/views/nothing", 404, "unknown-view"),
        ("/v1/views/nothing/o-1", 404, "unknown-view"),
        ("/v1/views/nothing/o-1/route", 404, "unknown-view"),
        ("/v1/views/Orders/o-1", 404, "unknown-view"),
        ("/v1/views/orders%00/o-1", 404, "unknown-view"),
        ("/v1/views/orders%2Fo-1", 404, "unknown-view"),
        ("/v1/views/%ff/o-1", 404, "unknown-view"),
        ("/v1/views/%zz/o-1", 404, "unknown-view"),
        ("/v1/views/..%2f..%2fetc%2fpasswd", 404, "unknown-view"),
        // Keys.
        ("/v1/views/orders/", 400, "bad-key"),
        ("/v1/views/orders/%", 400, "bad-key"),
        ("/v1/views/orders/%4", 400, "bad-key"),
        ("/v1/views/orders/%4g", 400, "bad-key"),
        ("/v1/views/orders/%zz", 400, "bad-key"),
        ("/v1/views/orders/abc%", 400, "bad-key"),
        ("/v1/views/orders/%+1", 400, "bad-key"),
        ("/v1/views/orders/%00", 400, "bad-key"),
        ("/v1/views/orders/a%00b", 400, "bad-key"),
        ("/v1/views/orders/%ff", 400, "bad-key"),
        ("/v1/views/orders/%c0%af", 400, "bad-key"),
        ("/v1/views/orders/%ed%a0%80", 400, "bad-key"),
        ("/v1/views/orders/%e2%82", 400, "bad-key"),
        ("/v1/views/orders/%zz/route", 400, "bad-key"),
        ("/v1/views/numbers/abc", 400, "bad-key"),
        ("/v1/views/numbers/-1", 400, "bad-key"),
        ("/v1/views/numbers/18446744073709551616", 400, "bad-key"),
        ("/v1/views/numbers/1.5/route", 400, "bad-key"),
        (&long_key, 400, "bad-key"),
        (&long_target, 414, "uri-too-long"),
        (&long_query, 414, "uri-too-long"),
        // Parameters of a point read.
        ("/v1/views/orders/o-1?wait=1", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?max_lag_ms=5", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?consistency=", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?consistency=STRONG", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?consistency=any&consistency=any", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?consistency=bounded", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?min_position=", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?min_position=12", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?min_position=a-0:-1", 400, "bad-parameter"),
        ("/v1/views/orders/o-1?min_position=a-0:1;b-0:1", 400, "bad-parameter"),
        (&many_bounds, 400, "bad-parameter"),
        ("/v1/views/orders/o-1/route?consistency=any", 400, "bad-parameter"),
        // Parameters of a range.
        ("/v1/views/orders?limit=0", 400, "bad-parameter"),
        ("/v1/views/orders?limit=-1", 400, "bad-parameter"),
        ("/v1/views/orders?limit=1001", 400, "bad-parameter"),
        ("/v1/views/orders?limit=%2B5", 400, "bad-parameter"),
        ("/v1/views/orders?limit=1e3", 400, "bad-parameter"),
        ("/v1/views/orders?from=b&to=a", 400, "bad-parameter"),
        ("/v1/views/orders?prefix=a&from=a", 400, "bad-parameter"),
        ("/v1/views/orders?from=%f", 400, "bad-parameter"),
        ("/v1/views/orders?cursor=!!", 400, "bad-cursor"),
        ("/v1/views/orders?cursor=", 400, "bad-cursor"),
        ("/v1/tasks?verbose", 400, "bad-parameter"),
    ];
    let world = world();
    for (target, status, slug) in rows {
        let answer = world.get(target).await;
        assert_eq!(answer.problem(), (status, slug.to_owned()), "{}", &target[..target.len().min(80)]);
        assert!(!answer.text.contains("secret"), "no content of a row");
    }
}

#[tokio::test]
async fn only_reading_methods_are_taken() {
    let world = world();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        for target in ["/v1/views", "/v1/views/orders", "/v1/views/orders/o-1", "/livez", "/metrics"] {
            let answer = world.request(Method::from_bytes(method.as_bytes()).unwrap(), target).await;
            assert_eq!(answer.problem(), (405, "method-not-allowed".into()), "{method} {target}");
            assert_eq!(answer.header("allow"), Some("GET,HEAD"));
        }
    }
}

#[tokio::test]
async fn bodies_are_refused() {
    let world = world();
    let get = |body: Body| Request::get("/v1/views/orders/o-1").body(body).unwrap();
    let post = |bytes: usize| Request::post("/v1/views").body(Body::from(vec![b'x'; bytes])).unwrap();
    let cases = [
        (get(Body::from("x")), (400, "unexpected-body")),
        (get(Body::from(vec![b'x'; 65_537])), (413, "body-too-large")),
        (post(65_536), (405, "method-not-allowed")),
        (post(65_537), (413, "body-too-large")),
    ];
    for (request, (status, slug)) in cases {
        assert_eq!(send(world.router(), request).await.problem(), (status, slug.into()));
    }
}

#[tokio::test]
async fn a_forged_marker_only_keeps_a_request_from_being_forwarded() {
    let world = world();
    let marked = |key: &str| {
        let request = Request::get(format!("/v1/views/orders/{key}")).header("thalweg-forwarded", "mallory");
        send(world.router(), request.header(header::COOKIE, "x=1").body(Body::empty()).unwrap())
    };
    assert_eq!(marked("o-1").await.status, 200);
    world.table(|table| table.instances.push(instance("b", Some("127.0.0.1:1".into()))));
    world.owned_by(TaskId::new(0, partition_of(b"o-1", PARTITIONS)), 1);
    assert_eq!(marked("o-1").await.problem(), (421, "not-here".into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_target_is_answered_by_a_failure(
        start in prop::sample::select(vec![
            "/", "/v1/", "/v1/views/orders?", "/v1/views/orders/", "/v1/views/orders/o-1?", "/v1/views/numbers/", "/v1/views/numbers?",
            "/v1/views/orders?cursor=", "/v1/views/orders/o-1?min_position=", "/v1/views/orders?limit=",
        ]),
        rest in "([!-~]|%[0-9a-f]{2}|order\\.events-[0-9]|limit=|&|=|/){0,30}",
    ) {
        let target = format!("{start}{rest}");
        prop_assume!(target.parse::<Uri>().is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(world().get(&target));
        // 503: the view of numbers has no owner here.
        prop_assert!(answer.status.as_u16() < 500 || answer.status == 503, "{} {}", target, answer.text);
        if !answer.status.is_success() {
            answer.problem();
        }
    }
}
