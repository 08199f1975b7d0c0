/* Continuation: the rest of a started coroutine, as what `await` iterates over and as what a Task can drive. */
#include "eager.h"

PyTypeObject *eager_continuation_type;

eager_continuation *eager_continuation_new(eager_start *start, PyObject *context)
{
    PyTypeObject *type = eager_continuation_type;
    eager_continuation *self = (eager_continuation *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->start = (eager_start *)Py_NewRef((PyObject *)start);
        self->coroutine = Py_NewRef(start->coroutine);
        self->context = Py_XNewRef(context != NULL ? context : start->context);
    }
    return self;
}

/* ---- the first step: what the start holds ---- */

/* 1 if this runs where the coroutine may go on, 0 with an exception set if not (trio's primitives know their task). */
static int may_go_on(eager_start *start)
{
    if (start->owner == NULL) {
        return 1;
    }
    PyObject *now;
    if (eager_owner(&now) < 0) {
        return 0;
    }
    int same = now == start->owner;
    Py_XDECREF(now);
    if (!same) {
        PyObject *error = PyObject_CallOneArg(hooks.foreign, start->owner);
        if (error != NULL) {
            eager_raise(error);
            Py_DECREF(error);
        }
    }
    return same;
}

/* Whether a Task's own turn of the loop was all there was to wait for. */
static int waited_for(PyObject *yielded)
{
    if (yielded == Py_None) {
        return 1;
    }
    PyObject *done = PyObject_CallMethodNoArgs(yielded, names.done);
    int finished = done == NULL ? -1 : PyObject_IsTrue(done);
    Py_XDECREF(done);
    if (finished <= 0) {
        PyErr_Clear();          /* no future: the Task says what is wrong with it */
        return 0;
    }
    if (PyObject_SetAttr(yielded, names.blocking, Py_False) < 0) {
        PyErr_Clear();
        return 0;
    }
    return 1;
}

static PySendResult finished(eager_start *start, PyObject **result)
{
    start->spent = 1;
    if (start->failed) {
        eager_raise(start->held);
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(start->held);
    return PYGEN_RETURN;
}

static PySendResult first_step(eager_continuation *self, PyObject *value, PyObject **result)
{
    eager_start *start = self->start;
    *result = NULL;
    if (eager_start_require_rest(start) < 0 || !may_go_on(start)) {
        return PYGEN_ERROR;
    }
    self->start = NULL;
    PySendResult sent;
    if (start->state == START_DONE) {
        sent = finished(start, result);
    } else {
        PyObject *yielded = start->held;
        start->held = NULL;
        start->spent = 1;
        if (yielded == NULL || (self->for_task && waited_for(yielded))) {
            Py_XDECREF(yielded);
            sent = eager_send(self->coroutine, self->context, value, result);
        } else {
            *result = yielded;
            sent = PYGEN_NEXT;
        }
    }
    Py_DECREF(start);
    return sent;
}

static PySendResult continuation_am_send(eager_continuation *self, PyObject *value, PyObject **result)
{
    if (self->start != NULL) {
        return first_step(self, value, result);
    }
    return eager_send(self->coroutine, self->context, value, result);
}

/* The iterator protocol's form of a step: NULL and StopIteration where the coroutine returned. */
static PyObject *as_iterator(PySendResult sent, PyObject *result, int for_next)
{
    if (sent != PYGEN_RETURN) {
        return result;
    }
    if (result == Py_None && for_next) {
        Py_DECREF(result);
        return NULL;            /* tp_iternext may leave it at that */
    }
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);     /* not SetObject(): it unpacks tuples */
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    Py_DECREF(result);
    return NULL;
}

static PyObject *continuation_send(eager_continuation *self, PyObject *value)
{
    PyObject *result;
    PySendResult sent = continuation_am_send(self, value, &result);
    return as_iterator(sent, result, 0);
}

static PyObject *continuation_next(eager_continuation *self)
{
    PyObject *result;
    PySendResult sent = continuation_am_send(self, Py_None, &result);
    return as_iterator(sent, result, 1);
}

/* ---- throw and close ---- */

/* A Task that is cancelled before its first step throws, where a Task that waits cancels what it waits for: do that.
   1 if the future takes it, and is to be waited for; 0 if not; -1 on error. */
static int cancel_awaited(PyObject *yielded, PyObject *const *args, Py_ssize_t count)
{
    if (yielded == NULL || yielded == Py_None || count != 1 ||
        PyObject_IsInstance(args[0], hooks.cancelled) != 1 || !PyObject_HasAttr(yielded, names.blocking)) {
        return 0;
    }
    PyObject *details = PyObject_GetAttrString(args[0], "args");
    PyObject *cancel = details == NULL ? NULL : PyObject_GetAttr(yielded, names.cancel);
    PyObject *message = cancel == NULL ? NULL : PySequence_GetSlice(details, 0, 1);
    PyObject *taken = message == NULL ? NULL : PyObject_Call(cancel, message, NULL);
    int answer = taken == NULL ? -1 : PyObject_IsTrue(taken);
    Py_XDECREF(details);
    Py_XDECREF(cancel);
    Py_XDECREF(message);
    Py_XDECREF(taken);
    return answer;
}

static PyObject *raise_thrown(PyObject *const *args, Py_ssize_t count)
{
    PyObject *value = count > 1 && args[1] != Py_None ? args[1] : NULL;
    PyObject *traceback = count > 2 && args[2] != Py_None ? args[2] : NULL;
    if (PyExceptionInstance_Check(args[0])) {
        eager_raise(args[0]);
    } else if (PyExceptionClass_Check(args[0])) {
        PyErr_Restore(Py_NewRef(args[0]), Py_XNewRef(value), Py_XNewRef(traceback));
    } else {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %.100s",
                     Py_TYPE(args[0])->tp_name);
    }
    return NULL;
}

static PyObject *continuation_throw(eager_continuation *self, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes an exception, or a type, a value and a traceback");
        return NULL;
    }
    eager_start *start = self->start;
    if (start == NULL) {
        return eager_call_method(self->coroutine, self->context, names.throw, args, count);
    }
    if (eager_start_require_rest(start) < 0) {
        return NULL;
    }
    if (start->state == START_DONE) {
        start->spent = 1;
        return raise_thrown(args, count);
    }
    int taken = cancel_awaited(start->held, args, count);
    if (taken < 0 || (taken == 0 && eager_start_withdraw(start) < 0)) {
        return NULL;
    }
    PyObject *yielded = start->held;
    start->held = NULL;
    start->spent = 1;
    Py_CLEAR(self->start);
    if (taken) {
        return yielded;
    }
    Py_XDECREF(yielded);
    return eager_call_method(self->coroutine, self->context, names.throw, args, count);
}

static PyObject *continuation_close(eager_continuation *self, PyObject *none)
{
    eager_start *start = self->start;
    if (start != NULL) {
        if (start->spent || start->state == START_DONE) {
            start->spent = 1;
            Py_RETURN_NONE;
        }
        if (eager_start_require_rest(start) < 0 || eager_start_withdraw(start) < 0) {
            return NULL;
        }
        start->spent = 1;
        Py_CLEAR(start->held);
        Py_CLEAR(self->start);
    }
    return eager_call_method(self->coroutine, self->context, names.close, NULL, 0);
}

static PyObject *continuation_unbound(eager_continuation *self, PyObject *none)
{
    Py_CLEAR(self->context);
    return Py_NewRef((PyObject *)self);
}

/* ---- what debuggers and asyncio's repr ask for: the coroutine's own answers ---- */

static PyObject *coroutine_attribute(eager_continuation *self, void *name)
{
    PyObject *value = PyObject_GetAttrString(self->coroutine, name);
    const char *rest = strchr(name, '_');
    if (value != NULL || strncmp(name, "cr_", 3) != 0 || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return value;
    }
    PyErr_Clear();
    char generator[24];
    (void)PyOS_snprintf(generator, sizeof(generator), "gi%s", rest);
    return PyObject_GetAttrString(self->coroutine, generator);
}

static PyObject *continuation_repr(eager_continuation *self)
{
    return PyUnicode_FromFormat("<continuation of %R>", self->coroutine);
}

static int continuation_traverse(eager_continuation *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)self->start);
    Py_VISIT(self->coroutine);
    Py_VISIT(self->context);
    return 0;
}

static int continuation_clear(eager_continuation *self)
{
    Py_CLEAR(self->start);
    Py_CLEAR(self->coroutine);
    Py_CLEAR(self->context);
    return 0;
}

static void continuation_dealloc(eager_continuation *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)continuation_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *itself(PyObject *self) { return Py_NewRef(self); }

static PyMethodDef continuation_methods[] = {
    {"send", (PyCFunction)continuation_send, METH_O, "send(value): the next step, as a coroutine's."},
    {"throw", (PyCFunction)(void (*)(void))continuation_throw, METH_FASTCALL, "throw(exc): as a coroutine's."},
    {"close", (PyCFunction)continuation_close, METH_NOARGS, "close(): as a coroutine's, in its context."},
    {"unbound", (PyCFunction)continuation_unbound, METH_NOARGS,
     "unbound(): this object, from now on for a driver that enters the context itself."},
    {NULL},
};

static PyMemberDef continuation_members[] = {
    {"coro", T_OBJECT, offsetof(eager_continuation, coroutine), READONLY, "The coroutine that goes on."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(eager_continuation, weakrefs), READONLY},
    {NULL},
};

#define FORWARDED(name) {name, (getter)coroutine_attribute, NULL, "The coroutine's.", (void *)name}
static PyGetSetDef continuation_getset[] = {
    FORWARDED("cr_await"), FORWARDED("cr_code"),   FORWARDED("cr_frame"),    FORWARDED("cr_running"),
    FORWARDED("cr_origin"), FORWARDED("cr_suspended"), FORWARDED("__qualname__"), FORWARDED("__name__"), {NULL},
};

static PyType_Slot continuation_slots[] = {
    {Py_tp_doc, "The rest of a coroutine that a CoroStart has started."},
    {Py_tp_traverse, continuation_traverse},
    {Py_tp_clear, continuation_clear},
    {Py_tp_dealloc, continuation_dealloc},
    {Py_tp_repr, continuation_repr},
    {Py_tp_iter, itself},
    {Py_tp_iternext, continuation_next},
    {Py_tp_methods, continuation_methods},
    {Py_tp_members, continuation_members},
    {Py_tp_getset, continuation_getset},
    {Py_am_await, itself},
    {Py_am_send, continuation_am_send},
    {0, NULL},
};

PyType_Spec eager_continuation_spec = {
    .name = "ohwait._eager.Continuation",
    .basicsize = sizeof(eager_continuation),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = continuation_slots,
};
