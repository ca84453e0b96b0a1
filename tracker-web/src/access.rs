//! `Access`: which requests may see the dashboard. Pure checks of headers, called by the guard of the router before any page.

use axum::http::{HeaderMap, Uri, header, uri::Authority};
use tracker_core::uuid::Uuid;

/// The token, cookie and hosts with which a request may use a dashboard.
#[derive(Clone, Debug)]
pub struct Access {
    /// The secret of the URL and the cookie; `None` if the embedding program authenticates.
    pub token: Option<String>,
    /// The name of the cookie. Cookies ignore ports, so each dashboard has a name of its own.
    pub cookie: String,
    /// Names of hosts that a request may give besides IP addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    Host,
    Origin,
    Token,
}

impl Access {
    pub fn new() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        Self {
            token: Some(Uuid::new_v4().simple().to_string()),
            cookie: format!("tracker_{}", &id[..8]),
            hosts: Vec::new(),
        }
    }

    /// Checks where a request comes from: the name of this host against DNS rebinding, and for changes the origin of the page
    /// against requests of other sites.
    pub fn check_site(&self, uri: &Uri, headers: &HeaderMap, changes: bool) -> Result<(), Denied> {
        let host = text(headers, header::HOST).or_else(|| uri.authority().map(Authority::as_str));
        let Some(host) = host.filter(|host| self.is_own(host)) else { return Err(Denied::Host) };
        if !changes {
            return Ok(());
        }
        // Every browser sends the origin with a form; a request without it is not made by a page.
        let origin = text(headers, header::ORIGIN).and_then(|origin| origin.split_once("://"));
        let is_same = origin.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
        let fetched = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        if is_same && fetched.is_none_or(|site| site == "same-origin") { Ok(()) } else { Err(Denied::Origin) }
    }

    /// Returns whether a request names this host by an address or a known name. An attacker's name that resolves to this address is
    /// neither.
    fn is_own(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        address.parse::<std::net::IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Checks the token of a request: a browser sends it in the cookie, a collector of metrics as `Authorization: Bearer`.
    pub fn check_token(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let Some(token) = &self.token else { return Ok(()) };
        let bearer = text(headers, header::AUTHORIZATION).and_then(|given| given.strip_prefix("Bearer "));
        if bearer.is_some_and(|given| is_equal(given, token)) {
            return Ok(());
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut own = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == self.cookie).then_some(value)
        });
        if own.any(|value| is_equal(value, token)) { Ok(()) } else { Err(Denied::Token) }
    }

    /// Returns whether the token of a URL is right.
    pub fn is_token(&self, given: &str) -> bool {
        self.token.as_ref().is_some_and(|token| is_equal(given, token))
    }

    /// Returns the header that stores the token for the pages below a path.
    pub fn set_cookie(&self, path: &str) -> Option<String> {
        let token = self.token.as_ref()?;
        Some(format!("{}={token}; Path={path}; HttpOnly; SameSite=Strict", self.cookie))
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Compares in a time that tells nothing of the place of the first difference.
fn is_equal(one: &str, other: &str) -> bool {
    let differing = one.bytes().zip(other.bytes()).fold(0, |differing, (one, other)| differing | (one ^ other));
    one.len() == other.len() && differing == 0
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn only_addresses_and_known_names_are_hosts() {
        let access = Access { hosts: vec!["jobs.example.org".to_owned()], ..Access::new() };
        let check = |host: &str| access.check_site(&Uri::from_static("/"), &headers(&[("host", host)]), false);
        for own in
            ["127.0.0.1:80", "[::1]:7000", "[::1]", "localhost", "LocalHost:1", "10.0.0.7", "jobs.example.org:443"]
        {
            assert_eq!(check(own), Ok(()), "{own}");
        }
        for foreign in
            ["evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "", "::1:x", "jobs.example.org."]
        {
            assert_eq!(check(foreign), Err(Denied::Host), "{foreign}");
        }
        assert_eq!(access.check_site(&Uri::from_static("/"), &HeaderMap::new(), false), Err(Denied::Host));
    }

    #[test]
    fn changes_need_the_origin_of_the_same_host_and_port() {
        let access = Access::new();
        let check = |pairs: &[(&'static str, &str)]| {
            let pairs = [&[("host", "127.0.0.1:80")], pairs].concat();
            access.check_site(&Uri::from_static("/"), &headers(&pairs), true)
        };
        assert_eq!(check(&[("origin", "http://127.0.0.1:80")]), Ok(()));
        assert_eq!(check(&[("origin", "http://127.0.0.1:80"), ("sec-fetch-site", "same-origin")]), Ok(()));
        for foreign in ["http://127.0.0.1:81", "http://evil.example", "null", "127.0.0.1:80"] {
            assert_eq!(check(&[("origin", foreign)]), Err(Denied::Origin), "{foreign}");
        }
        assert_eq!(check(&[("origin", "http://127.0.0.1:80"), ("sec-fetch-site", "cross-site")]), Err(Denied::Origin));
        assert_eq!(check(&[]), Err(Denied::Origin));
    }

    #[test]
    fn cookie_of_another_dashboard_or_value_is_refused() {
        let access = Access::new();
        let token = access.token.clone().unwrap();
        let check = |cookie: &str| access.check_token(&headers(&[("cookie", cookie)]));
        assert_eq!(check(&format!("a=b; {}={token}", access.cookie)), Ok(()));
        for wrong in
            [format!("tracker_other={token}"), format!("{}={token}x", access.cookie), format!("{}=", access.cookie)]
        {
            assert_eq!(check(&wrong), Err(Denied::Token), "{wrong}");
        }
        assert_eq!(access.check_token(&HeaderMap::new()), Err(Denied::Token));
        let bearer = |given: &str| access.check_token(&headers(&[("authorization", given)]));
        assert_eq!(bearer(&format!("Bearer {token}")), Ok(()));
        for wrong in [format!("Bearer {token}x"), format!("Basic {token}"), "Bearer ".to_owned()] {
            assert_eq!(bearer(&wrong), Err(Denied::Token), "{wrong}");
        }
    }
}
