/* CPython 3.11 and 3.12 do not export _PyCoro_GetAwaitableIter (Objects/genobject.c): the same rules and texts. */
#ifndef OHWAIT_CPYTHON_AWAIT_H
#define OHWAIT_CPYTHON_AWAIT_H

static inline bool py_is_coroutine(PyObject *object)
{
    return PyCoro_CheckExact(object) || (PyGen_CheckExact(object) &&
                                         PY_GENERATOR_CODE((PyGenObject *)object)->co_flags & CO_ITERABLE_COROUTINE);
}

static inline PyObject *py_awaitable_iterator(PyObject *awaitable)
{
    if (py_is_coroutine(awaitable)) {
        return Py_NewRef(awaitable);
    }
    PyAsyncMethods *methods = Py_TYPE(awaitable)->tp_as_async;
    if (methods == NULL || methods->am_await == NULL) {
        PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression",
                     Py_TYPE(awaitable)->tp_name);
        return NULL;
    }
    PyObject *iterator = methods->am_await(awaitable);
    if (iterator != NULL && py_is_coroutine(iterator)) {
        PyErr_SetString(PyExc_TypeError, "__await__() returned a coroutine");
        Py_CLEAR(iterator);
    }
    else if (iterator != NULL && !PyIter_Check(iterator)) {
        PyErr_Format(PyExc_TypeError, "__await__() returned non-iterator of type '%.100s'",
                     Py_TYPE(iterator)->tp_name);
        Py_CLEAR(iterator);
    }
    return iterator;
}

#endif
