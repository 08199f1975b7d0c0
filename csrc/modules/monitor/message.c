/* A message: what oob() and ayield() return, and what their awaiting yields. */
#include "monitor.h"

PyObject *mon_message_new(channel *channel, PyObject *data)
{
    message *self = PyObject_GC_New(message, &mon_message_type);
    if (self == NULL) {
        return NULL;
    }
    self->channel = (struct channel *)Py_NewRef((PyObject *)channel);
    self->data = Py_NewRef(data);
    self->state = MESSAGE_NEW;
    self->blocking = false;
    self->receiver = NULL;
    self->callback = self->context = self->loop = self->outcome = NULL;
    self->thread = 0;
    self->failed = false;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

PyObject *mon_take_data(message *self)
{
    PyObject *data = self->data;
    self->data = NULL;
    return data == NULL ? Py_NewRef(Py_None) : data;
}

static int message_traverse(PyObject *object, visitproc visit, void *arg)
{
    message *self = (message *)object;
    Py_VISIT(self->channel);
    Py_VISIT(self->data);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    Py_VISIT(self->loop);
    Py_VISIT(self->outcome);
    return 0;
}

static int message_clear(PyObject *object)
{
    message *self = (message *)object;
    Py_CLEAR(self->data);
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->outcome);
    return 0;
}

static void message_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    message_clear(object);
    Py_XDECREF(((message *)object)->channel);
    PyObject_GC_Del(object);
}

/* asyncio's loop that runs in this thread, or None, kept in the message.  Borrowed; NULL with an exception set. */
static PyObject *running_loop(message *self)
{
    if (self->loop != NULL) {
        return self->loop;
    }
    PyObject *events = PyImport_ImportModule("asyncio.events");
    PyObject *loop = events == NULL ? NULL : PyObject_CallMethod(events, "_get_running_loop", NULL);
    Py_XDECREF(events);
    self->loop = loop;
    self->thread = PyThread_get_thread_ident();
    return loop;
}

/* Whether it may be sent: somebody awaits the coroutine, and can be reached from here. */
static int may_send(message *self)
{
    channel *channel = self->channel;
    if (channel->driving) {
        return 0;
    }
    if (channel->active == NULL || !Py_IS_TYPE(channel->active, &mon_iterator_type)) {
        mon_refuse(channel->active == NULL ? "inactive" : "other-task", (PyObject *)channel);
        return -1;
    }
    PyObject *loop = running_loop(self);
    if (loop == Py_None) {
        mon_refuse("no-asyncio", (PyObject *)channel);
    }
    return loop == NULL || loop == Py_None ? -1 : 0;
}

/* The reply to a message that waited in another task. */
static PySendResult reply(message *self, PyObject **result)
{
    if (self->outcome == NULL) {
        mon_refuse("resumed-early", (PyObject *)self->channel);
        return PYGEN_ERROR;
    }
    self->state = MESSAGE_DONE;
    if (self->failed) {
        PyErr_SetObject((PyObject *)Py_TYPE(self->outcome), self->outcome);
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(self->outcome);
    return PYGEN_RETURN;
}

static PySendResult message_am_send(PyObject *object, PyObject *value, PyObject **result)
{
    message *self = (message *)object;
    *result = NULL;
    if (self->state == MESSAGE_NEW) {
        if (may_send(self) < 0) {
            self->state = MESSAGE_DONE;
            return PYGEN_ERROR;
        }
        self->state = MESSAGE_SENT;
        self->blocking = true;
        *result = Py_NewRef(object);
        return PYGEN_NEXT;
    }
    if (self->state == MESSAGE_DONE) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited oob() or ayield()");
        return PYGEN_ERROR;
    }
    if (self->callback != NULL || self->outcome != NULL) {
        return reply(self, result);
    }
    self->state = MESSAGE_DONE;
    *result = Py_NewRef(value);
    return PYGEN_RETURN;
}

static PyObject *message_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    PySendResult status = message_am_send(self, value, &result);
    return mon_method_result(status, result);
}

static PyObject *message_next(PyObject *self) { return message_send(self, Py_None); }

static void end(message *self)
{
    self->state = MESSAGE_DONE;
    if (self->receiver != NULL) {
        mon_withdraw(self);
    }
}

static PyObject *message_throw(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    end((message *)object);
    mon_raise_args(args, count);
    return NULL;
}

static PyObject *message_close(PyObject *object, PyObject *none)
{
    end((message *)object);
    Py_RETURN_NONE;
}

/* ---- the future protocol, for a task that awaits a message of which it is not the driver ---- */

static PyObject *get_blocking(PyObject *object, void *none)
{
    message *self = (message *)object;
    if (self->state == MESSAGE_NEW) {
        Py_RETURN_NONE;         /* asyncio.isfuture(): so far it is a coroutine */
    }
    return PyBool_FromLong(self->blocking);
}

static int set_blocking(PyObject *object, PyObject *value, void *none)
{
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    ((message *)object)->blocking = truth > 0;
    return truth < 0 ? -1 : 0;
}

static PyObject *message_get_loop(PyObject *object, PyObject *none)
{
    return Py_XNewRef(running_loop((message *)object));
}

static int send_to_iterator(message *self)
{
    PyObject *active = self->channel->active;
    if (active == NULL || !Py_IS_TYPE(active, &mon_iterator_type)) {
        mon_refuse(active == NULL ? "inactive" : "other-task", (PyObject *)self->channel);
        return -1;
    }
    return mon_enqueue((iterator *)active, self);
}

static PyObject *message_add_done_callback(PyObject *object, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"", "context", NULL};
    message *self = (message *)object;
    PyObject *callback, *context = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$O:add_done_callback", names, &callback, &context)) {
        return NULL;
    }
    if (self->callback != NULL || self->outcome != NULL) {
        mon_refuse("awaited-twice", (PyObject *)self->channel);
        return NULL;
    }
    if (running_loop(self) == NULL) {
        return NULL;
    }
    self->callback = Py_NewRef(callback);
    self->context = context == Py_None ? NULL : Py_NewRef(context);
    if (send_to_iterator(self) == 0) {
        Py_RETURN_NONE;
    }
    /* An exception from here would go to the event loop, and the task wait for ever: it is told like an answer. */
    return mon_complete(self, py_take_raised(), true) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *message_done(PyObject *object, PyObject *none)
{
    return PyBool_FromLong(((message *)object)->outcome != NULL);
}

static PyObject *message_result(PyObject *object, PyObject *none)
{
    message *self = (message *)object;
    if (self->outcome == NULL) {
        mon_refuse("resumed-early", (PyObject *)self->channel);
        return NULL;
    }
    if (self->failed) {
        PyErr_SetObject((PyObject *)Py_TYPE(self->outcome), self->outcome);
        return NULL;
    }
    return Py_NewRef(self->outcome);
}

static PyObject *message_cancel(PyObject *object, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"msg", NULL};
    message *self = (message *)object;
    PyObject *text = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:cancel", names, &text)) {
        return NULL;
    }
    if (self->outcome != NULL || self->callback == NULL) {
        Py_RETURN_FALSE;
    }
    PyObject *error = mon_cancelled_error(text);
    if (error == NULL || mon_complete(self, error, true) < 0) {
        return NULL;
    }
    Py_RETURN_TRUE;
}

static PyObject *get_name(PyObject *object, void *none)
{
    channel *channel = ((message *)object)->channel;
    return PyUnicode_FromString(mon_is_generator(channel) ? "GeneratorObject.ayield" : "Monitor.oob");
}

static PyMethodDef message_methods[] = {
    {"send", message_send, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))message_throw, METH_FASTCALL, NULL},
    {"close", message_close, METH_NOARGS, NULL},
    {"get_loop", message_get_loop, METH_NOARGS, NULL},
    {"add_done_callback", (PyCFunction)(void (*)(void))message_add_done_callback, METH_VARARGS | METH_KEYWORDS, NULL},
    {"done", message_done, METH_NOARGS, NULL},
    {"result", message_result, METH_NOARGS, NULL},
    {"cancel", (PyCFunction)(void (*)(void))message_cancel, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL},
};

static PyGetSetDef message_properties[] = {
    {"_asyncio_future_blocking", get_blocking, set_blocking, NULL, NULL},
    {"__name__", get_name, NULL, NULL, NULL},
    {"__qualname__", get_name, NULL, NULL, NULL},
    {NULL},
};

static PyAsyncMethods message_as_async = {.am_await = Py_NewRef, .am_send = message_am_send};
PyTypeObject mon_message_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._monitor.Message",
    .tp_doc = "What oob() and ayield() return: await it once.",
    .tp_basicsize = sizeof(message),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = message_dealloc,
    .tp_traverse = message_traverse,
    .tp_clear = message_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = message_next,
    .tp_as_async = &message_as_async,
    .tp_methods = message_methods,
    .tp_getset = message_properties,
};
