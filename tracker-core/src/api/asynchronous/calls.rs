use std::sync::Arc;

use tokio::sync::oneshot::{Receiver, channel};

use super::delivery::Delivery;
use crate::{
    api::{execution::Execution, shared::Shared},
    engine::{Action, Claim, Claimed, Claims, FinishTask},
    model::{
        error::{Error, Result},
        kind::Kind,
        task::TrackedTask,
        transition::Header,
    },
};

/// Queues an action at once: it is done whether or not anybody waits for the answer.
pub(crate) fn queue<A: Action>(shared: &Shared, action: A) -> impl Future<Output = Result<A::Out>> + Send + use<A> {
    let (teller, answer) = channel();
    let queued = shared.engine.call_then(action, move |out| drop(teller.send(out)));
    heard(queued, answer)
}

/// Claims. What was claimed for a future that is gone by then is given back.
pub(crate) async fn claim(shared: &Arc<Shared>, claim: Claim) -> Result<Claims> {
    let (teller, answer) = channel();
    let queued = shared.engine.call_then(claim, deliver(shared, teller));
    Ok(heard(queued, answer).await?.take())
}

/// Starts one task, by whatever action, with the same care.
pub(crate) async fn start<A: Action>(
    shared: &Arc<Shared>,
    start: A,
    claimed: impl FnOnce(A::Out) -> Result<Claimed> + Send + 'static,
) -> Result<Claimed> {
    let (teller, answer) = channel();
    let deliver = deliver(shared, teller);
    let one = |claimed| Claims { tasks: vec![claimed], ..Claims::default() };
    let queued = shared.engine.call_then(start, move |out| deliver(out.and_then(claimed).map(one)));
    heard(queued, answer).await?.take().tasks.pop().ok_or_else(Error::closed)
}

/// Stores the end of an attempt and claims the next task, in one commit. What was claimed is given back unless it is taken
/// out of its delivery.
pub(crate) async fn finish_and_claim(
    shared: &Arc<Shared>,
    finish: FinishTask,
    claim: Claim,
) -> (Result<Header>, Result<Delivery>) {
    let ((end, ended), (teller, answer)) = (channel(), channel());
    let finish = (finish, move |out| drop(end.send(out)));
    let queued = shared.engine.call_both_then(finish, (claim, deliver(shared, teller)));
    (heard(queued, ended).await, heard(Ok(()), answer).await)
}

/// Takes what was claimed; what cannot be decoded is put out of the line, and reported.
pub(crate) async fn execution<T: TrackedTask>(
    shared: &Arc<Shared>,
    kind: &Arc<Kind>,
    claimed: Claimed,
) -> Result<Execution<T>> {
    let unreadable = match Execution::decode(shared, kind, claimed) {
        Ok(mut execution) => {
            execution.release_on_drop = true;
            return Ok(execution);
        }
        Err(unreadable) => *unreadable,
    };
    queue(shared, unreadable.strand).await?;
    Err(unreadable.error)
}

fn deliver(
    shared: &Arc<Shared>,
    teller: tokio::sync::oneshot::Sender<Result<Delivery>>,
) -> impl FnOnce(Result<Claims>) + Send + 'static {
    let shared = shared.clone();
    move |out| drop(teller.send(out.map(|claims| Delivery::new(shared, claims))))
}

async fn heard<T>(queued: Result<()>, answer: Receiver<Result<T>>) -> Result<T> {
    queued?;
    answer.await.unwrap_or_else(|_| Err(Error::closed()))
}
