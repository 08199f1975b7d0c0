/* Messages from other tasks than the one that iterates: asyncio's loops only, where a task waits for a future. */
#include "monitor.h"

int mon_enqueue(iterator *self, message *message)
{
    if (self->thread != PyThread_get_thread_ident()) {
        mon_refuse("other-loop", (PyObject *)message->channel);
        return -1;
    }
    if (self->queue == NULL && (self->queue = PyList_New(0)) == NULL) {
        return -1;
    }
    if (PyList_Append(self->queue, (PyObject *)message) < 0) {
        return -1;
    }
    message->receiver = self;
    if (self->parked != NULL && mon_interrupt(self->parked) < 0) {
        mon_withdraw(message);
        return -1;
    }
    return 0;
}

message *mon_next(iterator *self)
{
    if (self->queue == NULL || PyList_GET_SIZE(self->queue) == 0) {
        return NULL;
    }
    message *first = (message *)Py_NewRef(PyList_GET_ITEM(self->queue, 0));
    if (PyList_SetSlice(self->queue, 0, 1, NULL) < 0) {
        PyErr_Clear();      /* shrinking a list needs no memory */
    }
    return first;
}

void mon_withdraw(message *self)
{
    iterator *receiver = self->receiver;
    self->receiver = NULL;
    if (receiver == NULL) {
        return;
    }
    if (receiver->yielder == self) {
        receiver->yielder = NULL;
        Py_DECREF(self);
        return;
    }
    Py_ssize_t length = receiver->queue == NULL ? 0 : PyList_GET_SIZE(receiver->queue);
    for (Py_ssize_t i = 0; i < length; i++) {
        if (PyList_GET_ITEM(receiver->queue, i) == (PyObject *)self) {
            if (PyList_SetSlice(receiver->queue, i, i + 1, NULL) < 0) {
                PyErr_Clear();
            }
            return;
        }
    }
}

int mon_complete(message *self, PyObject *outcome, bool failed)
{
    Py_INCREF(self);        /* the iterator's reference may be the last one */
    mon_withdraw(self);
    Py_XSETREF(self->outcome, outcome);
    self->failed = failed;
    int status = 0;
    if (self->callback != NULL) {
        PyObject *callback = self->callback;
        self->callback = NULL;
        bool here = self->thread == PyThread_get_thread_ident();
        status = mon_call_soon(here ? mon_names.call_soon : mon_names.call_soon_threadsafe, self->loop, callback,
                               (PyObject *)self, self->context);
        Py_DECREF(callback);
    }
    Py_DECREF(self);
    return status;
}

static void cancel(message *self)
{
    Py_INCREF(self);
    PyObject *text = PyUnicode_FromString("the generator that ayield() was called for has ended");
    PyObject *error = text == NULL ? NULL : mon_cancelled_error(text);
    Py_XDECREF(text);
    if (error == NULL || mon_complete(self, error, true) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    Py_DECREF(self);
}

void mon_cancel_all(iterator *self)
{
    if (self->yielder == NULL && (self->queue == NULL || PyList_GET_SIZE(self->queue) == 0)) {
        return;
    }
    PyObject *error = py_take_raised();
    if (self->yielder != NULL) {
        cancel(self->yielder);
    }
    message *next;
    while ((next = mon_next(self)) != NULL) {
        cancel(next);
        Py_DECREF(next);
    }
    if (error != NULL) {
        py_raise(error);
    }
}
