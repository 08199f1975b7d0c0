/* CoroStart: a coroutine run up to its first suspension. The methods that need no C are in ohwait/_eager_start.py. */
#include "eager.h"

PyTypeObject *eager_start_type;

static eager_start *allocate(PyTypeObject *type, PyObject *coroutine, PyObject *context)
{
    eager_start *start = (eager_start *)type->tp_alloc(type, 0);
    if (start != NULL) {
        start->coroutine = Py_NewRef(coroutine);
        start->context = Py_XNewRef(context);
        start->state = START_NEW;
    }
    return start;
}

int eager_start_run(eager_start *start, PyObject *context)
{
    context = context != NULL ? context : start->context;
    if (context != NULL && PyContext_Enter(context) < 0) {
        return -1;      /* entered already: nothing has run, and the coroutine can be started another way */
    }
    PyObject *value;
    start->state = START_RUNNING;
    PySendResult sent = PyIter_Send(start->coroutine, Py_None, &value);
    if (context != NULL && PyContext_Exit(context) < 0) {
        Py_CLEAR(value);        /* the coroutine left another context behind */
        sent = PYGEN_ERROR;
    }
    if (sent == PYGEN_ERROR) {
        value = eager_take_exception();
        start->failed = 1;
    }
    start->state = sent == PYGEN_NEXT ? START_PENDING : START_DONE;
    start->held = value;
    if (sent == PYGEN_NEXT && eager_owner(&start->owner) < 0) {
        return -1;
    }
    return sent != PYGEN_NEXT;
}

eager_start *eager_start_suspended(PyObject *coroutine, PyObject *context, PyObject *yielded)
{
    eager_start *start = allocate(eager_start_type, coroutine, context);
    if (start == NULL) {
        Py_DECREF(yielded);
        return NULL;
    }
    start->held = yielded;
    start->state = START_PENDING;
    return start;
}

int eager_start_withdraw(eager_start *start)
{
    if (start->owner == NULL || start->held == NULL) {
        return 0;
    }
    PyObject *done = PyObject_CallOneArg(hooks.withdraw, start->held);
    Py_XDECREF(done);
    if (done != NULL) {
        Py_CLEAR(start->owner);
    }
    return done == NULL ? -1 : 0;
}

int eager_start_require_rest(eager_start *start)
{
    if (start->spent) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine: this CoroStart was awaited or "
                                            "closed before, and what it started can be continued once only");
    } else if (start->state == START_RUNNING) {
        PyErr_SetString(PyExc_RuntimeError, "the coroutine of this CoroStart runs: it cannot be continued from within");
    } else {
        return 0;
    }
    return -1;
}

/* ---- arguments ---- */

static int check_context(PyObject **context)
{
    if (*context == Py_None) {
        *context = NULL;
    }
    if (*context != NULL && !PyContext_CheckExact(*context)) {
        PyErr_Format(PyExc_TypeError, "context must be a contextvars.Context or None, not %.100s",
                     Py_TYPE(*context)->tp_name);
        return -1;
    }
    return 0;
}

static PyObject *start_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"coro", "context", "autostart", NULL};
    PyObject *coroutine, *context = NULL;
    int autostart = 1;
    if (kwargs == NULL && PyTuple_GET_SIZE(args) == 1) {
        coroutine = PyTuple_GET_ITEM(args, 0);
    } else if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|Op:CoroStart", keywords, &coroutine, &context,
                                            &autostart) ||
               check_context(&context) < 0) {
        return NULL;
    }
    if (!PyCoro_CheckExact(coroutine) && !PyObject_HasAttr(coroutine, names.throw)) {
        PyErr_Format(PyExc_TypeError, "CoroStart() takes a coroutine, not %.100s", Py_TYPE(coroutine)->tp_name);
        return NULL;
    }
    eager_start *start = allocate(type, coroutine, context);
    if (start != NULL && autostart && eager_start_run(start, NULL) < 0) {
        Py_CLEAR(start);
    }
    return (PyObject *)start;
}

static PyObject *start_start(eager_start *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"context", NULL};
    PyObject *context = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:start", keywords, &context) || check_context(&context) < 0) {
        return NULL;
    }
    if (self->state != START_NEW || self->spent) {
        PyErr_SetString(PyExc_RuntimeError, "CoroStart.start() was called before: a coroutine starts once");
        return NULL;
    }
    int done = eager_start_run(self, context);
    return done < 0 ? NULL : PyBool_FromLong(done);
}

/* ---- what became of it ---- */

static PyObject *start_done(eager_start *self, PyObject *none) { return PyBool_FromLong(self->state == START_DONE); }

static PyObject *start_pending(eager_start *self, PyObject *none)
{
    return PyBool_FromLong(self->state == START_PENDING && !self->spent);
}

static PyObject *start_continued(eager_start *self, PyObject *none) { return PyBool_FromLong(self->spent); }

static int require_done(eager_start *self)
{
    if (self->state != START_DONE) {
        PyErr_SetString(hooks.invalid_state, self->spent ? "the coroutine did not finish while it was started, and was "
                                                           "continued: ask what continued it"
                                                         : "the coroutine has not finished: await the CoroStart");
        return -1;
    }
    return 0;
}

static PyObject *start_result(eager_start *self, PyObject *none)
{
    if (require_done(self) < 0) {
        return NULL;
    }
    if (self->failed) {
        eager_raise(self->held);
        return NULL;
    }
    return Py_NewRef(self->held);
}

static PyObject *start_exception(eager_start *self, PyObject *none)
{
    if (require_done(self) < 0) {
        return NULL;
    }
    return Py_NewRef(self->failed ? self->held : Py_None);
}

/* ---- going on ---- */

static PyObject *start_await(eager_start *self) { return (PyObject *)eager_continuation_new(self, NULL); }

static PyObject *start_continuation(eager_start *self, PyObject *context)
{
    if (check_context(&context) < 0) {
        return NULL;
    }
    return (PyObject *)eager_continuation_new(self, context);
}

/* Throws; afterwards it is done, or pending again. */
static PyObject *start_throw(eager_start *self, PyObject *exception)
{
    if (self->state == START_DONE && !self->spent) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine: it has finished");
        return NULL;
    }
    if (eager_start_require_rest(self) < 0 || eager_start_withdraw(self) < 0) {
        return NULL;
    }
    self->state = START_RUNNING;
    PyObject *value = eager_call_method(self->coroutine, self->context, names.throw, &exception, 1);
    if (value != NULL) {
        self->state = START_PENDING;
        Py_XSETREF(self->held, value);
        if (eager_owner(&self->owner) < 0) {
            return NULL;
        }
        Py_RETURN_NONE;
    }
    value = eager_stop_value();
    self->failed = value == NULL;
    self->state = START_DONE;
    Py_XSETREF(self->held, value != NULL ? value : eager_take_exception());
    Py_RETURN_NONE;
}

static PyObject *start_close(eager_start *self, PyObject *none)
{
    if (self->spent || self->state == START_DONE) {
        self->spent = 1;
        Py_RETURN_NONE;
    }
    if (eager_start_require_rest(self) < 0 || eager_start_withdraw(self) < 0) {
        return NULL;
    }
    self->spent = 1;
    Py_CLEAR(self->held);
    return eager_call_method(self->coroutine, self->context, names.close, NULL, 0);
}

static PyObject *start_repr(eager_start *self)
{
    const char *state = self->state == START_DONE ? (self->failed ? "failed" : "finished")
                        : self->spent             ? "continued"
                        : self->state == START_NEW     ? "not started"
                        : self->state == START_RUNNING ? "running"
                                                       : "suspended";
    return PyUnicode_FromFormat("<%s %s: %R>", Py_TYPE(self)->tp_name, state, self->coroutine);
}

/* ---- the type ---- */

static int start_traverse(eager_start *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->coroutine);
    Py_VISIT(self->context);
    Py_VISIT(self->held);
    Py_VISIT(self->owner);
    return 0;
}

static int start_clear(eager_start *self)
{
    Py_CLEAR(self->coroutine);
    Py_CLEAR(self->context);
    Py_CLEAR(self->held);
    Py_CLEAR(self->owner);
    return 0;
}

static void start_dealloc(eager_start *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)start_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef start_methods[] = {
    {"start", (PyCFunction)(void (*)(void))start_start, METH_VARARGS | METH_KEYWORDS,
     "start(context=None): run the coroutine up to its first suspension, if autostart=False was given; whether it is "
     "done."},
    {"done", (PyCFunction)start_done, METH_NOARGS, "Whether the coroutine finished without suspending."},
    {"pending", (PyCFunction)start_pending, METH_NOARGS, "Whether it is suspended and was not continued yet."},
    {"continued", (PyCFunction)start_continued, METH_NOARGS, "Whether it was awaited, or closed."},
    {"result", (PyCFunction)start_result, METH_NOARGS,
     "What the coroutine returned, or raise what it raised; InvalidStateError unless done()."},
    {"exception", (PyCFunction)start_exception, METH_NOARGS,
     "What the coroutine raised, or None; InvalidStateError unless done()."},
    {"close", (PyCFunction)start_close, METH_NOARGS,
     "Close the coroutine, in its context. RuntimeError if it awaits again instead of ending."},
    {"_throw", (PyCFunction)start_throw, METH_O, "_throw(exc): raise it in the coroutine; done or pending afterwards."},
    {"_continuation", (PyCFunction)start_continuation, METH_O, "_continuation(context): the rest, as an iterator."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "For annotations: CoroStart[T]."},
    {NULL},
};

static PyMemberDef start_members[] = {
    {"coro", T_OBJECT, offsetof(eager_start, coroutine), READONLY, "The coroutine."},
    {"context", T_OBJECT, offsetof(eager_start, context), READONLY, "The context that it runs in, or None."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(eager_start, weakrefs), READONLY},
    {NULL},
};

static PyType_Slot start_slots[] = {
    {Py_tp_doc, "CoroStart(coro, context=None, autostart=True)\n--\n\nA coroutine, run up to its first suspension."},
    {Py_tp_new, start_new},
    {Py_tp_traverse, start_traverse},
    {Py_tp_clear, start_clear},
    {Py_tp_dealloc, start_dealloc},
    {Py_tp_repr, start_repr},
    {Py_tp_methods, start_methods},
    {Py_tp_members, start_members},
    {Py_am_await, start_await},
    {0, NULL},
};

PyType_Spec eager_start_spec = {
    .name = "ohwait._eager.CoroStart",
    .basicsize = sizeof(eager_start),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = start_slots,
};
