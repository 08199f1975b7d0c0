//! Futures of what Rust's own threads do; none of them knows Python.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

struct Shared<T> {
    value: Option<std::thread::Result<T>>,
    waker: Option<Waker>,
}

/// The result of a function that runs in a thread.
pub struct InThread<T>(Arc<Mutex<Shared<T>>>);

/// Run `function` in a new thread. A panic in it is one in whoever awaits this.
pub fn in_thread<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> InThread<T> {
    let shared = Arc::new(Mutex::new(Shared { value: None, waker: None }));
    let theirs = shared.clone();
    std::thread::spawn(move || {
        let value = std::panic::catch_unwind(std::panic::AssertUnwindSafe(function));
        let waker = {
            let mut shared = theirs.lock().unwrap();
            shared.value = Some(value);
            shared.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    });
    InThread(shared)
}

impl<T> Future for InThread<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut shared = self.0.lock().unwrap();
        match shared.value.take() {
            Some(Ok(value)) => Poll::Ready(value),
            Some(Err(panic)) => {
                drop(shared);
                std::panic::resume_unwind(panic)
            }
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
