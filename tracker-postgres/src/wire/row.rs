//! `Row`: a row of a result in the binary form of the server, read column by column. Used by every module that reads an answer; pure.

use tracker_core::store::RowKey;

use super::error::{Result, WireError};

/// A row of a result, read column by column.
#[derive(Debug)]
pub(crate) struct Row {
    body: Vec<u8>,
    at: usize,
}

impl Row {
    /// A row from the body of its message, which starts with the number of columns.
    pub(crate) fn new(body: Vec<u8>) -> Self {
        Self { body, at: 2 }
    }

    /// A row of columns; `None` for NULL.
    pub(crate) fn of_columns(columns: Vec<Option<Vec<u8>>>) -> Self {
        let mut body = vec![0; 2];
        for column in columns {
            let length = column.as_ref().map_or(-1, |column| i32::try_from(column.len()).unwrap_or(i32::MAX));
            body.extend_from_slice(&length.to_be_bytes());
            body.extend(column.unwrap_or_default());
        }
        Self::new(body)
    }

    /// The next column; `None` for NULL.
    fn next(&mut self) -> Result<Option<&[u8]>> {
        let short = || WireError::Protocol("a row is too short");
        let rest = self.body.get(self.at..).ok_or_else(short)?;
        let (length, _) = rest.split_first_chunk().ok_or_else(short)?;
        self.at += 4;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Ok(None) };
        let start = self.at;
        self.at += length;
        self.body.get(start..start + length).map(Some).ok_or_else(short)
    }

    pub(crate) fn bytes(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.next()?.map(<[u8]>::to_vec))
    }

    pub(crate) fn key(&mut self) -> Result<Option<RowKey>> {
        Ok(self.next()?.map(RowKey::from))
    }

    /// A column that is never NULL.
    pub(crate) fn some_bytes(&mut self) -> Result<Vec<u8>> {
        self.bytes()?.ok_or(WireError::Protocol("a column is NULL"))
    }

    /// A column that is never NULL.
    pub(crate) fn int8(&mut self) -> Result<i64> {
        self.maybe_int8()?.ok_or(WireError::Protocol("a column is NULL"))
    }

    pub(crate) fn maybe_int8(&mut self) -> Result<Option<i64>> {
        let Some(field) = self.next()? else { return Ok(None) };
        let field = field.try_into().map_err(|_| WireError::Protocol("a column has another type"))?;
        Ok(Some(i64::from_be_bytes(field)))
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        String::from_utf8(self.some_bytes()?).map_err(|_| WireError::Protocol("a text is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_in_order() {
        let mut row = Row::new(b"\0\x03\0\0\0\x01a\xff\xff\xff\xff\0\0\0\x08\0\0\0\0\0\0\0\x07".to_vec());
        assert!(matches!(row.bytes(), Ok(Some(bytes)) if bytes == b"a"));
        assert!(matches!(row.bytes(), Ok(None)));
        assert!(matches!(row.int8(), Ok(7)));
        assert!(row.int8().is_err());
    }

    #[test]
    fn row_of_columns_gives_them_back() {
        let mut row = Row::of_columns(vec![Some(b"a".to_vec()), None, Some(7_i64.to_be_bytes().to_vec())]);
        assert!(matches!(row.bytes(), Ok(Some(bytes)) if bytes == b"a"));
        assert!(matches!(row.bytes(), Ok(None)));
        assert!(matches!(row.int8(), Ok(7)));
    }

    #[test]
    fn cut_row_is_refused() {
        assert!(Row::new(b"\0\x01\0\0\0\x05a".to_vec()).bytes().is_err());
    }
}
