//! Makes the blocking, the async and the deferred method of a call that is one action, by the macro `single_calls!`, from one definition:
//! the action, and the function that turns its answer into the result. Used by `api/tasks` and `api/deferred`; acts through `Engine`.

use crate::{
    api::{port::Port, shared::Shared},
    engine::Action,
    model::error::Result,
};

/// An action, and the result that its answer becomes.
pub(crate) struct SingleCall<A, F> {
    pub action: A,
    pub finish: F,
}

impl<A: Action> SingleCall<A, fn(A::Out) -> Result<()>> {
    /// A call without a result.
    pub(crate) fn new(action: A) -> Self {
        Self { action, finish: |_| Ok(()) }
    }
}

impl<A: Action, R, F: FnOnce(A::Out) -> Result<R>> SingleCall<A, F> {
    /// Makes the call over a port.
    pub(crate) async fn run(self, port: impl Port, shared: &Shared) -> Result<R> {
        port.room(shared).await;
        port.call(shared, self.action).await.and_then(self.finish)
    }
}

/// Makes three methods of each call. The header has the receiver and the name of the object in the bodies; each `impl` line states what
/// the object is for one of the types. A body is an expression of the type [`SingleCall`].
macro_rules! single_calls {
    (
        (&self) => $this:ident;
        impl[$($bounds:tt)*] $blocking:ty => $own:expr;
        impl[$($async_bounds:tt)*] $asynchronous:ty => $async_own:expr;
        impl[$($deferred_bounds:tt)*] $deferred:ty => $deferred_own:expr;
        $(
            $(#[$meta:meta])*
            pub fn $name:ident(&$self:ident $(, $arg:ident: $arg_type:ty)* $(,)?) -> Result<$out:ty> $body:block
        )+
    ) => {
        impl<$($bounds)*> $blocking {
            $(
                $(#[$meta])*
                pub fn $name(&$self $(, $arg: $arg_type)*) -> Result<$out> {
                    let $this = $own;
                    let call = $body;
                    $crate::api::port::run_blocking(call.run($crate::api::port::Blocking, &$this.shared))
                }
            )+
        }

        #[cfg(feature = "tokio")]
        impl<$($async_bounds)*> $asynchronous {
            $(
                $(#[$meta])*
                pub async fn $name(&$self $(, $arg: $arg_type)*) -> Result<$out> {
                    let $this = $async_own;
                    let call = $body;
                    call.run($crate::api::asynchronous::calls::Async, &$this.shared).await
                }
            )+
        }

        impl<$($deferred_bounds)*> $deferred {
            $(
                $(#[$meta])*
                pub fn $name(&$self $(, $arg: $arg_type)*) -> $crate::api::deferred::Pending<$out> {
                    let $this = $deferred_own;
                    $crate::api::deferred::Pending::of(&$this.shared, Ok($body))
                }
            )+
        }
    };
}
pub(crate) use single_calls;
