//! `Async` is the port of async calls: it queues actions, and awaits their answers without a blocked thread. Called by the async form of
//! each call in `api`, by `worker/async_slot` and `worker/heartbeats`; acts through `Engine`. `execution` decodes the payload, which is user code.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot::{Receiver, Sender, channel};

use super::{delivery::Delivery, twins::AsyncExecution};
use crate::{
    api::{
        port::{self, Port},
        shared::Shared,
    },
    engine::{Action, Claim, Claimed, Claims, FinishTask, Signal},
    model::{
        error::{Error, Result},
        kind::Kind,
        task::TrackedTask,
        transition::Header,
    },
};

/// Waits in a future. An action is queued when the future is first polled, and is then done whether or not its answer is awaited.
#[derive(Clone, Copy)]
pub(crate) struct Async;

impl Port for Async {
    const RELEASES_ON_DROP: bool = true;

    fn call<A: Action>(self, shared: &Shared, action: A) -> impl Future<Output = Result<A::Out>> + Send {
        queue(shared, action)
    }

    fn queue<A: Action>(self, shared: &Shared, action: A) -> impl Future<Output = Result<A::Out>> + Send {
        queue(shared, action)
    }

    async fn call_all<A: Action>(self, shared: &Shared, actions: Vec<A>) -> Result<Vec<Result<A::Out>>> {
        let queued: Vec<_> = actions.into_iter().map(|action| queue(shared, action)).collect();
        let mut answers = Vec::with_capacity(queued.len());
        for answer in queued {
            answers.push(answer.await);
        }
        Ok(answers)
    }

    async fn room(self, shared: &Shared) {
        shared.engine.room().await;
    }

    async fn post<A: Action>(self, shared: &Shared, action: A) -> Result<()> {
        shared.engine.room().await;
        shared.engine.post(action)
    }

    async fn changed(self, signal: &Signal, seen: u64, at_most: Option<Duration>) {
        signal.changed(seen, at_most).await;
    }

    async fn claim(self, shared: &Arc<Shared>, claim: Claim) -> Result<Claims> {
        self::claim(shared, claim).await
    }

    async fn start<A: Action>(
        self,
        shared: &Arc<Shared>,
        action: A,
        claimed: impl FnOnce(A::Out) -> Result<Claimed> + Send + 'static,
    ) -> Result<Claimed> {
        let (sender, answer) = channel();
        let deliver = deliver(shared, sender);
        let one = |claimed| Claims { tasks: vec![claimed], ..Claims::default() };
        let queued = shared.engine.call_then(action, move |out| deliver(out.and_then(claimed).map(one)));
        answered(queued, answer).await?.take().tasks.pop().ok_or_else(Error::closed)
    }
}

/// Queues an action at once, so that it runs whether or not the future is awaited.
pub(crate) fn queue<A: Action>(shared: &Shared, action: A) -> impl Future<Output = Result<A::Out>> + Send + use<A> {
    let (sender, answer) = channel();
    let queued = shared.engine.call_then(action, move |out| drop(sender.send(out)));
    answered(queued, answer)
}

/// Claims tasks. If the future is dropped before the answer comes, they are given back.
pub(crate) async fn claim(shared: &Arc<Shared>, claim: Claim) -> Result<Claims> {
    let (sender, answer) = channel();
    let queued = shared.engine.call_then(claim, deliver(shared, sender));
    Ok(answered(queued, answer).await?.take())
}

/// Makes an execution of a claimed task, as [`port::execution`] does.
pub(crate) async fn execution<T: TrackedTask>(
    shared: &Arc<Shared>,
    kind: &Arc<Kind>,
    claimed: Claimed,
) -> Result<AsyncExecution<T>> {
    port::execution(Async, shared, kind, claimed).await.map(AsyncExecution)
}

/// Stores the end of an attempt and claims the next task, in one commit. Claimed tasks are given back unless they are taken
/// out of the delivery.
pub(crate) async fn finish_and_claim(
    shared: &Arc<Shared>,
    finish: FinishTask,
    claim: Claim,
) -> (Result<Header>, Result<Delivery>) {
    let ((end, ended), (sender, answer)) = (channel(), channel());
    let finish = (finish, move |out| drop(end.send(out)));
    let queued = shared.engine.call_both_then(finish, (claim, deliver(shared, sender)));
    (answered(queued, ended).await, answered(Ok(()), answer).await)
}

fn deliver(shared: &Arc<Shared>, sender: Sender<Result<Delivery>>) -> impl FnOnce(Result<Claims>) + Send + 'static {
    let shared = shared.clone();
    move |out| drop(sender.send(out.map(|claims| Delivery::new(shared, claims))))
}

async fn answered<T>(queued: Result<()>, answer: Receiver<Result<T>>) -> Result<T> {
    queued?;
    answer.await.unwrap_or_else(|_| Err(Error::closed()))
}
