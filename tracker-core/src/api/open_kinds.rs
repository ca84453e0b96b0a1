//! `OpenKinds` maps the name of each open kind to its type, so that no other type opens it, and keeps its registered definition, so that the same
//! type opens it again without a transaction. Called by `api/tracker` and `portable`; `api/shared` keeps it, and each handle in `api/tasks` keeps an
//! `OpenType` alive. In memory, behind a lock.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

#[cfg(feature = "json")]
use crate::model::{codec, task::ValueType};
use crate::model::{
    error::{Error, ErrorKind, Result},
    kind::Kind,
    kinds::Kinds,
    task::TrackedTask,
};

/// The names that are or were open, each with the type that opened it last.
#[derive(Default)]
pub(crate) struct OpenKinds(Mutex<HashMap<String, OpenName>>);

/// A name and the type that opened it last.
struct OpenName {
    type_id: TypeId,
    /// Dead once no handle is left.
    opened: Weak<OpenType>,
    /// The definition as it was stored when the type opened the name.
    registered: Option<Arc<Kind>>,
}

/// The type as which a kind is open. Empty for a kind that is open without a type (`Tracker::untyped`).
#[derive(Default)]
pub(crate) struct OpenType {
    /// Decodes a payload as the type.
    #[cfg(feature = "json")]
    pub typed: Option<codec::Typed>,
    /// The type of the ids, if it declares one.
    #[cfg(feature = "json")]
    pub id_type: Option<ValueType>,
}

impl OpenKinds {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, OpenName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a name as a type. Refused while it is open as another type.
    pub(super) fn enter<T: TrackedTask>(&self, name: &str) -> Result<Arc<OpenType>> {
        let mut open = self.lock();
        if let Some(entry) = open.get(name)
            && let Some(opened) = entry.opened.upgrade()
        {
            if entry.type_id == TypeId::of::<T>() {
                return Ok(opened);
            }
            return Err(Error::new(
                ErrorKind::SchemaMismatch,
                format!("kind {name:?} is open as another type; drop its Tasks first, or use another name"),
            ));
        }
        let opened = Arc::new(OpenType {
            #[cfg(feature = "json")]
            typed: Some(codec::typed_parts::<T>),
            #[cfg(feature = "json")]
            id_type: T::id_type(),
        });
        let former = open.remove(name).filter(|entry| entry.type_id == TypeId::of::<T>());
        let registered = former.and_then(|entry| entry.registered);
        let entry = OpenName { type_id: TypeId::of::<T>(), opened: Arc::downgrade(&opened), registered };
        open.insert(name.to_owned(), entry);
        Ok(opened)
    }

    /// Returns the definition that the type of an open name has registered, if `kinds` still has that definition. Without one, the type registers again.
    pub(super) fn registered(&self, name: &str, kinds: &Kinds) -> Option<Arc<Kind>> {
        let kind = self.lock().get(name)?.registered.clone()?;
        let known = kinds.get(kind.id)?;
        (Arc::ptr_eq(known, &kind) || *known == kind).then_some(kind)
    }

    /// Keeps the definition that a type has registered under a name.
    pub(super) fn note_registered<T: TrackedTask>(&self, name: &str, kind: &Arc<Kind>) {
        let mut open = self.lock();
        if let Some(entry) = open.get_mut(name).filter(|entry| entry.type_id == TypeId::of::<T>()) {
            entry.registered = Some(kind.clone());
        }
    }

    /// The decoder of the type that is open under a name.
    #[cfg(feature = "json")]
    pub(crate) fn typed(&self, name: &str) -> Option<codec::Typed> {
        self.opened(name)?.typed
    }

    /// The type of the ids of the type that is open under a name, if it declares one.
    #[cfg(feature = "json")]
    pub(crate) fn id_type(&self, name: &str) -> Option<ValueType> {
        self.opened(name)?.id_type
    }

    #[cfg(feature = "json")]
    fn opened(&self, name: &str) -> Option<Arc<OpenType>> {
        let open = self.lock();
        open.get(name).and_then(|name| name.opened.upgrade())
    }
}
