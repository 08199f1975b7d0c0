/* Messages from other tasks than the one that iterates: asyncio's loops only, where a task waits for a future. */
#include "monitor.h"

static int same_loop(iterator *iterator, message *message)
{
    if (iterator->parked == NULL) {
        return 1;
    }
    PyObject *loop = PyObject_CallMethodNoArgs(iterator->parked->future, mon_names.get_loop);
    if (loop == NULL) {
        return -1;
    }
    Py_DECREF(loop);
    return loop == message->loop;
}

int mon_enqueue(iterator *self, message *message)
{
    int same = same_loop(self, message);
    if (same <= 0) {
        if (same == 0) {
            mon_refuse("other-loop", (PyObject *)message->channel);
        }
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
        status = mon_call_soon(self->loop, callback, (PyObject *)self, self->context);
        Py_DECREF(callback);
    }
    Py_DECREF(self);
    return status;
}

static void fail(message *self, PyObject *kind)
{
    Py_INCREF(self);
    PyObject *error = PyObject_CallNoArgs(kind);
    if (error == NULL || mon_complete(self, error, true) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    Py_DECREF(self);
}

void mon_fail_all(iterator *self, PyObject *kind)
{
    if (self->yielder == NULL && (self->queue == NULL || PyList_GET_SIZE(self->queue) == 0)) {
        return;
    }
    PyObject *error = py_take_raised();
    if (self->yielder != NULL) {
        fail(self->yielder, kind);
    }
    message *next;
    while ((next = mon_next(self)) != NULL) {
        fail(next, kind);
        Py_DECREF(next);
    }
    if (error != NULL) {
        py_raise(error);
    }
}
