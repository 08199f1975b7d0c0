//! ohwait's C API (`ohwait.h`, where the rules are): handles by which a thread without the GIL completes a Completion.

use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::{c_char, c_double, c_int, c_void};

#[repr(C)]
struct Cell {
    _private: [u8; 0],
}

type Status = c_int;
type Make = unsafe extern "C" fn(*mut c_void) -> *mut ffi::PyObject;
type Drop_ = unsafe extern "C" fn(*mut c_void);
type Watcher = unsafe extern "C" fn(*mut c_void, Status);

/// `ohwait_api`, field by field.
#[repr(C)]
struct Api {
    version: u32,
    size: u32,
    create: unsafe extern "C" fn(*mut *mut ffi::PyObject) -> *mut Cell,
    handle: unsafe extern "C" fn(*mut ffi::PyObject) -> *mut Cell,
    watch: unsafe extern "C" fn(*mut Cell, Watcher, *mut c_void) -> c_int,
    set_object: unsafe extern "C" fn(*mut Cell, *mut ffi::PyObject) -> Status,
    set_exception: unsafe extern "C" fn(*mut Cell, *mut ffi::PyObject) -> Status,
    retain: unsafe extern "C" fn(*mut Cell) -> *mut Cell,
    release: unsafe extern "C" fn(*mut Cell),
    status: unsafe extern "C" fn(*mut Cell) -> Status,
    set_none: unsafe extern "C" fn(*mut Cell) -> Status,
    set_int64: unsafe extern "C" fn(*mut Cell, i64) -> Status,
    set_double: unsafe extern "C" fn(*mut Cell, c_double) -> Status,
    set_bytes: unsafe extern "C" fn(*mut Cell, *const c_void, usize) -> Status,
    set_made: unsafe extern "C" fn(*mut Cell, Make, Option<Drop_>, *mut c_void) -> Status,
    fail: unsafe extern "C" fn(*mut Cell, *mut ffi::PyObject, *const c_char) -> Status,
}

const VERSION: u32 = 1;

/// The API, found once. The capsule's memory lives as long as the process.
fn api(py: Python<'_>) -> PyResult<&'static Api> {
    static FOUND: pyo3::sync::PyOnceLock<&'static Api> = pyo3::sync::PyOnceLock::new();
    FOUND
        .get_or_try_init(py, || {
            py.import("ohwait.completion")?;
            // SAFETY: the capsule of that name holds an ohwait_api, as ohwait.h says.
            let found = unsafe { ffi::PyCapsule_Import(c"ohwait._completion._C_API".as_ptr(), 0) as *const Api };
            let Some(found) = (unsafe { found.as_ref() }) else {
                return Err(PyErr::fetch(py));
            };
            if found.version != VERSION || (found.size as usize) < std::mem::size_of::<Api>() {
                return Err(pyo3::exceptions::PyImportError::new_err("ohwait has another version of ohwait.h"));
            }
            Ok(found)
        })
        .copied()
}

/// One share in a Completion: may be used, sent and dropped in any thread, with or without the GIL.
pub struct Handle {
    api: &'static Api,
    cell: *mut Cell,
}

// SAFETY: ohwait.h: functions marked "any thread" are the only ones used after `create`.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Handle {
    /// A new Completion, and the promise to complete it.
    pub fn create(py: Python<'_>) -> PyResult<(Handle, Bound<'_, PyAny>)> {
        let api = api(py)?;
        let mut object = std::ptr::null_mut();
        // SAFETY: the GIL is held; `object` is a new reference if there is a handle.
        let cell = unsafe { (api.create)(&mut object) };
        if cell.is_null() {
            return Err(PyErr::fetch(py));
        }
        Ok((Handle { api, cell }, unsafe { Bound::from_owned_ptr(py, object) }))
    }

    /// Complete it with None; nothing if somebody else has, or it was cancelled.
    pub fn set_none(&self) {
        unsafe { (self.api.set_none)(self.cell) };
    }

    /// Complete it with an int.
    pub fn set_int(&self, value: i64) {
        unsafe { (self.api.set_int64)(self.cell, value) };
    }

    /// Whether anybody still wants it.
    pub fn is_wanted(&self) -> bool {
        unsafe { (self.api.status)(self.cell) == 0 }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        unsafe { (self.api.release)(self.cell) };
    }
}
