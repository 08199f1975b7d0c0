/* Run an awaitable, with its frames on the thread, and suspend them when it yields. */
#include "chain.h"

void ohw_close_quietly(PyObject *object)
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

int ohw_tell_suspended(PyThreadState *ts, ohw_walk *walk, const ohw_exit *exit, PyObject *value)
{
    walk->listeners = ohw_listeners_version(ts);
    if (ohw_listened_to(ts) && (ohw_report_suspended(ts, walk->top, walk->host, value) < 0 ||
                                (exit != NULL && ohw_report_awaiters(ts, exit, walk->host, value) < 0))) {
        stay(ts, walk);
        return -1;
    }
    return 0;
}

/* Everything that can fail, then the lift.  Both references are stolen on success. */
static PyObject *try_to_suspend(PyThreadState *ts, py_frame *door, ohw_walk *walk, PyObject *source,
                                PyObject *yielded, bool again)
{
    if (ohw_tell_suspended(ts, walk, NULL, yielded) < 0) {
        return NULL;
    }
    ohw_extent extent = ohw_measure(ts, door, walk);
    ohw_chain *chain = ohw_chain_new(extent.alive + (size_t)py_stack_depth(walk->host));
    if (chain == NULL) {
        return NULL;
    }
    PyCodeObject *landing = ohw_landing_for(walk->host, false);
    if (landing == NULL) {
        PyObject_GC_Track(chain);
        Py_DECREF(chain);
        return NULL;
    }
    chain->source = source;
    chain->yielded = yielded;
    chain->stepwise = again;
    chain->prepared = ohw_landing_is_prepared(walk->host);
    ohw_lift(ts, door, walk, extent, landing, &chain->lifted, chain->words);
    PyObject_GC_Track(chain);
    return (PyObject *)chain;
}

PyObject *ohw_run(PyThreadState *ts, py_frame *door, ohw_walk *known, PyObject *source, PyObject *value)
{
    PyObject *yielded = NULL;
    if (PyIter_Send(source, value, &yielded) != PYGEN_NEXT) {
        Py_DECREF(source);
        return yielded;
    }
    ohw_walk walk;
    if (known == NULL) {
        ohw_walk_to_host(py_caller(door), door, &walk);
    }
    PyObject *chain = try_to_suspend(ts, door, known == NULL ? &walk : known, source, yielded, known == NULL);
    if (chain == NULL) {
        Py_DECREF(yielded);
        ohw_close_quietly(source);
        Py_DECREF(source);
    }
    return chain;
}
