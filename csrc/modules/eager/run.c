/* Steps of coroutines in contexts, and their outcomes. */
#include "eager.h"

PySendResult eager_send(PyObject *coroutine, PyObject *context, PyObject *value, PyObject **result)
{
    if (context == NULL) {
        return PyIter_Send(coroutine, value, result);
    }
    *result = NULL;
    if (PyContext_Enter(context) < 0) {
        return PYGEN_ERROR;
    }
    PySendResult sent = PyIter_Send(coroutine, value, result);
    if (PyContext_Exit(context) < 0) {
        Py_CLEAR(*result);
        return PYGEN_ERROR;
    }
    return sent;
}

PyObject *eager_call_method(PyObject *coroutine, PyObject *context, PyObject *name, PyObject *const *args,
                            Py_ssize_t count)
{
    PyObject *stack[4] = {coroutine, NULL, NULL, NULL};
    for (Py_ssize_t i = 0; i < count && i < 3; i++) {
        stack[i + 1] = args[i];
    }
    if (context != NULL && PyContext_Enter(context) < 0) {
        return NULL;
    }
    PyObject *result = PyObject_VectorcallMethod(name, stack, (size_t)(count + 1), NULL);
    if (context != NULL && PyContext_Exit(context) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

PyObject *eager_take_exception(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

void eager_raise(PyObject *exception)
{
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
}

PyObject *eager_stop_value(void)
{
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return NULL;
    }
    PyObject *stop = eager_take_exception();
    PyObject *value = ((PyStopIterationObject *)stop)->value;
    value = Py_NewRef(value == NULL ? Py_None : value);
    Py_DECREF(stop);
    return value;
}

int eager_owner(PyObject **owner)
{
    *owner = NULL;
    if (PyDict_GetItemWithError(PyImport_GetModuleDict(), names.trio) == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    PyObject *task = PyObject_CallNoArgs(hooks.owner);
    if (task == NULL) {
        return -1;
    }
    if (task == Py_None) {
        Py_DECREF(task);
    } else {
        *owner = task;
    }
    return 0;
}
