//! `Delivery` holds tasks that were claimed for an async caller. Dropped before the caller takes them, it releases them. Used by
//! `calls` and by `worker/async_slot`; acts through `Engine`.

use std::{mem, sync::Arc};

use crate::{api::shared::Shared, engine::Claims};

/// Claimed tasks on the way to their caller. If the caller has dropped its future, they are released as if they had not been claimed.
pub(crate) struct Delivery {
    shared: Arc<Shared>,
    claims: Claims,
}

impl Delivery {
    pub(super) fn new(shared: Arc<Shared>, claims: Claims) -> Self {
        Self { shared, claims }
    }

    pub(crate) fn take(mut self) -> Claims {
        mem::take(&mut self.claims)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        for claimed in self.claims.tasks.drain(..) {
            self.shared.engine.give_back(claimed);
        }
    }
}
