//! Which requests are answered.

use axum::{
    body::Body,
    http::{StatusCode, header},
};
use tracker_web::{Dashboard, axum};

use crate::{Browser, browser::HOST, sample};

const PATHS: [&str; 4] = ["/kinds", "/tasks?kind=download", "/task?kind=mail&id=int:1", "/payload?kind=mail&id=int:1"];

#[tokio::test]
async fn request_without_the_token_sees_nothing() {
    let browser = Browser::outside(Dashboard::new(sample::tracker()));
    for path in PATHS.iter().chain(&["/", "/nothing", "/live.js"]) {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        assert!(page.text.contains("Token needed") && !page.text.contains("download"), "{path}: {}", page.text);
    }
    assert_eq!(browser.get("/style.css").await.status, StatusCode::OK);
}

#[tokio::test]
async fn wrong_token_sets_no_cookie() {
    let browser = Browser::outside(Dashboard::new(sample::tracker()));
    let other = Dashboard::new(sample::tracker());
    for wrong in ["x", &browser.token[1..], &format!("{}0", browser.token), other.token().unwrap()] {
        let page = browser.get(&format!("/kinds?token={wrong}")).await;
        assert_eq!((page.status, page.headers.get(header::SET_COOKIE)), (StatusCode::FORBIDDEN, None), "{wrong}");
    }
}

#[tokio::test]
async fn token_becomes_a_strict_cookie_and_leaves_the_url() {
    let mut browser = Browser::outside(Dashboard::new(sample::tracker()));
    let page = browser.open_with_token().await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "kinds"));
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let page = browser.get(&format!("/tasks?kind=a%20b&token={}&status=10", browser.token)).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "tasks?kind=a+b&status=10"));
    assert_eq!(browser.get("/kinds").await.status, StatusCode::OK);
}

#[tokio::test]
async fn cookie_of_a_mounted_dashboard_is_for_its_path() {
    let mut browser = Browser::mounted(Dashboard::new(sample::tracker()), "/a/jobs");
    let page = browser.open_with_token().await;
    assert!(page.headers[header::SET_COOKIE].to_str().unwrap().contains("; Path=/a/jobs;"));
}

#[tokio::test]
async fn request_under_a_foreign_host_name_is_refused() {
    let browser = Browser::enter(sample::tracker(), true).await;
    let named = Browser::outside(Dashboard::new(sample::tracker()).without_token().host("jobs.example.org"));
    for (host, status) in [
        ("evil.example:8000", StatusCode::FORBIDDEN),
        ("jobs.example.org", StatusCode::FORBIDDEN),
        ("localhost:8000", StatusCode::OK),
        ("[::1]:8000", StatusCode::OK),
    ] {
        let mut request = browser.request("GET", "/kinds").body(Body::empty()).unwrap();
        request.headers_mut().insert(header::HOST, host.parse().unwrap());
        assert_eq!(browser.send(request).await.status, status, "{host}");
    }
    let mut request = named.request("GET", "/kinds").body(Body::empty()).unwrap();
    request.headers_mut().insert(header::HOST, "jobs.example.org".parse().unwrap());
    assert_eq!(named.send(request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn embedded_dashboard_without_token_answers() {
    let browser = Browser::outside(Dashboard::new(sample::tracker()).without_token());
    for path in PATHS {
        browser.read(path).await;
    }
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let inside = Browser::enter(sample::tracker(), false).await;
    let outside = Browser::outside(Dashboard::new(sample::tracker()));
    for page in
        [inside.get("/kinds").await, inside.get("/nothing").await, inside.get("/live.js").await, outside.get("/").await]
    {
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::CACHE_CONTROL, "no-store"),
        ] {
            assert_eq!(page.headers[&name], value, "{name}");
        }
    }
}

#[tokio::test]
async fn oversized_query_is_refused() {
    let browser = Browser::enter(sample::tracker(), false).await;
    let page = browser.get(&format!("/tasks?kind=download&text={}", "x".repeat(20_000))).await;
    assert_eq!(page.status, StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn other_methods_are_refused_without_an_origin() {
    let browser = Browser::enter(sample::tracker(), true).await;
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let request = browser.request(method, "/kinds").header(header::ORIGIN, "http://evil.example");
        assert_eq!(browser.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::FORBIDDEN, "{method}");
    }
    let request = browser.request("PUT", "/kinds").header(header::ORIGIN, format!("http://{HOST}"));
    assert_eq!(browser.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::METHOD_NOT_ALLOWED);
}
