//! Names the probable format of text that is not JSON lines, and states how to convert it. Called by `line` and `import`; pure.

/// The byte order mark, in UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Returns the format of a file without lines that begins like this, and how to convert it.
pub(super) fn format(start: &[u8]) -> Option<&'static str> {
    const FORMATS: [(&[u8], &str); 8] = [
        (b"\x1f\x8b", "the file is compressed by gzip: decompress it first (`gzip -dc`)"),
        (b"\x28\xb5\x2f\xfd", "the file is compressed by zstd: decompress it first (`zstd -dc`)"),
        (b"\xfd7zXZ\0", "the file is compressed by xz: decompress it first (`xz -dc`)"),
        (b"BZh", "the file is compressed by bzip2: decompress it first (`bzip2 -dc`)"),
        (b"PK\x03\x04", "the file is a zip archive: unpack it first"),
        (b"redb\x1a\n", "the file is a tracker file: write its tasks as lines first (`tracker export`)"),
        (b"\xff\xfe", UTF_16),
        (b"\xfe\xff", UTF_16),
    ];
    let known = FORMATS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, what)| *what);
    // Without a mark: every second byte of its first characters is zero.
    known.or_else(|| start.get(..2).filter(|start| start.contains(&0)).map(|_| UTF_16))
}

const UTF_16: &str = "the file is UTF-16: convert it to UTF-8 first (`iconv -f UTF-16 -t UTF-8`)";

/// The advice for text that is not one object.
pub(super) fn advice(text: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    let trailing = || error.to_string().starts_with("trailing characters");
    let marked = || text.windows(BOM.len()).any(|window| window == BOM);
    match text.first() {
        Some(b'[') => Some("each line is one object, and this begins an array: make lines of it with `jq -c '.[]'`"),
        Some(b'{') if error.is_eof() => {
            Some("the object does not end on its line: make lines of pretty-printed JSON with `jq -c .`")
        }
        Some(b'{') if trailing() && marked() => Some(
            "a byte order mark (U+FEFF) stands in the middle: end each file with a line break before joining files",
        ),
        Some(b'{') if trailing() => Some("each line is one object: make lines of several with `jq -c .`"),
        Some(b'{') => None,
        _ => Some("each line is one object: make lines of pretty-printed JSON with `jq -c .`"),
    }
}
