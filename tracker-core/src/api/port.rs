//! `Port` is the way in which a call waits for its answer: on the thread (`Blocking`), or in a future (`Async` in `api/asynchronous/calls`). A call of
//! `api` that has both forms is written once over it; `calls!` makes both methods, with one documentation text. Other calls use `Engine` directly.
//! Used by `api` and `worker/stop_handle`; acts through `Engine`, and decodes claimed tasks, which is user code.

use std::{
    future::ready,
    pin::pin,
    sync::{Arc, mpsc},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    api::{execution::Execution, shared::Shared},
    engine::{Action, Claim, Claimed, Claims, Signal},
    model::{
        error::{Error, Result},
        kind::Kind,
        task::TrackedTask,
    },
};

/// How a call hands actions to the engine and waits for the answers.
pub(crate) trait Port: Copy + Send {
    /// Whether a dropped execution gives its task back: true for futures, since a cancelled future drops its execution.
    const RELEASES_ON_DROP: bool;

    /// Runs an action. The answer comes when it is durable.
    fn call<A: Action>(self, shared: &Shared, action: A) -> impl Future<Output = Result<A::Out>> + Send;

    /// Queues an action at once. The future is its answer, so that the caller can prepare the next one meanwhile.
    fn queue<A: Action>(self, shared: &Shared, action: A) -> impl Future<Output = Result<A::Out>> + Send;

    /// Runs independent actions, in one commit if possible.
    fn call_all<A: Action>(
        self,
        shared: &Shared,
        actions: Vec<A>,
    ) -> impl Future<Output = Result<Vec<Result<A::Out>>>> + Send;

    /// Waits for room in the queue. Does nothing where [`call`](Self::call) waits for it.
    fn room(self, shared: &Shared) -> impl Future<Output = ()> + Send;

    /// Queues an action, and does not wait for its commit.
    fn post<A: Action>(self, shared: &Shared, action: A) -> impl Future<Output = Result<()>> + Send;

    /// Waits until the number of a signal differs from `seen`, for `at_most` at the longest.
    fn changed(self, signal: &Signal, seen: u64, at_most: Option<Duration>) -> impl Future<Output = ()> + Send;

    /// Claims tasks. If the caller is gone before the answer comes, they are given back.
    fn claim(self, shared: &Arc<Shared>, claim: Claim) -> impl Future<Output = Result<Claims>> + Send;

    /// Runs an action that starts one task. If the caller is gone before the answer comes, the task is given back.
    fn start<A: Action>(
        self,
        shared: &Arc<Shared>,
        action: A,
        claimed: impl FnOnce(A::Out) -> Result<Claimed> + Send + 'static,
    ) -> impl Future<Output = Result<Claimed>> + Send;
}

/// Waits on the thread: every future of it is ready when it is polled.
#[derive(Clone, Copy)]
pub(crate) struct Blocking;

impl Port for Blocking {
    const RELEASES_ON_DROP: bool = false;

    fn call<A: Action>(self, shared: &Shared, action: A) -> impl Future<Output = Result<A::Out>> + Send {
        ready(shared.engine.call(action))
    }

    fn queue<A: Action>(self, shared: &Shared, action: A) -> impl Future<Output = Result<A::Out>> + Send {
        let (sender, answer) = mpsc::channel();
        let queued = shared.engine.call_then(action, move |out| drop(sender.send(out)));
        async move {
            queued?;
            answer.recv().unwrap_or_else(|_| Err(Error::closed()))
        }
    }

    fn call_all<A: Action>(
        self,
        shared: &Shared,
        actions: Vec<A>,
    ) -> impl Future<Output = Result<Vec<Result<A::Out>>>> + Send {
        ready(shared.engine.call_all(actions))
    }

    fn room(self, _: &Shared) -> impl Future<Output = ()> + Send {
        ready(())
    }

    fn post<A: Action>(self, shared: &Shared, action: A) -> impl Future<Output = Result<()>> + Send {
        ready(shared.engine.post_in_turn(action))
    }

    fn changed(self, signal: &Signal, seen: u64, at_most: Option<Duration>) -> impl Future<Output = ()> + Send {
        signal.wait(seen, at_most);
        ready(())
    }

    fn claim(self, shared: &Arc<Shared>, claim: Claim) -> impl Future<Output = Result<Claims>> + Send {
        ready(shared.engine.call(claim))
    }

    fn start<A: Action>(
        self,
        shared: &Arc<Shared>,
        action: A,
        claimed: impl FnOnce(A::Out) -> Result<Claimed> + Send + 'static,
    ) -> impl Future<Output = Result<Claimed>> + Send {
        ready(shared.engine.call(action).and_then(claimed))
    }
}

/// The result of a future over [`Blocking`], which waits inside its only poll.
pub(crate) fn run_blocking<R>(call: impl Future<Output = R>) -> R {
    let mut call = pin!(call);
    loop {
        if let Poll::Ready(result) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
    }
}

/// Makes an execution of a claimed task. A task that cannot be decoded is marked as unreadable, and the error is returned.
pub(crate) async fn execution<T: TrackedTask, P: Port>(
    port: P,
    shared: &Arc<Shared>,
    kind: &Arc<Kind>,
    claimed: Claimed,
) -> Result<Execution<T>> {
    let unreadable = match Execution::<T>::decode(shared, kind, claimed) {
        Ok(execution) => return Ok(execution.released_on_drop(P::RELEASES_ON_DROP)),
        Err(unreadable) => *unreadable,
    };
    port.call(shared, unreadable.command).await?;
    Err(unreadable.error)
}

/// Makes the blocking and the async method of each call from one definition with one documentation text.
///
/// The first line has the receiver, and the names of the object and of the port that the bodies use. Each `impl` line states what the object
/// is for one of the two types. Bodies are async: `port.call(…).await` waits on the thread in the blocking method. Where the results differ, the signature
/// has both: `-> Result<Execution<T>>, async Result<AsyncExecution<T>>`.
macro_rules! calls {
    (
        $receiver:tt => ($this:ident, $port:ident);
        impl[$($bounds:tt)*] $blocking:ty => $own:expr;
        impl[$($async_bounds:tt)*] $asynchronous:ty => $async_own:expr;
        $(
            $(#[$meta:meta])*
            pub fn $name:ident($($arg:ident: $arg_type:ty),* $(,)?) -> $out:ty $(, async $async_out:ty)? $body:block
        )+
    ) => {
        impl<$($bounds)*> $blocking {
            $($crate::api::port::calls! {
                @method $receiver, ($($arg: $arg_type),*);
                $(#[$meta])*
                #[allow(clippy::useless_conversion, reason = "the body converts for the async twin")]
                pub fn $name() -> $out {
                    let ($this, $port) = ($own, $crate::api::port::Blocking);
                    $crate::api::port::run_blocking(async move $body)
                }
            })+
        }

        #[cfg(feature = "tokio")]
        impl<$($async_bounds)*> $asynchronous {
            $($crate::api::port::calls! {
                @method $receiver, ($($arg: $arg_type),*);
                $(#[$meta])*
                pub async fn $name() -> $crate::api::port::calls!(@out $out $(, $async_out)?) {
                    let ($this, $port) = ($async_own, $crate::api::asynchronous::calls::Async);
                    $body
                }
            })+
        }
    };
    (
        @method ($($receiver:tt)+), ($($arg:ident: $arg_type:ty),*);
        $(#[$meta:meta])*
        pub $($keyword:ident)+() -> $($rest:tt)+
    ) => {
        $(#[$meta])*
        pub $($keyword)+($($receiver)+ $(, $arg: $arg_type)*) -> $($rest)+
    };
    (@out $out:ty) => { $out };
    (@out $out:ty, $async_out:ty) => { $async_out };
}
pub(crate) use calls;
