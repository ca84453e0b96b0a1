//! `Browser`: calls a router as a browser does, with a cookie once it has entered.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tracker_web::{Dashboard, Source, axum};

pub struct Browser {
    router: Router,
    /// The path under which the dashboard is mounted.
    mount: &'static str,
    pub token: String,
    pub cookie: Option<String>,
}

/// A response that was read to its end.
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

pub const HOST: &str = "127.0.0.1:8000";

impl Browser {
    /// A browser without a cookie.
    pub fn outside(dashboard: Dashboard) -> Self {
        let token = dashboard.token().unwrap_or_default().to_owned();
        Self { router: dashboard.router(), mount: "", token, cookie: None }
    }

    /// A browser that has opened the URL with the token.
    pub async fn enter(source: impl Source, write: bool) -> Self {
        let mut browser = Self::outside(Dashboard::new(source).write(write));
        browser.open_with_token().await;
        browser
    }

    /// The same dashboard below a path of another router.
    pub fn mounted(dashboard: Dashboard, mount: &'static str) -> Self {
        let browser = Self::outside(dashboard);
        Self { router: Router::new().nest(mount, browser.router), mount, ..browser }
    }

    pub async fn open_with_token(&mut self) -> Page {
        let root = if self.mount.is_empty() { "/" } else { "" };
        let page = self.get(&format!("{root}?token={}", self.token)).await;
        let cookie = page.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
        self.cookie = cookie.split(';').next().map(str::to_owned);
        page
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// A page that must be there.
    #[track_caller]
    pub fn read(&self, path: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let page = self.get(path).await;
            assert_eq!(page.status, StatusCode::OK, "{path} at {caller}: {}", page.text);
            page.text
        }
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.request("POST", path).header(header::ORIGIN, format!("http://{HOST}"));
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form)).unwrap()).await
    }

    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.mount)).header(header::HOST, HOST);
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        }
    }

    /// A response whose body is not read yet.
    pub async fn stream(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Page {
        let response = self.stream(request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Page { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }
}

impl Page {
    pub fn location(&self) -> &str {
        self.headers.get(header::LOCATION).unwrap().to_str().unwrap()
    }
}

/// The values of an attribute such as `href` in a page, unescaped.
pub fn attributes(page: &str, name: &str) -> Vec<String> {
    let start = format!(" {name}=\"");
    let values = page.split(&start).skip(1).filter_map(|rest| rest.split('"').next());
    values
        .map(|value| value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        .collect()
}
