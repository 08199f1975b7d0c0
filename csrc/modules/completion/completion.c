/* Completion: settled once, by whoever is first; each waiter in its list is called exactly once then.
 *
 * A waiter leaves the list before it is called, and all leave it at once when the Completion is settled: whatever the
 * callbacks do, none of them is found a second time. */
#include "completion.h"

/* ---- the list ---- */

/* While a thread has promised to complete it and somebody waits, nobody else needs to hold it. */
void ohw_update_kept(ohw_completion *self)
{
    bool keep = self->state == PENDING && self->first != NULL && self->cell != NULL && ohw_cell_has_handles(self->cell);
    if (keep && !self->kept) {
        self->kept = true;
        Py_INCREF(self);
    }
    else if (!keep && self->kept) {
        self->kept = false;
        Py_DECREF(self);
    }
}

void ohw_link(ohw_completion *self, ohw_waiter *waiter)
{
    waiter->place = WAITING;
    waiter->previous = self->last;
    waiter->next = NULL;
    *(self->last == NULL ? &self->first : &self->last->next) = waiter;
    self->last = waiter;
    Py_INCREF(waiter);
    ohw_update_kept(self);
}

void ohw_unlink(ohw_completion *self, ohw_waiter *waiter)
{
    *(waiter->previous == NULL ? &self->first : &waiter->previous->next) = waiter->next;
    *(waiter->next == NULL ? &self->last : &waiter->next->previous) = waiter->previous;
    waiter->previous = waiter->next = NULL;
    waiter->place = NOWHERE;
    Py_INCREF(self);
    ohw_update_kept(self);
    Py_DECREF(waiter);
    Py_DECREF(self);
}

static ohw_waiter *take_list(ohw_completion *self)
{
    ohw_waiter *first = self->first;
    self->first = self->last = NULL;
    for (ohw_waiter *waiter = first; waiter != NULL; waiter = waiter->next) {
        waiter->place = NOWHERE;
        waiter->previous = NULL;
    }
    return first;
}

/* ---- settling ---- */

/* Keep the first exception of several; the others are reported. */
static void keep_first(PyObject **error)
{
    if (*error != NULL) {
        PyErr_WriteUnraisable(NULL);
        return;
    }
    *error = ohw_take_exception();
}

int ohw_settle(ohw_completion *self, ohw_outcome state, PyObject *value)
{
    PyObject *error = NULL;
    Py_INCREF(self);
    self->state = state;
    self->value = value;
    if (state == EXCEPTION) {
        self->traceback = PyException_GetTraceback(value);
    }
    ohw_waiter *next, *waiter = take_list(self);
    ohw_update_kept(self);
    if (self->cell != NULL) {
        ohw_cell_tell(self->cell, state == CANCELLED ? OHWAIT_CANCELLED : OHWAIT_DONE);
    }
    for (; waiter != NULL; waiter = next) {
        next = waiter->next;
        waiter->next = NULL;
        if (waiter->is_callback) {
            waiter->completion = (ohw_completion *)Py_NewRef(self);
        }
        if (ohw_deliver(waiter) < 0) {
            keep_first(&error);
        }
        Py_DECREF(waiter);
    }
    Py_DECREF(self);
    if (error == NULL) {
        return 0;
    }
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return -1;
}

bool ohw_is_done(ohw_completion *self)
{
    if (self->state == PENDING && self->cell != NULL && ohw_cell_is_ready(self->cell) && ohw_cell_take(self->cell) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    return self->state != PENDING;
}

/* Settle it from Python; the value is stolen. */
static PyObject *settle_once(ohw_completion *self, const char *method, ohw_outcome state, PyObject *value)
{
    if (ohw_is_done(self)) {
        PyErr_Format(ohw_py.state_error,
                     "%s: %R is complete already, and a Completion is completed once. Where several may try, or it may "
                     "be cancelled meanwhile, catch this error (CompletionStateError)", method, self);
    }
    else if (self->cell != NULL && !ohw_cell_close(self->cell, false)) {
        PyErr_Format(ohw_py.state_error, "%s: another thread has completed %R at the same moment", method, self);
    }
    else if (ohw_settle(self, state, value) == 0) {
        Py_RETURN_NONE;
    }
    else {
        return NULL;
    }
    Py_DECREF(value);
    return NULL;
}

PyObject *ohw_exception_from(PyObject *object)
{
    PyObject *made = PyExceptionClass_Check(object) ? PyObject_CallNoArgs(object) : Py_NewRef(object);
    if (made == NULL) {
        return NULL;
    }
    if (!PyExceptionInstance_Check(made)) {
        PyErr_Format(PyExc_TypeError, "an exception or a class of exceptions is needed, not %.100s",
                     Py_TYPE(made)->tp_name);
    }
    else if (PyErr_GivenExceptionMatches(made, PyExc_StopIteration)) {
        PyErr_SetString(PyExc_TypeError, "StopIteration cannot be raised into a coroutine: it would end it");
    }
    else {
        return made;
    }
    Py_DECREF(made);
    return NULL;
}

PyObject *ohw_outcome_of(ohw_completion *self)
{
    if (self->state == RESULT) {
        return Py_NewRef(self->value);
    }
    if (self->state == CANCELLED) {
        PyObject *error = self->value == Py_None ? PyObject_CallNoArgs(ohw_py.cancelled)
                                                 : PyObject_CallOneArg(ohw_py.cancelled, self->value);
        if (error != NULL) {
            PyErr_SetObject((PyObject *)Py_TYPE(error), error);
            Py_DECREF(error);
        }
        return NULL;
    }
    /* Raised by each who asks: without what the others' frames have added to it. */
    PyException_SetTraceback(self->value, self->traceback == NULL ? Py_None : self->traceback);
    PyErr_SetObject((PyObject *)Py_TYPE(self->value), self->value);
    return NULL;
}

/* ---- methods ---- */

static PyObject *completion_set_result(ohw_completion *self, PyObject *result)
{
    return settle_once(self, "set_result()", RESULT, Py_NewRef(result));
}

static PyObject *completion_set_exception(ohw_completion *self, PyObject *exception)
{
    PyObject *made = ohw_exception_from(exception);
    return made == NULL ? NULL : settle_once(self, "set_exception()", EXCEPTION, made);
}

static PyObject *completion_cancel(ohw_completion *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"msg", NULL};
    PyObject *message = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:cancel", names, &message)) {
        return NULL;
    }
    if (ohw_is_done(self) || (self->cell != NULL && !ohw_cell_close(self->cell, true))) {
        Py_RETURN_FALSE;
    }
    if (ohw_settle(self, CANCELLED, Py_NewRef(message)) < 0) {
        return NULL;
    }
    Py_RETURN_TRUE;
}

static PyObject *completion_done(ohw_completion *self, PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(ohw_is_done(self));
}

static PyObject *completion_cancelled(ohw_completion *self, PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(ohw_is_done(self) && self->state == CANCELLED);
}

static PyObject *pending_error(const char *method)
{
    PyErr_Format(ohw_py.state_error, "%s: this Completion is not complete yet: await it, or call ohwait(completion) "
                                     "in plain code that runs in a task", method);
    return NULL;
}

static PyObject *completion_result(ohw_completion *self, PyObject *Py_UNUSED(none))
{
    return ohw_is_done(self) ? ohw_outcome_of(self) : pending_error("result()");
}

static PyObject *completion_exception(ohw_completion *self, PyObject *Py_UNUSED(none))
{
    if (!ohw_is_done(self)) {
        return pending_error("exception()");
    }
    if (self->state == CANCELLED) {
        return ohw_outcome_of(self);
    }
    return Py_NewRef(self->state == EXCEPTION ? self->value : Py_None);
}

/* The loop in which a callback that is added here will be called.  -1 with an exception; *mailbox may be NULL. */
static int find_mailbox(ohw_mailbox **mailbox)
{
    *mailbox = NULL;
    PyObject *loop = NULL;
    if (ohw_trio_is_loaded()) {
        loop = PyObject_CallNoArgs(ohw_py.token);
        if (loop == NULL) {
            return -1;
        }
        if (loop != Py_None) {
            *mailbox = ohw_mailbox_of(loop, true);
            Py_DECREF(loop);
            return *mailbox == NULL ? -1 : 0;
        }
        Py_DECREF(loop);
    }
    loop = ohw_running_loop();
    if (loop != NULL) {
        *mailbox = ohw_mailbox_of(loop, false);
        Py_DECREF(loop);
        return *mailbox == NULL ? -1 : 0;
    }
    return 0;
}

static PyObject *completion_add_done_callback(ohw_completion *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"", "context", NULL};
    PyObject *callback, *context = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$O:add_done_callback", names, &callback, &context)) {
        return NULL;
    }
    if (!PyCallable_Check(callback) || (context != Py_None && !PyContext_CheckExact(context))) {
        PyErr_Format(PyExc_TypeError, "add_done_callback(callback, *, context=None): %R is not %s",
                     PyCallable_Check(callback) ? context : callback,
                     PyCallable_Check(callback) ? "a contextvars.Context" : "callable");
        return NULL;
    }
    ohw_waiter *waiter = ohw_waiter_new(NULL);
    if (waiter == NULL) {
        return NULL;
    }
    waiter->is_callback = true;
    waiter->callback = Py_NewRef(callback);
    waiter->context = context == Py_None ? PyContext_CopyCurrent() : Py_NewRef(context);
    PyObject_GC_Track(waiter);
    int status = waiter->context == NULL ? -1 : find_mailbox(&waiter->mailbox);
    if (status == 0 && ohw_is_done(self)) {
        waiter->completion = (ohw_completion *)Py_NewRef(self);
        status = ohw_deliver(waiter);
    }
    else if (status == 0) {
        ohw_link(self, waiter);
    }
    Py_DECREF(waiter);
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *completion_remove_done_callback(ohw_completion *self, PyObject *callback)
{
    long removed = 0;
    /* A comparison may run Python code that changes the list: from the start again then. */
    for (ohw_waiter *waiter = self->first; waiter != NULL;) {
        if (!waiter->is_callback) {
            waiter = waiter->next;
            continue;
        }
        Py_INCREF(waiter);
        int equal = waiter->callback == callback ? 1 : PyObject_RichCompareBool(waiter->callback, callback, Py_EQ);
        ohw_waiter *next = waiter->place == WAITING ? waiter->next : self->first;
        if (equal > 0 && waiter->place == WAITING) {
            ohw_unlink(self, waiter);
            removed++;
        }
        Py_DECREF(waiter);
        if (equal < 0) {
            return NULL;
        }
        waiter = next;
    }
    return PyLong_FromLong(removed);
}

static PyObject *completion_waiting(ohw_completion *self, void *closure)
{
    Py_ssize_t number = 0;
    for (ohw_waiter *waiter = self->first; waiter != NULL; waiter = waiter->next) {
        number++;
    }
    return PyLong_FromSsize_t(number);
}

/* ---- the object ---- */

static PyObject *completion_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    bool given = PyTuple_GET_SIZE(args) > 0 || (keywords != NULL && PyDict_Size(keywords) > 0);
    if (given && type->tp_init == PyBaseObject_Type.tp_init) {      /* A subclass may have an __init__ that takes some. */
        PyErr_SetString(PyExc_TypeError, "Completion() takes no arguments");
        return NULL;
    }
    if (ohw_py.park == NULL) {      /* Whoever imports this module alone: the other one configures it. */
        PyObject *module = PyImport_ImportModule("ohwait.completion");
        if (module == NULL) {
            return NULL;
        }
        Py_DECREF(module);
    }
    return type->tp_alloc(type, 0);
}

static PyObject *completion_repr(ohw_completion *self)
{
    const char *name = Py_TYPE(self)->tp_name, *dot = strrchr(name, '.');
    name = dot == NULL ? name : dot + 1;
    int entered = Py_ReprEnter((PyObject *)self);
    if (entered != 0) {
        return entered < 0 ? NULL : PyUnicode_FromFormat("<%s ...>", name);
    }
    PyObject *text;
    switch (self->state) {
    case RESULT: text = PyUnicode_FromFormat("<%s with result %R>", name, self->value); break;
    case EXCEPTION: text = PyUnicode_FromFormat("<%s with exception %R>", name, self->value); break;
    case CANCELLED: text = PyUnicode_FromFormat("<%s cancelled>", name); break;
    default: {
        PyObject *waiting = completion_waiting(self, NULL);
        text = waiting == NULL ? NULL : PyUnicode_FromFormat("<%s pending, %S waiting>", name, waiting);
        Py_XDECREF(waiting);
    }
    }
    Py_ReprLeave((PyObject *)self);
    return text;
}

static int completion_traverse(ohw_completion *self, visitproc visit, void *arg)
{
    Py_VISIT(self->value);
    Py_VISIT(self->traceback);
    for (ohw_waiter *waiter = self->first; waiter != NULL; waiter = waiter->next) {
        Py_VISIT(waiter);
    }
    return 0;
}

static int completion_clear(ohw_completion *self)
{
    ohw_waiter *next;
    for (ohw_waiter *waiter = take_list(self); waiter != NULL; waiter = next) {
        next = waiter->next;
        waiter->next = NULL;
        Py_DECREF(waiter);
    }
    ohw_update_kept(self);
    Py_CLEAR(self->traceback);
    if (self->state != PENDING) {
        PyObject *value = self->value;
        self->value = Py_NewRef(Py_None);
        self->state = RESULT;
        Py_XDECREF(value);
    }
    return 0;
}

/* The watcher is somebody's C code, called whatever exception is on its way. */
static void part_with_cell(ohw_completion *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    ohw_cell_part(self->cell);
    self->cell = NULL;
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(NULL);
    }
    PyErr_Restore(type, value, traceback);
}

static void completion_dealloc(ohw_completion *self)
{
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, completion_dealloc)     /* Completions whose result is a Completion whose result ... */
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    if (self->cell != NULL) {
        part_with_cell(self);
    }
    (void)completion_clear(self);
    Py_CLEAR(self->value);
    Py_TYPE(self)->tp_free(self);
    Py_TRASHCAN_END
}

static PyObject *completion_await(ohw_completion *self) { return (PyObject *)ohw_waiter_new(self); }

static PyAsyncMethods completion_as_async = {.am_await = (unaryfunc)completion_await};
static PyGetSetDef completion_getset[] = {
    {"waiting", (getter)completion_waiting, NULL, "How many tasks wait for it, plus callbacks."},
    {NULL},
};
static PyMethodDef completion_methods[] = {
    {"set_result", (PyCFunction)completion_set_result, METH_O,
     "set_result(result, /): complete it, from any thread. CompletionStateError if it is complete already."},
    {"set_exception", (PyCFunction)completion_set_exception, METH_O,
     "set_exception(exception, /): fail it, from any thread. CompletionStateError if it is complete already."},
    {"cancel", (PyCFunction)(void (*)(void))completion_cancel, METH_VARARGS | METH_KEYWORDS,
     "cancel(msg=None): cancel it for all who wait, from any thread. False if it is complete already."},
    {"done", (PyCFunction)completion_done, METH_NOARGS, "done(): whether it has a result or exception, or is cancelled."},
    {"cancelled", (PyCFunction)completion_cancelled, METH_NOARGS, "cancelled(): whether cancel() came first."},
    {"result", (PyCFunction)completion_result, METH_NOARGS,
     "result(): the result, or raises what awaiting it raises. CompletionStateError while it is pending."},
    {"exception", (PyCFunction)completion_exception, METH_NOARGS,
     "exception(): the exception or None. CompletionCancelled if cancelled, CompletionStateError while pending."},
    {"add_done_callback", (PyCFunction)(void (*)(void))completion_add_done_callback, METH_VARARGS | METH_KEYWORDS,
     "add_done_callback(callback, /, *, context=None): have callback(self) called once when it is complete: by the "
     "asyncio loop or trio run that runs here, otherwise by the thread that completes it."},
    {"remove_done_callback", (PyCFunction)completion_remove_done_callback, METH_O,
     "remove_done_callback(callback, /): how many were removed."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "Completion[T]: one whose result is a T."},
    {NULL},
};

PyTypeObject ohw_completion_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait.completion.Completion",
    .tp_doc = "Completion()\n--\n\n"
              "An awaitable that is completed once, from any thread, and awaited by any number of tasks of any loops.",
    .tp_basicsize = sizeof(ohw_completion),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_new = completion_new,
    .tp_dealloc = (destructor)completion_dealloc,
    .tp_traverse = (traverseproc)completion_traverse,
    .tp_clear = (inquiry)completion_clear,
    .tp_repr = (reprfunc)completion_repr,
    .tp_as_async = &completion_as_async,
    .tp_methods = completion_methods,
    .tp_getset = completion_getset,
    .tp_weaklistoffset = offsetof(ohw_completion, weakrefs),
};
