/* asyncio's current task while a coroutine is started that has no task yet.
 *
 * The caller's task would be the wrong answer: asyncio.timeout() and TaskGroup cancel the task that they were entered
 * in. So it is an object that stands for the task to come, and passes on to it what it was asked (the methods are in
 * ohwait/_eager_stand_in.py).
 */
#include "eager.h"

PyTypeObject *eager_stand_in_type;

static eager_stand_in *spare;   /* Owned. One that nobody else has seen, to be used again. */

static eager_stand_in *take(void)
{
    eager_stand_in *self = spare;
    if (self != NULL) {
        spare = NULL;
        return self;
    }
    PyTypeObject *type = (PyTypeObject *)hooks.stand_in;
    return (eager_stand_in *)type->tp_alloc(type, 0);
}

static int stand_in_clear(eager_stand_in *self)
{
    Py_CLEAR(self->task);
    Py_CLEAR(self->coroutine);
    Py_CLEAR(self->context);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->asked);
    return 0;
}

void eager_dismiss(eager_stand_in *self)
{
    if (Py_REFCNT(self) == 1 && self->weakrefs == NULL && spare == NULL) {
        spare = self;
        (void)stand_in_clear(self);
    } else {
        Py_DECREF(self);
    }
}

/* New reference to the task that was current, or None. */
static PyObject *swap(PyObject *loop, PyObject *task)
{
    if (hooks.swap != NULL) {
        PyObject *args[2] = {loop, task};
        return PyObject_Vectorcall(hooks.swap, args, 2, NULL);
    }
    PyObject *previous = PyDict_GetItemWithError(hooks.current, loop);
    if (previous == NULL && PyErr_Occurred()) {
        return NULL;
    }
    previous = Py_NewRef(previous == NULL ? Py_None : previous);
    int status;
    if (task != Py_None) {
        status = PyDict_SetItem(hooks.current, loop, task);
    } else {
        status = previous == Py_None ? 0 : PyDict_DelItem(hooks.current, loop);
    }
    if (status < 0) {
        Py_CLEAR(previous);
    }
    return previous;
}

eager_stand_in *eager_enter(PyObject *loop, PyObject *coroutine, PyObject *context, PyObject **previous)
{
    eager_stand_in *self = take();
    if (self == NULL) {
        return NULL;
    }
    self->loop = Py_NewRef(loop);
    self->coroutine = Py_NewRef(coroutine);
    self->context = Py_NewRef(context);
    *previous = swap(loop, (PyObject *)self);
    if (*previous == NULL) {
        eager_dismiss(self);
        return NULL;
    }
    return self;
}

int eager_leave(PyObject *loop, PyObject *previous)
{
    PyObject *stand_in = swap(loop, previous);
    Py_DECREF(previous);
    Py_XDECREF(stand_in);
    return stand_in == NULL ? -1 : 0;
}

int eager_settle(eager_stand_in *self, PyObject *task)
{
    PyObject *told = Py_None;
    Py_INCREF(told);
    if (Py_REFCNT(self) > 1 || self->asked != NULL || self->weakrefs != NULL) {
        Py_XSETREF(self->task, Py_NewRef(task));
        if (self->asked != NULL) {
            Py_SETREF(told, PyObject_CallMethodNoArgs((PyObject *)self, names.made));
        }
    }
    eager_dismiss(self);
    Py_XDECREF(told);
    return told == NULL ? -1 : 0;
}

/* ---- the type ---- */

static int stand_in_traverse(eager_stand_in *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->task);
    Py_VISIT(self->coroutine);
    Py_VISIT(self->context);
    Py_VISIT(self->loop);
    Py_VISIT(self->asked);
    return 0;
}

static void stand_in_dealloc(eager_stand_in *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)stand_in_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef stand_in_members[] = {
    {"_task", T_OBJECT, offsetof(eager_stand_in, task), READONLY, "The Task or Future that it stood for, or None."},
    {"_coro", T_OBJECT, offsetof(eager_stand_in, coroutine), READONLY, "The coroutine."},
    {"_context", T_OBJECT, offsetof(eager_stand_in, context), READONLY, "The context that it runs in."},
    {"_loop", T_OBJECT, offsetof(eager_stand_in, loop), READONLY, "The event loop."},
    {"_asked", T_OBJECT, offsetof(eager_stand_in, asked), 0, "What was asked before there was a task, or None."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(eager_stand_in, weakrefs), READONLY},
    {NULL},
};

static PyType_Slot stand_in_slots[] = {
    {Py_tp_doc, "What stands for a task that is not made yet."},
    {Py_tp_traverse, stand_in_traverse},
    {Py_tp_clear, stand_in_clear},
    {Py_tp_dealloc, stand_in_dealloc},
    {Py_tp_members, stand_in_members},
    {0, NULL},
};

PyType_Spec eager_stand_in_spec = {
    .name = "ohwait._eager.StandIn",
    .basicsize = sizeof(eager_stand_in),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = stand_in_slots,
};
