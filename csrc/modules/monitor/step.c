/* A step of a generator object's iterator: what asend(), athrow(), aclose() and __anext__() return.
 *
 * The rules (when it is running, closed or finished, and what that raises) are those of CPython's async generators,
 * Objects/genobject.c: async_gen_asend_send, async_gen_athrow_send.
 */
#include "monitor.h"

typedef enum { NEW, BEGUN, OVER } progress;

typedef struct {
    PyObject_HEAD
    iterator *iterator;     /* Owned */
    PyObject *value;        /* Owned: what to send or throw; NULL once it was, or if there is nothing */
    step_kind kind;
    progress progress;
} step;

PyObject *mon_step_new(iterator *iterator, step_kind kind, PyObject *value)
{
    step *self = PyObject_GC_New(step, &mon_step_type);
    if (self == NULL) {
        return NULL;
    }
    self->iterator = (struct iterator *)Py_NewRef((PyObject *)iterator);
    self->value = Py_XNewRef(value);
    self->kind = kind;
    self->progress = NEW;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int step_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((step *)object)->iterator);
    Py_VISIT(((step *)object)->value);
    return 0;
}

static int step_clear(PyObject *object)
{
    Py_CLEAR(((step *)object)->value);
    return 0;
}

static void step_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    if (((step *)object)->progress == BEGUN) {
        ((step *)object)->iterator->running = false;
    }
    step_clear(object);
    Py_DECREF(((step *)object)->iterator);
    PyObject_GC_Del(object);
}

static const char *method_name(step *self)
{
    return self->kind == STEP_THROW ? "athrow()" : self->kind == STEP_CLOSE ? "aclose()" : "asend() or __anext__()";
}

/* It ends, whether it returns or raises. */
static void over(step *self)
{
    self->progress = OVER;
    self->iterator->running = false;
}

/* ---- how the coroutine's yields, return and exceptions leave the step ---- */

/* Hand the oldest message over, which `own` may be (stolen, NULL if the coroutine itself has none). */
static PySendResult deliver(step *self, message *own, PyObject **result)
{
    iterator *iterator = self->iterator;
    message *next = mon_next(iterator);
    if (next == NULL) {
        next = own;
    }
    else if (own != NULL) {
        own->receiver = iterator;
        int status = PyList_Append(iterator->queue, (PyObject *)own);
        Py_DECREF(own);
        if (status < 0) {
            Py_DECREF(next);
            return PYGEN_ERROR;
        }
    }
    over(self);
    PyObject *data = mon_take_data(next);
    iterator->own_turn = next->callback == NULL;
    if (!iterator->own_turn) {
        Py_XSETREF(iterator->yielder, next);        /* its task waits for the reply */
    }
    else {
        next->receiver = NULL;
        Py_DECREF(next);
    }
    if (self->kind == STEP_CLOSE) {
        Py_DECREF(data);
        PyErr_SetString(PyExc_RuntimeError, "async generator ignored GeneratorExit");
        return PYGEN_ERROR;
    }
    *result = data;
    return PYGEN_RETURN;
}

static PySendResult leave_raising(step *self, PyObject **result)
{
    over(self);
    if (self->kind != STEP_CLOSE || !(PyErr_ExceptionMatches(PyExc_StopAsyncIteration) ||
                                      PyErr_ExceptionMatches(PyExc_GeneratorExit))) {
        return PYGEN_ERROR;
    }
    PyErr_Clear();
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

static PySendResult finish(step *self, PySendResult status, PyObject **result)
{
    iterator *iterator = self->iterator;
    iterator->finished = true;
    if (iterator->generator->active == (PyObject *)iterator) {
        iterator->generator->active = NULL;
    }
    if (status == PYGEN_RETURN) {
        Py_CLEAR(*result);
        PyErr_SetNone(PyExc_StopAsyncIteration);
    }
    else if (PyErr_ExceptionMatches(PyExc_StopAsyncIteration)) {
        mon_chain_runtime_error("async generator raised StopAsyncIteration");
    }
    if (PyErr_ExceptionMatches(PyExc_StopAsyncIteration) || PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
        iterator->closed = true;
    }
    mon_cancel_all(iterator);
    return leave_raising(self, result);
}

/* Suspend until the future that the coroutine waits for is done, or a message comes. */
static PySendResult park(step *self, PyObject **result)
{
    iterator *iterator = self->iterator;
    Py_XSETREF(iterator->parked, mon_park(iterator->waits_for));
    if (iterator->parked == NULL) {
        return leave_raising(self, result);
    }
    *result = Py_NewRef((PyObject *)iterator->parked);
    return PYGEN_NEXT;
}

static bool has_messages(iterator *iterator)
{
    return iterator->queue != NULL && PyList_GET_SIZE(iterator->queue) > 0;
}

/* What the coroutine has just done, `status`, becomes what the step does. */
static PySendResult settle(step *self, PySendResult status, PyObject **result)
{
    iterator *iterator = self->iterator;
    if (status != PYGEN_NEXT) {
        return finish(self, status, result);
    }
    PyObject *yielded = *result;
    *result = NULL;
    if (mon_is_for(yielded, iterator->generator)) {
        return deliver(self, (message *)yielded, result);
    }
    /* Another channel's message goes on outward, to its driver. */
    int is_future = Py_IS_TYPE(yielded, &mon_message_type) ? 0 : mon_is_future(yielded);
    if (is_future == 0) {
        if (yielded == Py_None && has_messages(iterator)) {
            Py_DECREF(yielded);
            iterator->owed = true;
            return deliver(self, NULL, result);
        }
        *result = yielded;
        return PYGEN_NEXT;
    }
    Py_XSETREF(iterator->waits_for, yielded);
    if (is_future < 0) {
        return leave_raising(self, result);
    }
    return has_messages(iterator) ? deliver(self, NULL, result) : park(self, result);
}

/* ---- driving the coroutine ---- */

static PySendResult drive(step *self, bool throws, PyObject *value, PyObject **result)
{
    iterator *iterator = self->iterator;
    Py_CLEAR(iterator->waits_for);
    Py_CLEAR(iterator->parked);
    iterator->owed = false;
    iterator->begun = iterator->executing = true;
    iterator->thread = PyThread_get_thread_ident();
    PySendResult status = throws ? mon_throw(iterator->generator, iterator->coroutine, value, result)
                                 : mon_send(iterator->generator, iterator->coroutine, value, result);
    iterator->executing = false;
    return settle(self, status, result);
}

/* Somebody else has been answered, or nobody: go on with what is there. */
static PySendResult go_on(step *self, PyObject *sent, PyObject **result)
{
    iterator *iterator = self->iterator;
    if (has_messages(iterator)) {
        return deliver(self, NULL, result);
    }
    if (iterator->waits_for == NULL) {
        return drive(self, false, sent, result);
    }
    int done = mon_is_done(iterator->waits_for);
    if (done < 0) {
        return leave_raising(self, result);
    }
    return done ? drive(self, false, Py_None, result) : park(self, result);
}

/* Answer whoever has yielded last, and go on. */
static PySendResult answer(step *self, bool throws, PyObject *value, PyObject **result)
{
    iterator *iterator = self->iterator;
    if (iterator->yielder != NULL) {
        if (mon_complete(iterator->yielder, Py_NewRef(value), throws) < 0) {
            return leave_raising(self, result);
        }
        return go_on(self, Py_None, result);
    }
    return throws || iterator->own_turn ? drive(self, throws, value, result) : go_on(self, Py_None, result);
}

static PySendResult fail_new(step *self, PyObject *type, const char *text)
{
    self->progress = OVER;
    if (text == NULL) {
        PyErr_SetNone(type);
    }
    else {
        PyErr_Format(type, "%s: %s", method_name(self), text);
    }
    return PYGEN_ERROR;
}

static PySendResult begin(step *self, PyObject **result)
{
    iterator *iterator = self->iterator;
    if (iterator->finished && self->kind != STEP_SEND) {
        self->progress = OVER;
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    if (iterator->running) {
        return fail_new(self, PyExc_RuntimeError, "asynchronous generator is already running");
    }
    if (iterator->finished || (iterator->closed && self->kind != STEP_SEND)) {
        return fail_new(self, PyExc_StopAsyncIteration, NULL);
    }
    if (!iterator->begun && self->kind == STEP_SEND && self->value != NULL && self->value != Py_None) {
        return fail_new(self, PyExc_TypeError, "can't send non-None value to a just-started async generator");
    }
    self->progress = BEGUN;
    iterator->running = true;
    iterator->generator->active = (PyObject *)iterator;
    PyObject *value = self->value;
    self->value = NULL;
    PySendResult status;
    if (self->kind == STEP_CLOSE) {
        iterator->closed = true;
        mon_cancel_all(iterator);
        status = drive(self, true, PyExc_GeneratorExit, result);
    }
    else {
        status = answer(self, self->kind == STEP_THROW, value == NULL ? Py_None : value, result);
    }
    Py_XDECREF(value);
    return status;
}

static PySendResult resume(step *self, PyObject *value, PyObject **result)
{
    iterator *iterator = self->iterator;
    if (iterator->parked == NULL) {
        if (value == Py_None && has_messages(iterator)) {
            iterator->owed = true;
            return deliver(self, NULL, result);
        }
        return drive(self, false, value, result);
    }
    bool interrupted = iterator->parked->interrupted;
    Py_CLEAR(iterator->parked);
    if (has_messages(iterator) || interrupted) {
        return go_on(self, Py_None, result);
    }
    return drive(self, false, value, result);
}

static bool is_executing(step *self)
{
    if (self->progress == BEGUN && self->iterator->executing) {
        PyErr_SetString(PyExc_ValueError, "generator object already executing");
        return true;
    }
    return false;
}

static PySendResult refuse_reuse(step *self)
{
    PyErr_Format(PyExc_RuntimeError, "cannot reuse already awaited %s", method_name(self));
    return PYGEN_ERROR;
}

static PySendResult step_am_send(PyObject *object, PyObject *value, PyObject **result)
{
    step *self = (step *)object;
    *result = NULL;
    if (self->progress == NEW) {
        return value == Py_None ? begin(self, result)
                                : fail_new(self, PyExc_RuntimeError, "can't send non-None value to a just-started step");
    }
    if (is_executing(self)) {
        return PYGEN_ERROR;
    }
    return self->progress == OVER ? refuse_reuse(self) : resume(self, value, result);
}

static PyObject *step_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    PySendResult status = step_am_send(self, value, &result);
    return mon_method_result(status, result);
}

static PyObject *step_next(PyObject *self) { return step_send(self, Py_None); }

static PySendResult throw_into(step *self, PyObject *exception, PyObject **result)
{
    *result = NULL;
    if (is_executing(self)) {
        return PYGEN_ERROR;
    }
    if (self->progress == OVER) {
        return refuse_reuse(self);
    }
    if (self->progress == NEW) {
        if (self->iterator->running) {
            return fail_new(self, PyExc_RuntimeError, "asynchronous generator is already running");
        }
        if (self->iterator->finished) {
            self->progress = OVER;
            PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
            return PYGEN_ERROR;
        }
        self->progress = BEGUN;
        self->iterator->running = true;
        self->iterator->generator->active = (PyObject *)self->iterator;
    }
    return drive(self, true, exception, result);
}

static PyObject *step_throw(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    PyObject *exception = mon_exception_of(args, count), *result;
    if (exception == NULL) {
        return NULL;
    }
    PySendResult status = throw_into((step *)object, exception, &result);
    Py_DECREF(exception);
    return mon_method_result(status, result);
}

static PyObject *step_close(PyObject *object, PyObject *none)
{
    step *self = (step *)object;
    if (self->progress != BEGUN) {
        self->progress = OVER;
        Py_RETURN_NONE;
    }
    PyObject *result;
    PySendResult status = throw_into(self, PyExc_GeneratorExit, &result);
    Py_XDECREF(result);
    if (status == PYGEN_NEXT) {
        PyErr_SetString(PyExc_RuntimeError, "coroutine ignored GeneratorExit");
        return NULL;
    }
    if (status == PYGEN_ERROR) {
        if (!PyErr_ExceptionMatches(PyExc_StopAsyncIteration) && !PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
            return NULL;
        }
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

static PyObject *get_name(PyObject *object, void *none)
{
    step_kind kind = ((step *)object)->kind;
    return PyUnicode_FromFormat("GeneratorObject.%s",
                                kind == STEP_SEND ? "asend" : kind == STEP_THROW ? "athrow" : "aclose");
}

static PyGetSetDef step_properties[] = {
    {"__name__", get_name, NULL, NULL, NULL},
    {"__qualname__", get_name, NULL, NULL, NULL},
    {NULL},
};

static PyMethodDef step_methods[] = {
    {"send", step_send, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))step_throw, METH_FASTCALL, NULL},
    {"close", step_close, METH_NOARGS, NULL},
    {NULL},
};

static PyAsyncMethods step_as_async = {.am_await = Py_NewRef, .am_send = step_am_send};
PyTypeObject mon_step_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._monitor.Step",
    .tp_doc = "What asend(), athrow(), aclose() and __anext__() return: await it once.",
    .tp_basicsize = sizeof(step),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = step_dealloc,
    .tp_traverse = step_traverse,
    .tp_clear = step_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = step_next,
    .tp_as_async = &step_as_async,
    .tp_methods = step_methods,
    .tp_getset = step_properties,
};
