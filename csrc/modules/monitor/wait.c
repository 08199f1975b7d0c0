/* A wait: what Monitor.aawait() and athrow() return.  It drives the coroutine until a message for the monitor. */
#include "monitor.h"

typedef enum { NEW, SUSPENDED, OVER } progress;

typedef struct {
    PyObject_HEAD
    channel *channel;       /* Owned */
    PyObject *coroutine;    /* Owned */
    PyObject *value;        /* Owned: what to send or throw first; NULL once it was */
    bool throws;
    bool executing;         /* the coroutine runs now */
    progress progress;
} wait;

PyObject *mon_wait_new(channel *channel, PyObject *coroutine, PyObject *value, bool throws)
{
    if (mon_check_coroutine(coroutine, throws ? "Monitor.athrow()" : "Monitor.aawait()") < 0) {
        return NULL;
    }
    wait *self = PyObject_GC_New(wait, &mon_wait_type);
    if (self == NULL) {
        return NULL;
    }
    self->channel = (struct channel *)Py_NewRef((PyObject *)channel);
    self->coroutine = Py_NewRef(coroutine);
    self->value = Py_NewRef(value);
    self->throws = throws;
    self->executing = false;
    self->progress = NEW;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int wait_traverse(PyObject *object, visitproc visit, void *arg)
{
    wait *self = (wait *)object;
    Py_VISIT(self->channel);
    Py_VISIT(self->coroutine);
    Py_VISIT(self->value);
    return 0;
}

static void over(wait *self)
{
    if (self->progress == SUSPENDED) {
        self->channel->active = NULL;
    }
    self->progress = OVER;
}

static int wait_clear(PyObject *object)
{
    wait *self = (wait *)object;
    Py_CLEAR(self->value);
    return 0;
}

static void wait_dealloc(PyObject *object)
{
    wait *self = (wait *)object;
    if (self->progress == NEW && PyObject_CallFinalizerFromDealloc(object) < 0) {
        return;
    }
    PyObject_GC_UnTrack(object);
    over(self);
    wait_clear(object);
    Py_DECREF(self->channel);
    Py_DECREF(self->coroutine);
    PyObject_GC_Del(object);
}

static PySendResult settle(wait *self, PySendResult status, PyObject **result)
{
    if (status == PYGEN_NEXT) {
        if (!mon_is_for(*result, self->channel)) {
            return PYGEN_NEXT;
        }
        over(self);
        PyObject *data = mon_take_data((message *)*result);
        Py_CLEAR(*result);
        PyObject *error = PyObject_CallOneArg((PyObject *)&mon_oob_data_type, data);
        Py_DECREF(data);
        if (error != NULL) {
            PyErr_SetObject((PyObject *)&mon_oob_data_type, error);
            Py_DECREF(error);
        }
        return PYGEN_ERROR;
    }
    over(self);
    if (status == PYGEN_ERROR && PyErr_ExceptionMatches((PyObject *)&mon_oob_data_type)) {
        mon_chain_runtime_error("coroutine raised OOBData");
    }
    return status;
}

static int begin(wait *self)
{
    channel *channel = self->channel;
    if (channel->active != NULL) {
        self->progress = OVER;
        mon_refuse("re-entered", (PyObject *)channel);
        return -1;
    }
    channel->active = (PyObject *)self;
    self->progress = SUSPENDED;
    return 0;
}

static int refuse_reuse(void)
{
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited aawait() or athrow()");
    return -1;
}

static bool is_executing(wait *self)
{
    if (self->executing) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
    }
    return self->executing;
}

static PySendResult drive(wait *self, bool throws, PyObject *value, PyObject **result)
{
    self->executing = true;
    PySendResult status = throws ? mon_throw(self->channel, self->coroutine, value, result)
                                 : mon_send(self->channel, self->coroutine, value, result);
    self->executing = false;
    return settle(self, status, result);
}

static PySendResult wait_am_send(PyObject *object, PyObject *value, PyObject **result)
{
    wait *self = (wait *)object;
    *result = NULL;
    if (is_executing(self)) {
        return PYGEN_ERROR;
    }
    if (self->progress == SUSPENDED) {
        return drive(self, false, value, result);
    }
    if (self->progress == OVER ? refuse_reuse() < 0 : begin(self) < 0) {
        return PYGEN_ERROR;
    }
    PyObject *first = self->value;
    self->value = NULL;
    PySendResult status = drive(self, self->throws, first, result);
    Py_DECREF(first);
    return status;
}

static PyObject *wait_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    PySendResult status = wait_am_send(self, value, &result);
    return mon_method_result(status, result);
}

static PyObject *wait_next(PyObject *self) { return wait_send(self, Py_None); }

static PyObject *wait_throw(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    wait *self = (wait *)object;
    if (is_executing(self) || (self->progress == OVER && refuse_reuse() < 0)) {
        return NULL;
    }
    if (self->progress == NEW) {
        self->progress = OVER;
        mon_raise_args(args, count);
        return NULL;
    }
    PyObject *exception = mon_exception_of(args, count), *result = NULL;
    if (exception == NULL) {
        return NULL;
    }
    PySendResult status = drive(self, true, exception, &result);
    Py_DECREF(exception);
    return mon_method_result(status, result);
}

static PyObject *wait_close(PyObject *object, PyObject *none)
{
    wait *self = (wait *)object;
    if (is_executing(self)) {
        return NULL;
    }
    if (self->progress != SUSPENDED) {
        self->progress = OVER;
        Py_RETURN_NONE;
    }
    self->channel->driving++;
    PyObject *closed = PyObject_CallMethodNoArgs(self->coroutine, mon_names.close);
    self->channel->driving--;
    over(self);
    return closed;
}

/* Whoever walks along what is awaited sees the coroutine in this object's place. */
static PyObject *of_coroutine(PyObject *object, void *name)
{
    return PyObject_GetAttr(((wait *)object)->coroutine, *(PyObject **)name);
}

static PyObject *get_name(PyObject *object, void *none)
{
    return PyUnicode_FromString(((wait *)object)->throws ? "Monitor.athrow" : "Monitor.aawait");
}

static PyObject *wait_repr(PyObject *object)
{
    wait *self = (wait *)object;
    return PyUnicode_FromFormat("<%s of %R>", self->throws ? "Monitor.athrow" : "Monitor.aawait", self->coroutine);
}

static void wait_finalize(PyObject *object)
{
    wait *self = (wait *)object;
    if (self->progress != NEW) {
        return;
    }
    PyObject *error = py_take_raised();
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "%R was never awaited", object) < 0) {
        PyErr_WriteUnraisable(object);
    }
    if (error != NULL) {
        py_raise(error);
    }
}

static PyMethodDef wait_methods[] = {
    {"send", wait_send, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))wait_throw, METH_FASTCALL, NULL},
    {"close", wait_close, METH_NOARGS, NULL},
    {NULL},
};

static PyGetSetDef wait_properties[] = {
    {"cr_frame", of_coroutine, NULL, NULL, &mon_names.cr_frame},
    {"cr_await", of_coroutine, NULL, NULL, &mon_names.cr_await},
    {"cr_code", of_coroutine, NULL, NULL, &mon_names.cr_code},
    {"__name__", get_name, NULL, NULL, NULL},
    {"__qualname__", get_name, NULL, NULL, NULL},
    {NULL},
};

static PyAsyncMethods wait_as_async = {.am_await = Py_NewRef, .am_send = wait_am_send};
PyTypeObject mon_wait_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._monitor.Wait",
    .tp_doc = "What Monitor.aawait() and Monitor.athrow() return: await it once.",
    .tp_basicsize = sizeof(wait),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = wait_dealloc,
    .tp_traverse = wait_traverse,
    .tp_clear = wait_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = wait_next,
    .tp_as_async = &wait_as_async,
    .tp_methods = wait_methods,
    .tp_getset = wait_properties,
    .tp_repr = wait_repr,
    .tp_finalize = wait_finalize,
};
