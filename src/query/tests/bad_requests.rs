use axum::http::Uri;
use proptest::prelude::*;

use super::*;

fn world() -> World {
    World::new().with_orders(&[("o-1", json!({"phone": "secret"}))])
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
