//! Converts payloads to JSON and back, with the keys that the file derives from them, and guesses missing keys if no type is open. Called by
//! `task`, `batch` and `imported_task`; runs the code of open types, and touches no row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::value::Value;
use crate::model::codec::Typed;
use crate::model::{
    bounds::check_values,
    codec::check_bytes,
    error::{Error, Result},
    kind::Kind,
    payload::{Node, Payload},
    task::TaskKey,
    task_row::{TaskRow, Values},
};

/// Values by the names of their indexes or unique keys.
pub(super) type Keys = BTreeMap<String, Value>;

/// A payload with its keys. Keys that the line does not give are read from the payload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortablePayload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indexes: Option<Keys>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniques: Option<Keys>,
    pub payload: Payload,
}

/// A payload with all of its kind's keys, and how these came to be.
pub(super) struct Keyed {
    pub values: Values,
    pub payload: Vec<u8>,
    pub fingerprint: Option<u64>,
    /// Whether only its type knows whether the keys are right.
    pub guessed: bool,
}

impl Keyed {
    pub(super) fn task_row(self, id: &TaskKey) -> TaskRow {
        let (indexes, uniques) = self.values;
        TaskRow { id: id.clone(), indexes, uniques, payload: self.payload }
    }
}

impl PortablePayload {
    pub(super) fn of(kind: &Kind, (indexes, uniques): (&[Vec<u8>], &[Vec<u8>]), payload: &[u8]) -> Self {
        let named = |names: &mut dyn Iterator<Item = &String>, values: &[Vec<u8>]| {
            let values = names.cloned().zip(values.iter().map(|value| Value::of(value)));
            Some(values.collect::<Keys>()).filter(|values| !values.is_empty())
        };
        Self {
            indexes: named(&mut kind.indexes.iter(), indexes),
            uniques: named(&mut kind.uniques.iter().map(|(name, _)| name), uniques),
            payload: Payload::from_bytes(payload.to_vec()),
        }
    }

    pub(super) fn of_row(kind: &Kind, row: &TaskRow) -> Self {
        Self::of(kind, (&row.indexes, &row.uniques), &row.payload)
    }

    /// The payload with its keys, of a task with this id. Without an id, the payload may have one.
    pub(super) fn keyed(self, kind: &Kind, id: Option<&TaskKey>, typed: Option<Typed>) -> Result<Keyed> {
        check_bytes(self.payload.as_bytes())?;
        let (indexes, uniques) = (self.indexes.unwrap_or_default(), self.uniques.unwrap_or_default());
        let names: Vec<&String> = kind.uniques.iter().map(|(name, _)| name).collect();
        for (given, known, what) in
            [(&indexes, kind.indexes.iter().collect(), "index"), (&uniques, names.clone(), "unique key")]
        {
            known_only(given, &known, what)?;
        }
        let complete = kind.indexes.iter().all(|name| indexes.contains_key(name))
            && names.iter().all(|name| uniques.contains_key(*name));
        let payload = self.payload.as_bytes().to_vec();
        let (values, fingerprint, guessed) = match typed {
            Some(typed) if !complete => {
                let own = typed(&payload).ok_or_else(|| {
                    Error::invalid("its payload cannot be read as the type that is open for its kind")
                })?;
                if let (Some(id), Some(other)) = (id, &own.id)
                    && id != other
                {
                    return Err(Error::invalid(format!("its id is \"{id}\", but that of its payload is \"{other}\"")));
                }
                (own.values, own.fingerprint, false)
            }
            _ => (given_or_guessed_keys(kind, &self.payload, &indexes, &uniques), None, !complete),
        };
        check_values(&values.0)?;
        check_values(&values.1)?;
        Ok(Keyed { values, payload, fingerprint, guessed })
    }
}

fn known_only(given: &Keys, known: &Vec<&String>, what: &str) -> Result<()> {
    match given.keys().find(|name| !known.contains(name)) {
        Some(name) => Err(Error::invalid(format!("its kind has no {what} {name:?}; it has {known:?}"))),
        None => Ok(()),
    }
}

/// The keys that the line gives. For each other key, the field of its name in the payload, if there is one.
fn given_or_guessed_keys(kind: &Kind, payload: &Payload, indexes: &Keys, uniques: &Keys) -> Values {
    let node = payload.node();
    let guess = |name: &str| Value::guess(node.as_ref().and_then(|node| Node::field(node, name)));
    let index = |name: &String| indexes.get(name).cloned().or_else(|| guess(name)).unwrap_or(Value::None).encoded();
    let unique = |(name, _): &(String, bool)| match uniques.get(name) {
        Some(given) => given.encoded(),
        None => guess(name).filter(|value| *value != Value::None).map(|value| value.encoded()).unwrap_or_default(),
    };
    (kind.indexes.iter().map(index).collect(), kind.uniques.iter().map(unique).collect())
}
