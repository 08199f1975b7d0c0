/* `ohwait(awaitable)`: check and start. */
#include "door.h"

static PyObject *refusal, *guard;       /* Owned */

void ohw_door_set_refusal(PyObject *callable) { Py_XSETREF(refusal, callable); }

void ohw_door_set_guard(PyObject *callable) { Py_XSETREF(guard, callable); }

const char *ohw_obstacle_name(ohw_obstacle obstacle)
{
    return obstacle == OHW_C_FUNCTION ? "c-function" : "no-coroutine";
}

/* Raise the error that explains why no suspension is possible. */
static void refuse(PyThreadState *ts, const ohw_walk *walk)
{
    PyObject *frame = Py_None;
    if (walk->c_caller != NULL) {
        PyFrameObject *object = py_frame_object(ts, walk->c_caller);
        frame = object == NULL ? Py_None : (PyObject *)object;
    }
    const char *kind = ohw_obstacle_name(walk->obstacle);
    if (refusal == NULL) {
        PyErr_Format(PyExc_RuntimeError, "ohwait() cannot suspend here: %s", kind);
        return;
    }
    PyObject *error = PyObject_CallFunction(refusal, "sO", kind, frame);
    if (error != NULL && !PyExceptionInstance_Check(error)) {
        PyErr_Format(PyExc_TypeError, "ohwait: refusal() returned %R, which is no exception", error);
        Py_CLEAR(error);
    }
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
}

/* An awaitable that was refused will be awaited by nobody: it must not complain of that.  Keeps the exception set. */
static void discard(PyObject *awaitable)
{
    PyObject *error = py_take_raised();
    bool is_coroutine = PyCoro_CheckExact(awaitable);
    if (is_coroutine ? py_is_new(awaitable) : PyObject_HasAttr(awaitable, ohw_names.send) &&
                                                  PyObject_HasAttr(awaitable, ohw_names.throw)) {
        ohw_close_quietly(awaitable);
    }
    if (error != NULL) {
        py_raise(error);
    }
}

static bool is_awaitable(PyObject *object)
{
    PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
    return PyCoro_CheckExact(object) || PyGen_CheckExact(object) || (methods != NULL && methods->am_await != NULL);
}

/* 0: nothing forbids to start it.  -1: an exception is set, and the awaitable closed. */
static int may_start(PyThreadState *ts, PyObject *awaitable, const ohw_walk *walk)
{
    if (walk->obstacle == OHW_CLEAR) {
        PyObject *allowed = guard == NULL ? Py_NewRef(Py_None) : PyObject_CallNoArgs(guard);
        if (allowed != NULL) {
            Py_DECREF(allowed);
            return 0;
        }
    }
    else {
        refuse(ts, walk);
    }
    discard(awaitable);
    return -1;
}

/* As GET_AWAITABLE: the iterator to drive.  The awaitable itself is stolen. */
static PyObject *iterator_of(PyObject *awaitable)
{
    PyObject *iterator = PyCoro_CheckExact(awaitable) ? Py_NewRef(awaitable) : py_awaitable_iterator(awaitable);
    Py_DECREF(awaitable);
    if (iterator != NULL && PyCoro_CheckExact(iterator) && !py_is_new(iterator)) {
        PyObject *awaited = PyObject_GetAttr(iterator, ohw_names.cr_await);
        if (awaited != Py_None) {
            if (awaited != NULL) {
                PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
            }
            Py_CLEAR(iterator);
        }
        Py_XDECREF(awaited);
    }
    return iterator;
}

static PyObject *await_from(PyThreadState *ts, py_frame *door, PyObject *awaitable)
{
    ohw_walk walk;
    ohw_walk_to_host(py_caller(door), door, &walk);
    if (walk.top != NULL) {
        py_set_current(ts, walk.top);       /* nobody sees the door while Python code runs below */
    }
    if (!is_awaitable(awaitable)) {
        PyObject *none = py_awaitable_iterator(awaitable);
        Py_XDECREF(none);
        Py_DECREF(awaitable);
        return NULL;
    }
    if (may_start(ts, awaitable, &walk) < 0) {
        Py_DECREF(awaitable);
        return NULL;
    }
    PyObject *source = iterator_of(awaitable);
    return source == NULL ? NULL : ohw_run(ts, door, &walk, source, Py_None);
}

PyObject *ohw_door_open(PyThreadState *ts, py_frame *door)
{
    PyObject *awaitable = py_take_argument(door);
    if (awaitable == NULL) {
        PyErr_SetString(PyExc_TypeError, "ohwait() missing 1 required positional argument: 'awaitable'");
        return NULL;
    }
    PyObject *result = await_from(ts, door, awaitable);
    py_set_current(ts, door);
    ohw_swallow_return(ts);
    return result;
}
