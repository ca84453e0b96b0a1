//! Implements `SqlTransaction` for transactions of the crate `postgres` (feature `postgres`). Called by `caller/service`; runs statements on
//! the caller's connection.

use std::error::Error as StdError;

use bytes::BytesMut;
use postgres::types::{self, FromSql, IsNull, ToSql, Type};

use super::sql_transaction::{SqlError, SqlRow, SqlTransaction};

impl SqlTransaction for postgres::Transaction<'_> {
    fn run_statement(
        &mut self,
        sql: &str,
        types: &[u32],
        parameters: &[Option<&[u8]>],
    ) -> Result<Vec<SqlRow>, SqlError> {
        let values: Vec<_> = parameters.iter().copied().map(Binary).collect();
        let with_type = |(value, oid): (_, &u32)| {
            let known = Type::from_oid(*oid);
            Ok((value, known.ok_or_else(|| SqlError::broken(format!("the client does not know the type {oid}")))?))
        };
        let values = values.iter().map(|value| value as &(dyn ToSql + Sync)).zip(types).map(with_type);
        let rows = self.query_typed(sql, &values.collect::<Result<Vec<_>, SqlError>>()?).map_err(sql_error)?;
        rows.iter().map(columns).collect()
    }
}

fn columns(row: &postgres::Row) -> Result<SqlRow, SqlError> {
    (0..row.len()).map(|index| Ok(row.try_get::<_, Column>(index).map_err(sql_error)?.0)).collect()
}

fn sql_error(error: postgres::Error) -> SqlError {
    match error.as_db_error() {
        Some(refusal) => SqlError::refused(refusal.code().code(), refusal.clone()),
        None => SqlError::broken(error),
    }
}

/// A parameter that is in the form of the server.
#[derive(Debug)]
struct Binary<'v>(Option<&'v [u8]>);

impl ToSql for Binary<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Some(value) = self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(value);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    types::to_sql_checked!();
}

/// A column in the form of the server.
struct Column(Option<Vec<u8>>);

impl FromSql<'_> for Column {
    fn from_sql(_: &Type, bytes: &[u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Some(bytes.to_vec())))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
