//! Threads that run the handlers of a batch, for peers that claim and end many tasks in one call.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use crate::{Error, Handlers};

/// Threads that run handlers. They end when the pool is dropped.
pub struct HandlerPool {
    numbers: mpsc::Sender<u64>,
    ends: mpsc::Receiver<()>,
}

impl HandlerPool {
    /// Starts `workers` threads.
    #[must_use]
    pub fn new(workers: usize, handlers: &Arc<Handlers>) -> Self {
        let (numbers, queued) = mpsc::channel::<u64>();
        let (ended, ends) = mpsc::channel();
        let queued = Arc::new(Mutex::new(queued));
        for _ in 0..workers {
            let (queued, ended, handlers) = (queued.clone(), ended.clone(), handlers.clone());
            thread::spawn(move || {
                loop {
                    let number = queued.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(number) = number else { return };
                    handlers.run(number);
                    if ended.send(()).is_err() {
                        return;
                    }
                }
            });
        }
        Self { numbers, ends }
    }

    /// Runs the handlers of these tasks and waits for all of them.
    pub fn run(&self, numbers: impl IntoIterator<Item = u64>) -> Result<(), Error> {
        let mut count = 0;
        for number in numbers {
            self.numbers.send(number)?;
            count += 1;
        }
        for _ in 0..count {
            self.ends.recv()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn run_returns_after_the_last_handler() {
        let handlers = Arc::new(Handlers::new(Duration::from_millis(1), 20, None));
        let pool = HandlerPool::new(4, &handlers);
        pool.run(0..20).unwrap();
        assert_eq!(handlers.runs(), 20);
    }
}
