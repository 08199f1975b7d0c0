/* `ohwait(awaitable)`: check, start, and lift if it has yielded. */
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

/* Call close(), where there is one, keeping the exception that is set. */
static void close_quietly(PyObject *object)
{
    PyObject *error = py_take_raised();     /* may be none */
    PyObject *result = PyObject_CallMethodNoArgs(object, ohw_names.close);
    if (result == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
    }
    else if (result == NULL) {
        PyErr_WriteUnraisable(object);
    }
    Py_XDECREF(result);
    if (error != NULL) {
        py_raise(error);
    }
}

/* An awaitable that was refused will be awaited by nobody: it must not complain of that.  Keeps the exception set. */
static void discard(PyObject *awaitable)
{
    PyObject *error = py_take_raised();
    bool is_coroutine = PyCoro_CheckExact(awaitable);
    if (is_coroutine ? py_is_new(awaitable) : PyObject_HasAttr(awaitable, ohw_names.send) &&
                                                  PyObject_HasAttr(awaitable, ohw_names.throw)) {
        close_quietly(awaitable);
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

/* A callback of a tool raised, so nothing is suspended; it may have switched tools while it hid frames from them. */
static void stay(PyThreadState *ts, const ohw_walk *walk)
{
    if (walk->listeners != ohw_listeners_version(ts)) {
        PyObject *error = py_take_raised();
        if (ohw_let_listeners_in(ts, walk->top, walk->host) < 0) {
            PyErr_Clear();
        }
        py_raise(error);
    }
}

/* Everything that can fail, then the lift.  Both references are stolen on success. */
static PyObject *try_to_suspend(PyThreadState *ts, py_frame *door, ohw_walk *walk, PyObject *source,
                                PyObject *yielded, bool again)
{
    walk->listeners = ohw_listeners_version(ts);
    if (ohw_listened_to(ts) && ohw_report_suspended(ts, walk->top, walk->host, yielded) < 0) {
        stay(ts, walk);
        return NULL;
    }
    ohw_extent extent = ohw_measure(ts, door, walk);
    ohw_chain *chain = ohw_chain_new(extent.alive + (size_t)py_stack_depth(walk->host));
    if (chain == NULL) {
        return NULL;
    }
    PyCodeObject *landing = ohw_landing_for(walk->host);
    if (landing == NULL) {
        PyObject_GC_Track(chain);
        Py_DECREF(chain);
        return NULL;
    }
    chain->source = source;
    chain->yielded = yielded;
    chain->stepwise = again;
    ohw_lift(ts, door, walk, extent, landing, &chain->lifted, chain->words);
    PyObject_GC_Track(chain);
    return (PyObject *)chain;
}

/* It has yielded: suspend.  Both references are stolen.  New reference to the Chain, or NULL and no frame is touched. */
static PyObject *suspend(PyThreadState *ts, py_frame *door, ohw_walk *walk, PyObject *source, PyObject *yielded,
                         bool again)
{
    PyObject *chain = try_to_suspend(ts, door, walk, source, yielded, again);
    if (chain == NULL) {
        Py_DECREF(yielded);
        close_quietly(source);
        Py_DECREF(source);
    }
    return chain;
}

/* Drive the awaitable until it finishes or yields, from C, with the door out of sight. */
static PyObject *drive(PyThreadState *ts, py_frame *door, ohw_walk *walk, PyObject *source)
{
    PyObject *result = NULL;
    if (PyIter_Send(source, Py_None, &result) == PYGEN_NEXT) {
        return suspend(ts, door, walk, source, result, false);
    }
    Py_DECREF(source);
    return result;
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
    return source == NULL || PY_SEND_RUNS_INLINE ? source : drive(ts, door, &walk, source);
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
    if (PY_SEND_RUNS_INLINE && result != NULL) {
        py_put_argument(door, Py_NewRef(Py_None));
    }
    else {
        ohw_swallow_return(ts);
    }
    return result;
}

PyObject *ohw_door_yielded(PyThreadState *ts, py_frame *hidden, PyObject *yielded, bool again)
{
    ohw_walk walk;
    ohw_walk_to_host(py_caller(hidden), hidden, &walk);
    py_set_current(ts, walk.top);
    PyObject *chain = suspend(ts, hidden, &walk, Py_NewRef(py_stack_entry(hidden, 0)), Py_NewRef(yielded), again);
    py_set_current(ts, hidden);
    if (chain == NULL) {
        ohw_swallow_return(ts);
    }
    return chain;
}
