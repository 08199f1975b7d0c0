/* eager(): start a coroutine now, in a context of its own, and make a Task of it only if it suspends. */
#include "eager.h"

/* ---- finished: a Future ---- */

/* 0, or -1. Cancelled like a Task whose coroutine raised CancelledError: with its message. */
static int cancel_future(PyObject *future, PyObject *exception)
{
    PyObject *details = PyObject_GetAttrString(exception, "args");
    PyObject *message = details == NULL ? NULL : PySequence_GetSlice(details, 0, 1);
    PyObject *cancel = message == NULL ? NULL : PyObject_GetAttr(future, names.cancel);
    PyObject *taken = cancel == NULL ? NULL : PyObject_Call(cancel, message, NULL);
    Py_XDECREF(details);
    Py_XDECREF(message);
    Py_XDECREF(cancel);
    Py_XDECREF(taken);
    return taken == NULL ? -1 : 0;
}

static int fill(PyObject *future, PyObject *value, int failed)
{
    if (failed && PyObject_IsInstance(value, hooks.cancelled)) {
        return cancel_future(future, value);
    }
    PyObject *done = PyObject_CallMethodOneArg(future, failed ? names.set_exception : names.set_result, value);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Steals value and stand_in. The future that holds the outcome of what finished at once; new reference. */
static PyObject *future_of(PyObject *loop, PyObject *value, int failed, eager_stand_in *stand_in)
{
    PyObject *future = PyObject_CallMethodNoArgs(loop, names.create_future);
    int status = -1;
    if (future == NULL) {
        eager_dismiss(stand_in);
    } else if (stand_in->asked == NULL) {
        (void)eager_settle(stand_in, future);
        status = fill(future, value, failed);
    } else if (eager_settle(stand_in, future) == 0) {   /* which cancels it, if it was asked to be cancelled */
        PyObject *done = PyObject_CallMethodNoArgs(future, names.done);
        status = done == NULL ? -1 : done == Py_True ? 0 : fill(future, value, failed);
        Py_XDECREF(done);
    }
    if (status < 0) {
        Py_CLEAR(future);
    }
    Py_DECREF(value);
    return future;
}

/* ---- suspended: a Task ---- */

/* Whether a Task may be made without asking the loop: 1, 0, or -1. It asks once per type of loop. */
static int makes_plain_tasks(PyObject *loop)
{
    static PyTypeObject *known;     /* Owned */
    static int plain;
    if (known != Py_TYPE(loop)) {
        PyObject *answer = PyObject_CallOneArg(hooks.plain_loop, (PyObject *)Py_TYPE(loop));
        if (answer == NULL) {
            return -1;
        }
        plain = PyObject_IsTrue(answer);
        Py_DECREF(answer);
        Py_XSETREF(known, (PyTypeObject *)Py_NewRef((PyObject *)Py_TYPE(loop)));
    }
    return plain;
}

/* Its first step, at once, is to wait for what the coroutine waits for: as if it had been a Task from the beginning. */
static PyObject *eager_task(PyObject *loop, PyObject *rest, PyObject *context)
{
    PyObject *args[4] = {rest, loop, context, Py_True};
    return PyObject_Vectorcall(hooks.eager_task, args, 1, names.eager_kws);
}

static PyObject *task_of(PyObject *loop, eager_start *start, PyObject *context)
{
    PyObject *factory = PyObject_CallMethodNoArgs(loop, names.get_task_factory);
    if (factory == NULL) {
        return NULL;
    }
    int plain = factory == Py_None;
    Py_DECREF(factory);
    eager_continuation *rest = eager_continuation_new(start, context);
    if (rest == NULL) {
        return NULL;
    }
    PyObject *task = NULL;
    int direct = !plain || hooks.eager_task == NULL ? 0 : makes_plain_tasks(loop);
    if (direct > 0) {
        Py_CLEAR(rest->context);            /* the Task enters it */
        task = eager_task(loop, (PyObject *)rest, context);
    } else if (direct == 0 && plain) {
        Py_CLEAR(rest->context);
        rest->for_task = 1;
        PyObject *args[3] = {loop, (PyObject *)rest, context};
        task = PyObject_VectorcallMethod(names.create_task, args, 2, names.context_kws);
    } else if (direct == 0) {               /* a factory that may know nothing of contexts */
        task = PyObject_CallMethodOneArg(loop, names.create_task, (PyObject *)rest);
    }
    Py_DECREF(rest);
    return task;
}

/* Steals yielded and stand_in. */
static PyObject *go_on_as_task(PyObject *loop, PyObject *coroutine, PyObject *context, PyObject *task_factory,
                               PyObject *yielded, eager_stand_in *stand_in)
{
    PyObject *task = NULL;
    eager_start *start = eager_start_suspended(coroutine, context, yielded);
    if (start != NULL && eager_owner(&start->owner) == 0) {
        if (start->owner != NULL) {         /* trio as a guest of asyncio */
            PyObject *args[3] = {(PyObject *)start, context, task_factory};
            task = PyObject_Vectorcall(hooks.elsewhere, args, 3, NULL);
        } else if (task_factory != Py_None) {
            PyObject *rest = (PyObject *)eager_continuation_new(start, context);
            task = rest == NULL ? NULL : PyObject_CallOneArg(task_factory, rest);
            Py_XDECREF(rest);
        } else {
            task = task_of(loop, start, context);
        }
    }
    Py_XDECREF(start);
    if (task == NULL) {
        eager_dismiss(stand_in);
    } else if (eager_settle(stand_in, task) < 0) {
        Py_CLEAR(task);
    }
    return task;
}

/* ---- the start ---- */

static PyObject *start_in_loop(PyObject *loop, PyObject *coroutine, PyObject *context, PyObject *task_factory)
{
    PyObject *previous, *value;
    eager_stand_in *stand_in = eager_enter(loop, coroutine, context, &previous);
    if (stand_in == NULL) {
        return NULL;
    }
    PySendResult sent = PYGEN_ERROR;
    int entered = PyContext_Enter(context) == 0;
    if (entered) {
        sent = PyIter_Send(coroutine, Py_None, &value);
        if (PyContext_Exit(context) < 0) {
            if (sent != PYGEN_ERROR) {
                Py_DECREF(value);
            }
            sent = PYGEN_ERROR;
        }
    }
    if (sent == PYGEN_ERROR) {
        value = eager_take_exception();
    }
    if (eager_leave(loop, previous) < 0) {
        Py_DECREF(value);
        eager_dismiss(stand_in);
        return NULL;
    }
    if (sent == PYGEN_NEXT) {
        return go_on_as_task(loop, coroutine, context, task_factory, value, stand_in);
    }
    if (sent == PYGEN_ERROR && (!entered || PyErr_GivenExceptionMatches(value, PyExc_KeyboardInterrupt) ||
                                PyErr_GivenExceptionMatches(value, PyExc_SystemExit))) {
        eager_dismiss(stand_in);
        PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(value)), value, PyException_GetTraceback(value));
        return NULL;
    }
    return future_of(loop, value, sent == PYGEN_ERROR, stand_in);
}

static PyObject *start(PyObject *coroutine, PyObject *task_factory, PyObject *context)
{
    PyObject *loop = PyObject_CallNoArgs(hooks.running_loop);
    if (loop == NULL) {
        return NULL;
    }
    context = context == Py_None ? PyContext_CopyCurrent() : Py_NewRef(context);
    PyObject *result = NULL;
    if (context != NULL && loop == Py_None) {
        PyObject *args[3] = {coroutine, context, task_factory};
        result = PyObject_Vectorcall(hooks.elsewhere, args, 3, NULL);
    } else if (context != NULL) {
        result = start_in_loop(loop, coroutine, context, task_factory);
    }
    Py_XDECREF(context);
    Py_DECREF(loop);
    return result;
}

/* ---- arguments ---- */

/* eager(object, /, *, task_factory=None, context=None). All borrowed. 0, or -1. */
static int parse(const char *name, PyObject *const *args, Py_ssize_t count, PyObject *keywords, PyObject **task_factory,
                 PyObject **context)
{
    if (count != 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes one positional argument, not %zd", name, count);
        return -1;
    }
    *task_factory = *context = Py_None;
    Py_ssize_t given = keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t i = 0; i < given; i++) {
        PyObject *keyword = PyTuple_GET_ITEM(keywords, i);
        if (PyUnicode_CompareWithASCIIString(keyword, "task_factory") == 0) {
            *task_factory = args[1 + i];
        } else if (PyUnicode_CompareWithASCIIString(keyword, "context") == 0) {
            *context = args[1 + i];
        } else {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", name, keyword);
            return -1;
        }
    }
    if (*task_factory != Py_None && !PyCallable_Check(*task_factory)) {
        PyErr_Format(PyExc_TypeError, "%s(): task_factory must be callable or None, not %.100s", name,
                     Py_TYPE(*task_factory)->tp_name);
        return -1;
    }
    if (*context != Py_None && !PyContext_CheckExact(*context)) {
        PyErr_Format(PyExc_TypeError, "%s(): context must be a contextvars.Context or None, not %.100s", name,
                     Py_TYPE(*context)->tp_name);
        return -1;
    }
    return 0;
}

/* 1, 0, or -1 */
static int is_coroutine(PyObject *object)
{
    if (PyCoro_CheckExact(object)) {
        return 1;
    }
    PyObject *answer = PyObject_CallOneArg(hooks.is_coroutine, object);
    int truth = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return truth;
}

PyObject *eager_coro_eager(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *task_factory, *context;
    if (parse("coro_eager", args, count, keywords, &task_factory, &context) < 0) {
        return NULL;
    }
    int coroutine = is_coroutine(args[0]);
    if (coroutine == 0) {
        PyErr_Format(PyExc_TypeError, "coro_eager() takes a coroutine, not %.100s", Py_TYPE(args[0])->tp_name);
    }
    return coroutine <= 0 ? NULL : start(args[0], task_factory, context);
}

PyObject *eager_eager(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *task_factory, *context;
    if (parse("eager", args, count, keywords, &task_factory, &context) < 0) {
        return NULL;
    }
    int coroutine = is_coroutine(args[0]);
    if (coroutine != 0) {
        return coroutine < 0 ? NULL : start(args[0], task_factory, context);
    }
    if (!PyCallable_Check(args[0]) || context != Py_None) {
        PyErr_Format(PyExc_TypeError, context != Py_None && PyCallable_Check(args[0])
                     ? "eager(): a context is for a coroutine; give a function's at each call, not %.100s"
                     : "eager() takes a coroutine or an async function, not %.100s", Py_TYPE(args[0])->tp_name);
        return NULL;
    }
    PyObject *decorated[2] = {args[0], task_factory};
    return PyObject_Vectorcall(hooks.decorate, decorated, 2, NULL);
}
