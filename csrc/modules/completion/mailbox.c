/* Mailbox: the waiters that one loop has to call, whoever settled their Completions, in one wake-up of the loop.
 *
 * The first waiter that is posted has the loop's own thread-safe method call the mailbox (asyncio and uvloop:
 * call_soon_threadsafe; trio: run_sync_soon); those that follow until it runs cost no wake-up of their own.  A loop has
 * one mailbox for as long as anything waits in it; the list of all of them is short, as loops are few. */
#include "completion.h"

static ohw_mailbox *mailboxes = NULL;
static PyObject *str_call_soon_threadsafe, *str_run_sync_soon;

int ohw_mailbox_init(void)
{
    str_call_soon_threadsafe = PyUnicode_InternFromString("call_soon_threadsafe");
    str_run_sync_soon = PyUnicode_InternFromString("run_sync_soon");
    return str_call_soon_threadsafe == NULL || str_run_sync_soon == NULL ? -1 : 0;
}

ohw_mailbox *ohw_mailbox_of(PyObject *loop, bool trio)
{
    for (ohw_mailbox *mailbox = mailboxes; mailbox != NULL; mailbox = mailbox->next) {
        if (mailbox->loop == loop) {
            mailbox->thread = PyThread_get_thread_ident();
            return (ohw_mailbox *)Py_NewRef(mailbox);
        }
    }
    ohw_mailbox *self = PyObject_GC_New(ohw_mailbox, &ohw_mailbox_type);
    if (self == NULL) {
        return NULL;
    }
    self->loop = Py_NewRef(loop);
    self->method = trio ? str_run_sync_soon : str_call_soon_threadsafe;
    self->first = self->last = NULL;
    self->thread = PyThread_get_thread_ident();
    self->scheduled = self->dead = false;
    self->next = mailboxes;
    mailboxes = self;
    PyObject_GC_Track(self);
    return self;
}

static void leave_list(ohw_mailbox *self)
{
    for (ohw_mailbox **link = &mailboxes; *link != NULL; link = &(*link)->next) {
        if (*link == self) {
            *link = self->next;
            return;
        }
    }
}

void ohw_mailboxes_after_fork(void)
{
    for (ohw_mailbox *mailbox = mailboxes; mailbox != NULL; mailbox = mailbox->next) {
        mailbox->dead = true;
    }
    mailboxes = NULL;
}

/* ---- posting ---- */

static ohw_waiter *take_all(ohw_mailbox *self)
{
    ohw_waiter *first = self->first;
    self->first = self->last = NULL;
    return first;
}

static void drop(ohw_waiter *waiter)
{
    for (ohw_waiter *next; waiter != NULL; waiter = next) {
        next = waiter->next;
        waiter->next = NULL;
        waiter->place = NOWHERE;
        Py_DECREF(waiter);
    }
}

static int schedule(ohw_mailbox *self)
{
    self->scheduled = true;
    PyObject *handle = PyObject_CallMethodOneArg(self->loop, self->method, (PyObject *)self);
    if (handle == NULL) {
        self->scheduled = false;
        return -1;
    }
    Py_DECREF(handle);
    return 0;
}

int ohw_post(ohw_mailbox *self, ohw_waiter *waiter)
{
    if (self->dead) {
        return 0;       /* Its loop, and whoever waits in it, runs in the parent process. */
    }
    waiter->place = POSTED;
    waiter->next = NULL;
    *(self->last == NULL ? &self->first : &self->last->next) = waiter;
    self->last = waiter;
    Py_INCREF(waiter);
    if (self->scheduled) {
        return 0;
    }
    Py_INCREF(self);
    int status = schedule(self);
    if (status < 0) {
        PyObject *error = ohw_take_exception();
        drop(take_all(self));
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    Py_DECREF(self);
    return status;
}

/* ---- called by the loop ---- */

static PyObject *mailbox_call(ohw_mailbox *self, PyObject *args, PyObject *keywords)
{
    self->scheduled = false;
    ohw_waiter *waiter = take_all(self);
    while (waiter != NULL) {
        ohw_waiter *next = waiter->next;
        waiter->next = NULL;
        waiter->place = NOWHERE;
        int status = waiter->callback == NULL ? 0 : ohw_run(waiter);
        Py_DECREF(waiter);
        waiter = next;
        if (status < 0) {       /* It ends the loop, which may be started again: the others' turn is then. */
            PyObject *error = ohw_take_exception();
            for (; waiter != NULL; waiter = next) {
                next = waiter->next;
                if (ohw_post(self, waiter) < 0) {
                    PyErr_Clear();
                }
                Py_DECREF(waiter);
            }
            PyErr_SetObject((PyObject *)Py_TYPE(error), error);
            Py_DECREF(error);
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

/* ---- the object ---- */

static PyObject *mailbox_repr(ohw_mailbox *self)
{
    return PyUnicode_FromFormat("<wake-up by Completions in %R>", self->loop);
}

static int mailbox_traverse(ohw_mailbox *self, visitproc visit, void *arg)
{
    Py_VISIT(self->loop);
    for (ohw_waiter *waiter = self->first; waiter != NULL; waiter = waiter->next) {
        Py_VISIT(waiter);
    }
    return 0;
}

static int mailbox_clear(ohw_mailbox *self)
{
    leave_list(self);
    self->dead = true;
    drop(take_all(self));
    return 0;       /* The loop stays: get_loop() of a waiter may still be asked. */
}

static void mailbox_dealloc(ohw_mailbox *self)
{
    PyObject_GC_UnTrack(self);
    (void)mailbox_clear(self);
    Py_CLEAR(self->loop);
    PyObject_GC_Del(self);
}

PyTypeObject ohw_mailbox_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._completion.Mailbox",
    .tp_doc = "What a loop calls when Completions that are awaited in it are complete.",
    .tp_basicsize = sizeof(ohw_mailbox),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)mailbox_dealloc,
    .tp_traverse = (traverseproc)mailbox_traverse,
    .tp_clear = (inquiry)mailbox_clear,
    .tp_repr = (reprfunc)mailbox_repr,
    .tp_call = (ternaryfunc)mailbox_call,
};
