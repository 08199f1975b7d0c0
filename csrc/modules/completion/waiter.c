/* Waiter: one wait for a Completion.
 *
 * The iterator of __await__, and at the same time what it yields: an asyncio Task takes it for a Future, by its
 * attribute _asyncio_future_blocking, and calls get_loop, add_done_callback and, to cancel the wait, cancel.  It is that,
 * and not the Completion, since a wait belongs to a loop and may be cancelled alone.  curio's trap for Futures takes it
 * for one, too; under trio its `park` says how the task is woken.
 *
 * It is in the Completion's list from the moment that there is a callback; a Completion that was settled before that is
 * found settled there.  So no wake-up is lost, in whichever order threads get the GIL. */
#include "completion.h"

#define SPARES 64
static ohw_waiter *spares[SPARES];
static int spare = 0;

ohw_waiter *ohw_waiter_new(ohw_completion *completion)
{
    ohw_waiter *self;
    if (spare > 0) {
        self = spares[--spare];
        (void)PyObject_Init((PyObject *)self, &ohw_waiter_type);
    }
    else {
        self = PyObject_GC_New(ohw_waiter, &ohw_waiter_type);
        if (self == NULL) {
            return NULL;
        }
    }
    memset((char *)self + sizeof(PyObject), 0, sizeof(*self) - sizeof(PyObject));
    self->completion = (ohw_completion *)Py_XNewRef(completion);
    return self;        /* Shown to the collector when it begins to wait: most that never do are gone at once. */
}

static void track(ohw_waiter *self)
{
    if (!PyObject_GC_IsTracked((PyObject *)self)) {
        PyObject_GC_Track(self);
    }
}

void ohw_waiter_free_spares(void)
{
    while (spare > 0) {
        PyObject_GC_Del(spares[--spare]);
    }
}

/* ---- waiting ---- */

/* Wait no longer, whatever happens to the Completion: nothing will be called. */
static void forget(ohw_waiter *self)
{
    if (self->is_callback) {
        return;
    }
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    if (self->place == WAITING) {
        ohw_unlink(self->completion, self);
    }
}

/* The callback is to be called once the Completion is settled, which may have happened by now. */
static int wait_with(ohw_waiter *self, PyObject *callback, PyObject *context)
{
    if (self->callback != NULL || self->is_callback) {
        PyErr_SetString(ohw_py.state_error, "a wait for a Completion has one callback, that of the task that waits");
        return -1;
    }
    self->callback = Py_NewRef(callback);
    self->context = context == Py_None ? NULL : Py_NewRef(context);
    if (ohw_is_done(self->completion) || self->cancelled) {
        return ohw_deliver(self);
    }
    ohw_link(self->completion, self);
    return 0;
}

/* Find out which loop runs; -1 with an exception, 0: park by `parked`, 1: yield to an asyncio Task. */
static int begin(ohw_waiter *self)
{
    track(self);
    PyObject *loop = ohw_running_loop();
    if (loop == NULL || ohw_trio_is_loaded()) {
        PyObject *parked = PyObject_CallOneArg(ohw_py.park, (PyObject *)self);
        if (parked == NULL) {
            Py_XDECREF(loop);
            return -1;
        }
        if (parked != Py_None) {
            Py_XDECREF(loop);
            Py_XSETREF(self->parked, parked);
            return 0;
        }
        Py_DECREF(parked);
    }
    if (loop == NULL) {
        PyErr_Format(ohw_py.loop_error,
                     "%R cannot be awaited here: nothing runs in this thread that could wake who waits, neither an "
                     "asyncio or uvloop loop nor a task of trio's or curio's. Await it in a task of one of those; "
                     "without, use add_done_callback() or look at done()", self->completion);
        return -1;
    }
    ohw_mailbox *mailbox = ohw_mailbox_of(loop, false);
    Py_DECREF(loop);
    if (mailbox == NULL) {
        return -1;
    }
    Py_XSETREF(self->mailbox, mailbox);
    return 1;
}

/* What a cancelled wait raises: what asyncio raises. */
static void raise_cancelled(ohw_waiter *self)
{
    PyObject *error = self->message == NULL || self->message == Py_None
                          ? PyObject_CallNoArgs(ohw_py.task_cancelled)
                          : PyObject_CallOneArg(ohw_py.task_cancelled, self->message);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
}

static PySendResult send(ohw_waiter *self, PyObject *value, PyObject **result)
{
    *result = NULL;
    if (self->is_callback) {
        PyErr_SetString(PyExc_TypeError, "this is a callback, nothing to wait with");
        return PYGEN_ERROR;
    }
    for (;;) {
        if (self->parked != NULL) {
            PyObject *parked = Py_NewRef(self->parked);
            PySendResult sent = PyIter_Send(parked, value, result);
            Py_DECREF(parked);
            if (sent == PYGEN_NEXT) {
                return sent;
            }
            forget(self);
            Py_CLEAR(self->parked);
            Py_CLEAR(self->mailbox);
            if (sent == PYGEN_ERROR) {
                return sent;
            }
            Py_CLEAR(*result);
            value = Py_None;
        }
        if (ohw_is_done(self->completion)) {
            forget(self);
            *result = ohw_outcome_of(self->completion);
            return *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
        }
        if (self->cancelled) {
            raise_cancelled(self);
            return PYGEN_ERROR;
        }
        if (self->mailbox != NULL) {    /* Another one's callback, if there is one, stays. */
            PyErr_Format(ohw_py.loop_error,
                         "a wait for %R was resumed before that is complete: not by the asyncio Task to which its "
                         "loop gives it. One coroutine is run by one Task; what it yields is for Tasks", self->completion);
            return PYGEN_ERROR;
        }
        int begun = begin(self);
        if (begun < 0) {
            return PYGEN_ERROR;
        }
        if (begun > 0) {
            self->blocking = true;
            *result = Py_NewRef(self);
            return PYGEN_NEXT;
        }
    }
}

static int set_stop_iteration(PyObject *value)
{
    if (!PyTuple_Check(value) && !PyExceptionInstance_Check(value)) {
        PyErr_SetObject(PyExc_StopIteration, value);
        return 0;
    }
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop == NULL) {
        return -1;
    }
    PyErr_SetObject(PyExc_StopIteration, stop);
    Py_DECREF(stop);
    return 0;
}

static PyObject *waiter_send(ohw_waiter *self, PyObject *value)
{
    PyObject *result;
    if (send(self, value, &result) == PYGEN_RETURN) {
        (void)set_stop_iteration(result);
        Py_CLEAR(result);
    }
    return result;
}

static PyObject *waiter_next(ohw_waiter *self)
{
    if (self->parked == NULL && self->place == NOWHERE && self->completion != NULL && self->completion->state == RESULT) {
        (void)set_stop_iteration(self->completion->value);
        return NULL;
    }
    return waiter_send(self, Py_None);
}

static PyObject *raise_arguments(PyObject *args)
{
    PyObject *type, *value = Py_None, *traceback = Py_None;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback)) {
        return NULL;
    }
    if (PyExceptionInstance_Check(type) && value == Py_None) {
        if (PyTraceBack_Check(traceback)) {
            PyException_SetTraceback(type, traceback);
        }
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    }
    else if (PyExceptionClass_Check(type)) {
        PyErr_SetObject(type, value == Py_None ? NULL : value);
    }
    else {
        PyErr_SetString(PyExc_TypeError, "throw(): an exception is needed");
    }
    return NULL;
}

static PyObject *waiter_throw(ohw_waiter *self, PyObject *args)
{
    self->blocking = false;
    if (self->parked == NULL) {
        forget(self);
        return raise_arguments(args);
    }
    PyObject *parked = Py_NewRef(self->parked), *throw = PyObject_GetAttrString(parked, "throw");
    PyObject *yielded = throw == NULL ? NULL : PyObject_CallObject(throw, args);
    Py_XDECREF(throw);
    Py_DECREF(parked);
    if (yielded == NULL) {
        forget(self);
        Py_CLEAR(self->parked);
    }
    return yielded;
}

static PyObject *waiter_close(ohw_waiter *self, PyObject *Py_UNUSED(none))
{
    self->blocking = false;
    forget(self);
    PyObject *parked = self->parked;
    self->parked = NULL;
    PyObject *closed = parked == NULL ? Py_NewRef(Py_None) : PyObject_CallMethod(parked, "close", NULL);
    Py_XDECREF(parked);
    return closed;
}

/* ---- as a Future, to an asyncio Task and to curio ---- */

/* (callback, *, context=None), without a tuple and a dict for it. */
static PyObject *waiter_add_done_callback(ohw_waiter *self, PyObject *const *args, Py_ssize_t number, PyObject *names)
{
    Py_ssize_t keywords = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    if (number != 1 || keywords > 1 ||
        (keywords == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "context") != 0)) {
        PyErr_SetString(PyExc_TypeError, "add_done_callback(callback, /, *, context=None) was called in another way");
        return NULL;
    }
    track(self);
    if (wait_with(self, args[0], keywords == 1 ? args[1] : Py_None) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *waiter_remove_done_callback(ohw_waiter *self, PyObject *callback)
{
    int equal = self->callback == NULL ? 0 : PyObject_RichCompareBool(self->callback, callback, Py_EQ);
    if (equal < 0) {
        return NULL;
    }
    if (equal) {
        forget(self);
    }
    return PyLong_FromLong(equal);
}

static PyObject *waiter_park(ohw_waiter *self, PyObject *args)
{
    PyObject *token, *callback;
    if (!PyArg_ParseTuple(args, "OO:park", &token, &callback)) {
        return NULL;
    }
    ohw_mailbox *mailbox = ohw_mailbox_of(token, true);
    if (mailbox == NULL) {
        return NULL;
    }
    Py_XSETREF(self->mailbox, mailbox);
    if (wait_with(self, callback, Py_None) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *waiter_cancel(ohw_waiter *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"msg", NULL};
    PyObject *message = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:cancel", names, &message)) {
        return NULL;
    }
    if (self->parked != NULL) {
        forget(self);       /* trio and curio resume the task themselves, with what they raise */
        Py_RETURN_TRUE;
    }
    if (self->cancelled || self->is_callback || ohw_is_done(self->completion)) {
        Py_RETURN_FALSE;
    }
    self->cancelled = true;
    Py_XSETREF(self->message, Py_NewRef(message));
    if (self->place == WAITING) {
        Py_INCREF(self);
        ohw_unlink(self->completion, self);
        int status = ohw_deliver(self);
        Py_DECREF(self);
        if (status < 0) {
            return NULL;
        }
    }
    Py_RETURN_TRUE;
}

static PyObject *waiter_done(ohw_waiter *self, PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(self->cancelled || (self->completion != NULL && ohw_is_done(self->completion)));
}

static PyObject *waiter_cancelled(ohw_waiter *self, PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(self->cancelled);
}

/* A Task asks whether to resume with an exception of the wait's own: the outcome itself is raised by send(). */
static PyObject *waiter_result(ohw_waiter *self, PyObject *Py_UNUSED(none))
{
    if (self->cancelled) {
        raise_cancelled(self);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *waiter_get_loop(ohw_waiter *self, PyObject *Py_UNUSED(none))
{
    if (self->mailbox == NULL) {
        PyErr_SetString(ohw_py.loop_error, "this wait has not begun, or not in an asyncio loop");
        return NULL;
    }
    return Py_NewRef(self->mailbox->loop);
}

static PyObject *waiter_get_blocking(ohw_waiter *self, void *closure) { return PyBool_FromLong(self->blocking); }

static int waiter_set_blocking(ohw_waiter *self, PyObject *value, void *closure)
{
    int blocking = value == NULL ? 0 : PyObject_IsTrue(value);
    if (blocking < 0) {
        return -1;
    }
    self->blocking = blocking;
    return 0;
}

/* ---- the object ---- */

static PyObject *waiter_repr(ohw_waiter *self)
{
    return self->completion == NULL ? PyUnicode_FromString("<callback of a Completion>")
                                    : PyUnicode_FromFormat("<wait for %R>", self->completion);
}

static int waiter_traverse(ohw_waiter *self, visitproc visit, void *arg)
{
    Py_VISIT(self->completion);
    Py_VISIT(self->mailbox);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    Py_VISIT(self->parked);
    Py_VISIT(self->message);
    return 0;
}

static int waiter_clear(ohw_waiter *self)
{
    forget(self);
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->parked);
    Py_CLEAR(self->message);
    Py_CLEAR(self->mailbox);
    return 0;       /* the Completion stays: methods need it, and it breaks its cycles itself */
}

static void waiter_dealloc(ohw_waiter *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->parked);
    Py_CLEAR(self->message);
    Py_CLEAR(self->mailbox);
    Py_CLEAR(self->completion);     /* Tracked or not: nothing of the collector's is left in it. */
    if (spare < SPARES) {
        spares[spare++] = self;
    }
    else {
        PyObject_GC_Del(self);
    }
}

static PyAsyncMethods waiter_as_async = {.am_send = (sendfunc)send};
static PyGetSetDef waiter_getset[] = {
    {"_asyncio_future_blocking", (getter)waiter_get_blocking, (setter)waiter_set_blocking,
     "It was yielded, and no Task has taken notice yet."},
    {NULL},
};
static PyMethodDef waiter_methods[] = {
    {"send", (PyCFunction)waiter_send, METH_O, "send(value, /): as of a coroutine."},
    {"throw", (PyCFunction)waiter_throw, METH_VARARGS, "throw(exception): stop waiting, and raise it."},
    {"close", (PyCFunction)waiter_close, METH_NOARGS, "close(): stop waiting."},
    {"add_done_callback", (PyCFunction)(void (*)(void))waiter_add_done_callback, METH_FASTCALL | METH_KEYWORDS,
     "add_done_callback(callback, /, *, context=None): for the task that waits."},
    {"remove_done_callback", (PyCFunction)waiter_remove_done_callback, METH_O, "remove_done_callback(callback, /)"},
    {"park", (PyCFunction)waiter_park, METH_VARARGS, "park(trio_token, callback): wait; trio calls callback(self)."},
    {"cancel", (PyCFunction)(void (*)(void))waiter_cancel, METH_VARARGS | METH_KEYWORDS,
     "cancel(msg=None): end this wait, not the Completion."},
    {"done", (PyCFunction)waiter_done, METH_NOARGS, "done(): whether there is nothing to wait for."},
    {"cancelled", (PyCFunction)waiter_cancelled, METH_NOARGS, "cancelled(): whether this wait was cancelled."},
    {"result", (PyCFunction)waiter_result, METH_NOARGS, "result(): raises CancelledError if the wait was cancelled."},
    {"get_loop", (PyCFunction)waiter_get_loop, METH_NOARGS, "get_loop(): the loop that it began in."},
    {NULL},
};

PyTypeObject ohw_waiter_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._completion.Waiter",
    .tp_doc = "One wait for a Completion.",
    .tp_basicsize = sizeof(ohw_waiter),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)waiter_dealloc,
    .tp_traverse = (traverseproc)waiter_traverse,
    .tp_clear = (inquiry)waiter_clear,
    .tp_repr = (reprfunc)waiter_repr,
    .tp_as_async = &waiter_as_async,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)waiter_next,
    .tp_methods = waiter_methods,
    .tp_getset = waiter_getset,
};
