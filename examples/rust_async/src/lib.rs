//! Async across languages: Rust's async functions awaited by Python, Python's coroutines awaited by Rust.

mod api;
mod coroutine;
mod threads;

use crate::api::Handle;
use crate::coroutine::{coroutine, RustCoroutine};
use crate::threads::in_thread;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::time::Duration;

/// An async function of Rust's, that knows nothing of Python.
async fn slow_sum(numbers: Vec<u64>, pause: Duration) -> Option<u64> {
    let half = numbers.len() / 2;
    let (left, right) = (numbers[..half].to_vec(), numbers[half..].to_vec());
    let add = move |part: Vec<u64>| {
        std::thread::sleep(pause);
        part.iter().try_fold(0u64, |sum, number| sum.checked_add(*number))
    };
    let (first, second) = (in_thread(move || add(left)), in_thread(move || add(right)));
    first.await?.checked_add(second.await?)
}

/// async total(numbers, seconds=0.0): the sum, computed by two threads which take that long.
#[pyfunction]
#[pyo3(signature = (numbers, seconds = 0.0))]
fn total(numbers: Vec<u64>, seconds: f64) -> RustCoroutine {
    coroutine(move |_| async move {
        let sum = slow_sum(numbers, Duration::from_secs_f64(seconds)).await;
        let sum = sum.ok_or_else(|| PyValueError::new_err("the sum has more than 64 bits"))?;
        Python::attach(|py| Ok(sum.into_pyobject(py)?.into_any().unbind()))
    })
}

/// async ask_twice(function, first, second): await function(first) and function(second), Python's, and add the results.
#[pyfunction]
fn ask_twice(function: Py<PyAny>, first: Py<PyAny>, second: Py<PyAny>) -> RustCoroutine {
    coroutine(move |python| async move {
        let mut results = Vec::new();
        for argument in [first, second] {
            let asked = Python::attach(|py| function.call1(py, (argument,)))?;
            let answer = python.wait_for(asked).await?;
            results.push(Python::attach(|py| answer.extract::<u64>(py))?);
        }
        let sum = slow_sum(results, Duration::ZERO).await;
        Python::attach(|py| Ok(sum.into_pyobject(py)?.into_any().unbind()))
    })
}

/// count(numbers): a Completion of how many numbers were counted, by a thread that stops when nobody wants it any more.
#[pyfunction]
fn count(py: Python<'_>, to: i64) -> PyResult<Bound<'_, PyAny>> {
    let (handle, completion) = Handle::create(py)?;
    std::thread::spawn(move || {
        let mut counted = 0;
        while counted < to && handle.is_wanted() {
            counted += 1;
        }
        handle.set_int(counted);
    });
    Ok(completion)
}

#[pymodule]
fn rust_async(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RustCoroutine>()?;
    module.add_function(wrap_pyfunction!(total, module)?)?;
    module.add_function(wrap_pyfunction!(ask_twice, module)?)?;
    module.add_function(wrap_pyfunction!(count, module)?)
}
