//! Messages of the protocol (version 3.0) as bytes: builds those that are sent, and parses the frames and fields of those that arrive. Called
//! by `connection` and `login`; pure.

use super::error::{Result, ServerError, WireError};

/// The longest message that is accepted: what the server can hold in one value.
const LONGEST: usize = 1 << 30;

/// Appends a message with a tag: its length, then what `body` appends.
fn message(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn number(count: usize) -> [u8; 2] {
    u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes()
}

/// Asks for encryption.
pub(crate) fn tls_request() -> [u8; 8] {
    [0, 0, 0, 8, 4, 210, 22, 47]
}

pub(crate) fn startup(out: &mut Vec<u8>, parameters: &[(&str, &str)]) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&196_608_u32.to_be_bytes());
    for (name, value) in parameters {
        text(out, name);
        text(out, value);
    }
    out.push(0);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

pub(crate) fn password(out: &mut Vec<u8>, password: &[u8]) {
    message(out, b'p', |out| {
        out.extend_from_slice(password);
        out.push(0);
    });
}

pub(crate) fn sasl_first(out: &mut Vec<u8>, mechanism: &str, data: &[u8]) {
    message(out, b'p', |out| {
        text(out, mechanism);
        out.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(data);
    });
}

pub(crate) fn sasl_next(out: &mut Vec<u8>, data: &[u8]) {
    message(out, b'p', |out| out.extend_from_slice(data));
}

/// Prepares a statement; one without a name lives until the next.
pub(crate) fn parse(out: &mut Vec<u8>, name: &str, sql: &str, types: &[u32]) {
    message(out, b'P', |out| {
        text(out, name);
        text(out, sql);
        out.extend_from_slice(&number(types.len()));
        for oid in types {
            out.extend_from_slice(&oid.to_be_bytes());
        }
    });
}

/// Binds parameters to a prepared statement and runs it. Parameters and results are binary.
pub(crate) fn bind_and_execute(out: &mut Vec<u8>, name: &str, count: usize, params: &[u8]) {
    message(out, b'B', |out| {
        out.push(0);
        text(out, name);
        out.extend_from_slice(&[0, 1, 0, 1]);
        out.extend_from_slice(&number(count));
        out.extend_from_slice(params);
        out.extend_from_slice(&[0, 1, 0, 1]);
    });
    message(out, b'E', |out| out.extend_from_slice(&[0; 5]));
}

/// Runs statements without parameters.
pub(crate) fn query(out: &mut Vec<u8>, sql: &str) {
    message(out, b'Q', |out| text(out, sql));
}

/// Ends a pipeline: an error before it skips all messages up to it.
pub(crate) fn sync(out: &mut Vec<u8>) {
    message(out, b'S', |_| {});
}

/// Asks the server to send the answers that it has.
pub(crate) fn flush(out: &mut Vec<u8>) {
    message(out, b'H', |_| {});
}

pub(crate) fn terminate(out: &mut Vec<u8>) {
    message(out, b'X', |_| {});
}

/// The length of the body, from the four bytes after the tag.
pub(crate) fn body_length(field: [u8; 4]) -> Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(field)).unwrap_or(usize::MAX);
    match length.checked_sub(4) {
        Some(length @ ..=LONGEST) => Ok(length),
        _ => Err(WireError::Protocol("a message has an impossible length")),
    }
}

/// The fields of a message, from its first one on.
pub(crate) struct Fields<'b>(pub &'b [u8]);

impl<'b> Fields<'b> {
    pub(crate) fn int4(&mut self) -> Result<i32> {
        let (field, rest) = self.0.split_first_chunk().ok_or(WireError::Protocol("a message is too short"))?;
        self.0 = rest;
        Ok(i32::from_be_bytes(*field))
    }

    pub(crate) fn text(&mut self) -> Result<&'b str> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(WireError::Protocol("a text has no end"))?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        str::from_utf8(text).map_err(|_| WireError::Protocol("a text is not UTF-8"))
    }
}

/// The fields of an error.
pub(crate) fn server_error(body: &[u8]) -> ServerError {
    let mut error = ServerError::default();
    let mut rest = body;
    while let Some((tag @ 1.., after)) = rest.split_first() {
        let end = after.iter().position(|byte| *byte == 0).unwrap_or(after.len());
        let (value, next) = after.split_at(end);
        rest = next.get(1..).unwrap_or_default();
        let value = String::from_utf8_lossy(value).into_owned();
        match tag {
            b'C' => error.code = value,
            b'M' => error.message = value,
            b'D' => error.detail = Some(value),
            // Not translated, unlike `S`.
            b'V' => error.is_fatal = matches!(value.as_str(), "FATAL" | "PANIC"),
            _ => {}
        }
    }
    error
}

/// The contents of a notification.
pub(crate) fn notification(body: &[u8]) -> Result<&str> {
    let mut fields = Fields(body);
    fields.int4()?;
    fields.text()?;
    fields.text()
}

/// The number of rows at the end of a command's tag, such as `UPDATE 3`.
pub(crate) fn affected(body: &[u8]) -> u64 {
    let tag = body.strip_suffix(&[0]).unwrap_or(body);
    let number = tag.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_carry_their_length() {
        let mut out = Vec::new();
        query(&mut out, "BEGIN");
        assert_eq!(out, b"Q\0\0\0\x0aBEGIN\0");
        out.clear();
        sync(&mut out);
        assert_eq!(out, b"S\0\0\0\x04");
        out.clear();
        startup(&mut out, &[("user", "a")]);
        assert_eq!(out, b"\0\0\0\x10\0\x03\0\0user\0a\0\0");
    }

    #[test]
    fn impossible_length_is_refused() {
        assert!(body_length([0, 0, 0, 3]).is_err());
        assert!(body_length([255; 4]).is_err());
        assert!(matches!(body_length([0, 0, 0, 4]), Ok(0)));
    }

    #[test]
    fn error_fields_are_read_to_the_end() {
        let error = server_error(b"SFEHLER\0VFATAL\0C57P01\0Mgone\0Ddetail\0\0");
        assert_eq!((error.code.as_str(), error.message.as_str(), error.is_fatal), ("57P01", "gone", true));
        assert_eq!(error.detail.as_deref(), Some("detail"));
        assert_eq!(server_error(b"C4000").code, "4000");
    }

    #[test]
    fn notification_carries_its_payload_behind_process_and_channel() {
        assert!(matches!(notification(b"\0\0\0\x07tracker\0one\0"), Ok("one")));
        assert!(notification(b"\0\0\0\x07tracker\0one").is_err());
        assert!(notification(b"\0\0").is_err());
    }

    #[test]
    fn tag_of_a_command_ends_with_its_rows() {
        assert_eq!(affected(b"INSERT 0 12\0"), 12);
        assert_eq!(affected(b"COMMIT\0"), 0);
    }
}
