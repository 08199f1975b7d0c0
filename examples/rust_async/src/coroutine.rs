//! A Rust future as a Python coroutine, under any event loop; and a Python coroutine as a Rust future.
//!
//! The future is polled by whoever runs the coroutine: the event loop's task. It waits for two kinds of things. For
//! what Rust threads do: its waker is a Completion, which the coroutine awaits and any thread completes without the
//! GIL. For a Python awaitable: the coroutine drives it like `await` does, and hands on to the loop what it yields.

use crate::api::Handle;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

type Object = Py<PyAny>;
type BoxedFuture = Pin<Box<dyn Future<Output = PyResult<Object>> + Send>>;

/// Between a coroutine and the `Awaited`s in its future: what is to be awaited, and what came of it.
#[derive(Default)]
struct Exchange {
    request: Option<Object>,
    answer: Option<PyResult<Object>>,
}

/// What a future needs to await Python's awaitables; made by `coroutine`.
#[derive(Clone)]
pub struct Python {
    exchange: Arc<Mutex<Exchange>>,
}

impl Python {
    /// Await an awaitable of Python's, in the task that runs this future.
    pub fn wait_for(&self, awaitable: Object) -> impl Future<Output = PyResult<Object>> + Send {
        Awaited { awaitable: Some(awaitable), exchange: self.exchange.clone() }
    }
}

struct Awaited {
    awaitable: Option<Object>,
    exchange: Arc<Mutex<Exchange>>,
}

impl Future for Awaited {
    type Output = PyResult<Object>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let awaitable = self.awaitable.take();
        let mut exchange = self.exchange.lock().unwrap();
        match awaitable {
            Some(awaitable) if exchange.request.is_none() => {
                exchange.request = Some(awaitable);
                Poll::Pending
            }
            Some(_) => Poll::Ready(Err(PyRuntimeError::new_err("one Python awaitable at a time in a Rust future"))),
            None => exchange.answer.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

/// A waker whose wake() completes what the coroutine awaits; later calls do nothing.
struct Wakeup(Mutex<Option<Handle>>);

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        let handle = self.0.lock().unwrap().take();
        if let Some(handle) = handle {
            handle.set_none();
        }
    }
}

/// What the coroutine awaits now: an iterator of `__await__`, for the future or to be woken.
enum Waiting {
    ForPython(Object),
    ForWaker(Object),
}

#[derive(Default)]
struct State {
    future: Option<BoxedFuture>,
    waiting: Option<Waiting>,
    awaited: bool,
    running: bool,
}

/// The coroutine object; as with any coroutine, awaited once.
#[pyclass(frozen, module = "rust_async")]
pub struct RustCoroutine {
    state: Mutex<State>,
    exchange: Arc<Mutex<Exchange>>,
}

/// A Python coroutine that runs a future of Rust's; `make` gets what the future awaits Python's awaitables by.
pub fn coroutine<F>(make: impl FnOnce(Python) -> F) -> RustCoroutine
where
    F: Future<Output = PyResult<Object>> + Send + 'static,
{
    let exchange = Arc::new(Mutex::new(Exchange::default()));
    let future: BoxedFuture = Box::pin(make(Python { exchange: exchange.clone() }));
    RustCoroutine { state: Mutex::new(State { future: Some(future), ..State::default() }), exchange }
}

#[pymethods]
impl RustCoroutine {
    fn __await__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        if std::mem::replace(&mut slf.get().state.lock().unwrap().awaited, true) {
            return Err(PyRuntimeError::new_err("a coroutine is awaited once, and this one is or has been"));
        }
        Ok(slf)
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: pyo3::Python<'_>) -> PyResult<Object> {
        self.send(py, py.None())
    }

    fn send(&self, py: pyo3::Python<'_>, value: Object) -> PyResult<Object> {
        if value.is_none(py) {
            return self.enter(py, next); // An iterator of somebody's own may have nothing else.
        }
        self.enter(py, |py, iterator| iterator.call_method1(py, "send", (value.clone_ref(py),)))
    }

    #[pyo3(signature = (*exception))]
    fn throw(&self, py: pyo3::Python<'_>, exception: Bound<'_, PyTuple>) -> PyResult<Object> {
        let never_started = {
            let mut state = self.state.lock().unwrap();
            if state.waiting.is_none() { state.future.take() } else { None }
        };
        if never_started.is_some() {
            let has_value = exception.len() > 1 && !exception.get_item(1)?.is_none();
            return Err(PyErr::from_value(exception.get_item(usize::from(has_value))?));
        }
        self.enter(py, |py, iterator| iterator.call_method1(py, "throw", exception.clone()))
    }

    /// Stop: the future is dropped where it waits.
    fn close(&self, py: pyo3::Python<'_>) -> PyResult<()> {
        let state = std::mem::take(&mut *self.state.lock().unwrap());
        match state.waiting {
            Some(Waiting::ForPython(iterator) | Waiting::ForWaker(iterator)) => {
                let close = iterator.getattr(py, "close").ok();
                close.map_or(Ok(()), |close| close.call0(py).map(drop))
            }
            None => Ok(()),
        }
    }
}

fn next(py: pyo3::Python<'_>, iterator: &Object) -> PyResult<Object> {
    iterator.call_method0(py, "__next__")
}

type Step<'a> = &'a dyn Fn(pyo3::Python<'_>, &Object) -> PyResult<Object>;

impl RustCoroutine {
    /// Resume what is awaited by `first`, and go on until the loop has to be given something, or the end.
    fn enter(&self, py: pyo3::Python<'_>, first: impl Fn(pyo3::Python<'_>, &Object) -> PyResult<Object>) -> PyResult<Object> {
        let (mut future, mut waiting) = {
            let mut state = self.state.lock().unwrap();
            if state.running {
                return Err(PyRuntimeError::new_err("this coroutine is running already"));
            }
            let future = state.future.take();
            let future = future.ok_or_else(|| PyRuntimeError::new_err("cannot reuse already awaited coroutine"))?;
            (state.running, state.awaited) = (true, true);
            (future, state.waiting.take())
        };
        let result = self.run(py, &mut future, &mut waiting, &first);
        let mut state = self.state.lock().unwrap();
        state.running = false;
        if result.is_ok() {
            state.future = Some(future);
            state.waiting = waiting;
        } else {
            drop(state); // Dropping the future may run anything.
        }
        result
    }

    fn run(&self, py: pyo3::Python<'_>, future: &mut BoxedFuture, waiting: &mut Option<Waiting>, first: Step) -> PyResult<Object> {
        let mut step: Step = first;
        loop {
            if let Some(Waiting::ForPython(iterator) | Waiting::ForWaker(iterator)) = waiting {
                let outcome = match step(py, iterator) {
                    Ok(yielded) => return Ok(yielded),
                    Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                        error.value(py).getattr("value").map(Bound::unbind)
                    }
                    Err(error) => Err(error),
                };
                match waiting.take() {
                    Some(Waiting::ForPython(_)) => self.exchange.lock().unwrap().answer = Some(outcome),
                    _ => drop(outcome?), // Cancelled, or the like: the future is dropped by the caller.
                }
            }
            step = &next;
            *waiting = Some(self.poll(py, future)?);
        }
    }

    /// Poll the future; its end is an error: StopIteration, or its own.
    fn poll(&self, py: pyo3::Python<'_>, future: &mut BoxedFuture) -> PyResult<Waiting> {
        let (handle, completion) = Handle::create(py)?;
        let waker = Waker::from(Arc::new(Wakeup(Mutex::new(Some(handle)))));
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(value)) => Err(PyStopIteration::new_err((value,))),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => {
                let request = self.exchange.lock().unwrap().request.take();
                match request {
                    Some(awaitable) => Ok(Waiting::ForPython(iterator_of(py, awaitable)?)),
                    None => Ok(Waiting::ForWaker(completion.call_method0("__await__")?.unbind())),
                }
            }
        }
    }
}

/// What `await` would drive: of a coroutine, itself.
fn iterator_of(py: pyo3::Python<'_>, awaitable: Object) -> PyResult<Object> {
    let awaitable = awaitable.bind(py);
    if !awaitable.hasattr("__await__")? {
        let name = awaitable.get_type().name()?;
        return Err(PyTypeError::new_err(format!("Rust was given an object of type {name} to await, which has no __await__")));
    }
    Ok(awaitable.call_method0("__await__")?.unbind())
}
