/* What the task that iterates awaits in place of the coroutine's future, by asyncio's documented future protocol. */
#include "monitor.h"

int mon_is_future(PyObject *object)
{
    if (object == Py_None || !PyObject_HasAttr(object, mon_names.blocking)) {
        return 0;
    }
    PyObject *blocking = PyObject_GetAttr(object, mon_names.blocking);
    if (blocking == NULL) {
        return -1;
    }
    int truth = blocking == Py_None ? 0 : PyObject_IsTrue(blocking);
    Py_DECREF(blocking);
    return truth;
}

int mon_is_done(PyObject *future)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, mon_names.done);
    int truth = done == NULL ? -1 : PyObject_IsTrue(done);
    Py_XDECREF(done);
    return truth;
}

parked *mon_park(PyObject *future)
{
    if (PyObject_SetAttr(future, mon_names.blocking, Py_False) < 0) {
        return NULL;
    }
    parked *self = PyObject_GC_New(parked, &mon_parked_type);
    if (self == NULL) {
        return NULL;
    }
    self->future = Py_NewRef(future);
    self->callback = self->context = NULL;
    self->blocking = true;
    self->interrupted = false;
    PyObject_GC_Track(self);
    return self;
}

int mon_call_soon(PyObject *method, PyObject *loop, PyObject *callback, PyObject *argument, PyObject *context)
{
    PyObject *args[] = {loop, callback, argument, context};
    PyObject *handle = PyObject_VectorcallMethod(method, args, 3, context == NULL ? NULL : mon_kw_context);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

int mon_interrupt(parked *self)
{
    if (self->interrupted) {
        return 0;
    }
    if (self->callback == NULL) {
        self->interrupted = true;       /* its task has not registered yet */
        return 0;
    }
    PyObject *count = PyObject_CallMethodOneArg(self->future, mon_names.remove_done_callback, self->callback);
    int removed = count == NULL ? -1 : PyObject_IsTrue(count);
    Py_XDECREF(count);
    if (removed <= 0) {
        return removed;     /* the future is done and its task about to go on */
    }
    PyObject *loop = PyObject_CallMethodNoArgs(self->future, mon_names.get_loop);
    if (loop == NULL) {
        return -1;
    }
    self->interrupted = true;
    PyObject *callback = self->callback;
    self->callback = NULL;
    int status = mon_call_soon(mon_names.call_soon, loop, callback, (PyObject *)self, self->context);
    Py_DECREF(callback);
    Py_DECREF(loop);
    return status;
}

static int parked_traverse(PyObject *object, visitproc visit, void *arg)
{
    parked *self = (parked *)object;
    Py_VISIT(self->future);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    return 0;
}

static int parked_clear(PyObject *object)
{
    parked *self = (parked *)object;
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    return 0;
}

static void parked_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    parked_clear(object);
    Py_DECREF(((parked *)object)->future);
    PyObject_GC_Del(object);
}

static PyObject *add_done_callback(PyObject *object, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"", "context", NULL};
    parked *self = (parked *)object;
    PyObject *callback, *context = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$O:add_done_callback", names, &callback, &context)) {
        return NULL;
    }
    if (self->callback != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a suspended step of a generator object is awaited twice");
        return NULL;
    }
    if (self->interrupted) {
        PyObject *loop = PyObject_CallMethodNoArgs(self->future, mon_names.get_loop);
        int status = loop == NULL ? -1 : mon_call_soon(mon_names.call_soon, loop, callback, object,
                                                       context == Py_None ? NULL : context);
        Py_XDECREF(loop);
        return status < 0 ? NULL : Py_NewRef(Py_None);
    }
    Py_XSETREF(self->callback, Py_NewRef(callback));
    Py_XSETREF(self->context, context == Py_None ? NULL : Py_NewRef(context));
    PyObject *call[] = {self->future, callback, context};
    return PyObject_VectorcallMethod(mon_names.add_done_callback, call, 2, context == Py_None ? NULL : mon_kw_context);
}

static PyObject *remove_done_callback(PyObject *object, PyObject *callback)
{
    parked *self = (parked *)object;
    if (self->callback == callback) {
        Py_CLEAR(self->callback);
    }
    return PyObject_CallMethodOneArg(self->future, mon_names.remove_done_callback, callback);
}

static PyObject *result(PyObject *object, PyObject *none)
{
    parked *self = (parked *)object;
    return self->interrupted ? Py_NewRef(Py_None) : PyObject_CallMethodNoArgs(self->future, mon_names.result);
}

static PyObject *done(PyObject *object, PyObject *none)
{
    parked *self = (parked *)object;
    return self->interrupted ? Py_NewRef(Py_True) : PyObject_CallMethodNoArgs(self->future, mon_names.done);
}

static PyObject *cancel(PyObject *object, PyObject *args, PyObject *keywords)
{
    parked *self = (parked *)object;
    if (self->interrupted) {
        Py_RETURN_FALSE;        /* its task goes on already; it notes the cancellation itself */
    }
    PyObject *method = PyObject_GetAttr(self->future, mon_names.cancel);
    PyObject *cancelled = method == NULL ? NULL : PyObject_Call(method, args, keywords);
    Py_XDECREF(method);
    return cancelled;
}

static PyObject *get_loop(PyObject *object, PyObject *none)
{
    return PyObject_CallMethodNoArgs(((parked *)object)->future, mon_names.get_loop);
}

static PyObject *parked_repr(PyObject *object)
{
    return PyUnicode_FromFormat("<a generator object waits for %R>", ((parked *)object)->future);
}

static PyMethodDef parked_methods[] = {
    {"add_done_callback", (PyCFunction)(void (*)(void))add_done_callback, METH_VARARGS | METH_KEYWORDS, NULL},
    {"remove_done_callback", remove_done_callback, METH_O, NULL},
    {"result", result, METH_NOARGS, NULL},
    {"done", done, METH_NOARGS, NULL},
    {"cancel", (PyCFunction)(void (*)(void))cancel, METH_VARARGS | METH_KEYWORDS, NULL},
    {"get_loop", get_loop, METH_NOARGS, NULL},
    {NULL},
};

static PyMemberDef parked_members[] = {
    {"_asyncio_future_blocking", T_BOOL, offsetof(parked, blocking), 0, NULL},
    {NULL},
};

PyTypeObject mon_parked_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._monitor.Parked",
    .tp_doc = "What the task that iterates a generator object awaits while its coroutine awaits a future.",
    .tp_basicsize = sizeof(parked),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = parked_dealloc,
    .tp_traverse = parked_traverse,
    .tp_clear = parked_clear,
    .tp_repr = parked_repr,
    .tp_methods = parked_methods,
    .tp_members = parked_members,
};
