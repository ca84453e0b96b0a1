//! The guard before every request: checks size, host, origin and token, and sets the headers of every response. Called by the router of
//! `dashboard`; reads no task.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

use crate::{
    access::Denied,
    params::{Params, link},
    site::{Site, html_of},
};

/// The longest query string in bytes. An id has at most a kilobyte, three times that in a link.
const QUERY: usize = 16 << 10;

/// Files that tell nothing of the tracker: the page that asks for the token uses them.
const OPEN: [&str; 2] = ["/style.css", "/icon.svg"];

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // Not `no-referrer`: with it, browsers send the origin `null` with forms.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

pub async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&site, &request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    response.headers_mut().extend(HEADERS);
    response
}

/// The response to a request that reaches no page.
fn refusal(site: &Site, request: &Request) -> Option<Response> {
    let (uri, headers) = (request.uri(), request.headers());
    let query = uri.query().unwrap_or_default();
    if query.len() > QUERY {
        return Some((StatusCode::URI_TOO_LONG, format!("a query string has at most {QUERY} bytes")).into_response());
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if let Err(denied) = site.access.check_site(uri, headers, changes) {
        return Some(denied_page(denied));
    }
    let params = Params::parse(query.as_bytes());
    if let Some(given) = params.get("token").filter(|_| !changes && site.access.token.is_some()) {
        return Some(if site.access.is_token(given) { enter(site, request) } else { denied_page(Denied::Token) });
    }
    if OPEN.contains(&uri.path()) {
        return None;
    }
    site.access.check_token(headers).err().map(denied_page)
}

/// Stores the token of the URL in a cookie, and redirects to the page without it.
fn enter(site: &Site, request: &Request) -> Response {
    let (uri, original) = (request.uri(), original_path(request));
    let mount = original.strip_suffix(uri.path()).unwrap_or(original).trim_end_matches('/');
    let cookie = site.access.set_cookie(if mount.is_empty() { "/" } else { mount }).unwrap_or_default();
    let query = Params::parse(uri.query().unwrap_or_default().as_bytes());
    let page = uri.path().rsplit('/').next().unwrap_or_default();
    let target = if page.is_empty() { root_of(original) } else { link(page, query.except("token")) };
    let mut headers = HeaderMap::new();
    if let (Ok(cookie), Ok(target)) = (cookie.parse(), target.parse()) {
        headers.extend([(header::SET_COOKIE, cookie), (header::LOCATION, target)]);
    }
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Returns the path of the request in the program that mounts the dashboard.
pub fn original_path(request: &Request) -> &str {
    request.extensions().get::<OriginalUri>().map_or_else(|| request.uri().path(), |OriginalUri(uri)| Uri::path(uri))
}

/// Returns the relative link from the root of the dashboard to its first page. A root without a final slash is a name in its folder.
pub fn root_of(original: &str) -> String {
    match original.rsplit('/').next() {
        Some(last) if !last.is_empty() => format!("{last}/kinds"),
        _ => "kinds".to_owned(),
    }
}

fn denied_page(denied: Denied) -> Response {
    let (title, text) = match denied {
        Denied::Host => (
            "Unknown host",
            "This dashboard is not known by the name in the address. Open it by its IP address or as localhost, or let the program name the host with Dashboard::host.",
        ),
        Denied::Origin => (
            "Foreign request",
            "The request was not made by a page of this dashboard, and nothing was changed. Open the dashboard and repeat the command there.",
        ),
        Denied::Token => (
            "Token needed",
            "Open the dashboard with the URL that the program has printed: it has the token of this dashboard. A restart makes a new token.",
        ),
    };
    html_of(StatusCode::FORBIDDEN, message(title, text))
}

fn message(title: &str, text: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="style.css";
            }
            body { main { h1 { (title) } p { (text) } } }
        }
    }
}
