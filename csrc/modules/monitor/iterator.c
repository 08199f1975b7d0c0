/* What a GeneratorObject makes of a coroutine: an async generator, its hooks and finalisation included. */
#include "monitor.h"

PyObject *mon_iterator_new(channel *generator, PyObject *coroutine)
{
    if (mon_check_coroutine(coroutine, "GeneratorObject()") < 0) {
        return NULL;
    }
    iterator *self = PyObject_GC_New(iterator, &mon_iterator_type);
    if (self == NULL) {
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0, sizeof(iterator) - sizeof(PyObject));
    self->generator = (channel *)Py_NewRef((PyObject *)generator);
    self->coroutine = Py_NewRef(coroutine);
    self->own_turn = true;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int iterator_traverse(PyObject *object, visitproc visit, void *arg)
{
    iterator *self = (iterator *)object;
    Py_VISIT(self->generator);
    Py_VISIT(self->coroutine);
    Py_VISIT(self->finalizer);
    Py_VISIT(self->waits_for);
    Py_VISIT(self->parked);
    Py_VISIT(self->queue);
    Py_VISIT(self->yielder);
    return 0;
}

/* No task waits for an answer any more; the generator object forgets the iterator. */
static void detach(iterator *self)
{
    if (self->generator->active == (PyObject *)self) {
        self->generator->active = NULL;
    }
    mon_cancel_all(self);
}

static int iterator_clear(PyObject *object)
{
    iterator *self = (iterator *)object;
    detach(self);
    Py_CLEAR(self->finalizer);
    Py_CLEAR(self->waits_for);
    Py_CLEAR(self->parked);
    Py_CLEAR(self->queue);
    Py_CLEAR(self->yielder);
    return 0;
}

/* As async generators are: the event loop's hook closes what was begun and not finished. */
static void iterator_finalize(PyObject *object)
{
    iterator *self = (iterator *)object;
    if (self->finished || self->closed || self->finalizer == NULL) {
        return;
    }
    PyObject *error = py_take_raised();
    PyObject *result = PyObject_CallOneArg(self->finalizer, object);
    if (result == NULL) {
        PyErr_WriteUnraisable(object);
    }
    Py_XDECREF(result);
    if (error != NULL) {
        py_raise(error);
    }
}

static void iterator_dealloc(PyObject *object)
{
    iterator *self = (iterator *)object;
    if (PyObject_CallFinalizerFromDealloc(object) < 0) {
        return;
    }
    PyObject_GC_UnTrack(object);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    iterator_clear(object);
    Py_DECREF(self->generator);
    Py_DECREF(self->coroutine);
    PyObject_GC_Del(object);
}

/* At the first step: tell the event loop (sys.set_asyncgen_hooks). */
static int call_hooks(iterator *self)
{
    if (self->hooked) {
        return 0;
    }
    self->hooked = true;
    PyObject *get = PySys_GetObject("get_asyncgen_hooks");     /* borrowed */
    PyObject *hooks = get == NULL ? NULL : PyObject_CallNoArgs(get);
    if (hooks == NULL) {
        return get == NULL ? 0 : -1;
    }
    PyObject *first = PyStructSequence_GetItem(hooks, 0), *last = PyStructSequence_GetItem(hooks, 1);  /* borrowed */
    self->finalizer = last == Py_None ? NULL : Py_NewRef(last);
    PyObject *result = first == Py_None ? Py_NewRef(Py_None) : PyObject_CallOneArg(first, (PyObject *)self);
    Py_DECREF(hooks);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static PyObject *new_step(PyObject *object, step_kind kind, PyObject *value)
{
    return call_hooks((iterator *)object) < 0 ? NULL : mon_step_new((iterator *)object, kind, value);
}

static PyObject *iterator_anext(PyObject *self) { return new_step(self, STEP_SEND, NULL); }

static PyObject *iterator_asend(PyObject *self, PyObject *value) { return new_step(self, STEP_SEND, value); }

static PyObject *iterator_athrow(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *exception = mon_exception_of(args, count);
    PyObject *step = exception == NULL ? NULL : new_step(self, STEP_THROW, exception);
    Py_XDECREF(exception);
    return step;
}

static PyObject *iterator_aclose(PyObject *self, PyObject *none) { return new_step(self, STEP_CLOSE, NULL); }

static PyObject *of_coroutine(PyObject *object, void *name)
{
    return PyObject_GetAttr(((iterator *)object)->coroutine, *(PyObject **)name);
}

static PyObject *iterator_repr(PyObject *object)
{
    return PyUnicode_FromFormat("<generator object of %R>", ((iterator *)object)->coroutine);
}

static PyMethodDef iterator_methods[] = {
    {"asend", iterator_asend, METH_O, "Await the next item; `value` becomes the result of the last ayield()."},
    {"athrow", (PyCFunction)(void (*)(void))iterator_athrow, METH_FASTCALL,
     "Await the next item; the exception is raised by the last ayield()."},
    {"aclose", iterator_aclose, METH_NOARGS, "Await the end; GeneratorExit is raised where the generator waits."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {NULL},
};

static PyMemberDef iterator_members[] = {
    {"ag_running", T_BOOL, offsetof(iterator, running), READONLY, "Whether a step is being awaited."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(iterator, weakrefs), READONLY, NULL},
    {NULL},
};

static PyGetSetDef iterator_properties[] = {
    {"ag_frame", of_coroutine, NULL, "The coroutine's frame.", &mon_names.cr_frame},
    {"ag_await", of_coroutine, NULL, "What the coroutine awaits.", &mon_names.cr_await},
    {"ag_code", of_coroutine, NULL, "The coroutine's code.", &mon_names.cr_code},
    {NULL},
};

static PyAsyncMethods iterator_as_async = {.am_aiter = Py_NewRef, .am_anext = iterator_anext};
PyTypeObject mon_iterator_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._monitor.GeneratorObjectIterator",
    .tp_doc = "The async generator that calling a GeneratorObject with a coroutine makes.",
    .tp_basicsize = sizeof(iterator),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_weaklistoffset = offsetof(iterator, weakrefs),
    .tp_dealloc = iterator_dealloc,
    .tp_traverse = iterator_traverse,
    .tp_clear = iterator_clear,
    .tp_finalize = iterator_finalize,
    .tp_repr = iterator_repr,
    .tp_as_async = &iterator_as_async,
    .tp_methods = iterator_methods,
    .tp_members = iterator_members,
    .tp_getset = iterator_properties,
};
