/* What the parts of this module share: names, errors, one step of a coroutine. */
#include "monitor.h"

mon_name_table mon_names;
PyObject *mon_kw_context, *mon_kw_msg;
static PyObject *refusal;       /* Owned */

int mon_names_init(void)
{
    const struct { PyObject **place; const char *name; } all[] = {
        {&mon_names.throw, "throw"}, {&mon_names.close, "close"}, {&mon_names.done, "done"},
        {&mon_names.result, "result"}, {&mon_names.cancel, "cancel"}, {&mon_names.get_loop, "get_loop"},
        {&mon_names.call_soon, "call_soon"},
        {&mon_names.call_soon_threadsafe, "call_soon_threadsafe"}, {&mon_names.add_done_callback, "add_done_callback"},
        {&mon_names.remove_done_callback, "remove_done_callback"}, {&mon_names.blocking, "_asyncio_future_blocking"},
        {&mon_names.msg, "msg"}, {&mon_names.cr_frame, "cr_frame"}, {&mon_names.cr_await, "cr_await"},
        {&mon_names.cr_code, "cr_code"},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(all); i++) {
        *all[i].place = PyUnicode_InternFromString(all[i].name);
        if (*all[i].place == NULL) {
            return -1;
        }
    }
    mon_kw_context = Py_BuildValue("(s)", "context");
    mon_kw_msg = Py_BuildValue("(s)", "msg");
    return mon_kw_context == NULL || mon_kw_msg == NULL ? -1 : 0;
}

void mon_set_refusal(PyObject *callable) { Py_XSETREF(refusal, Py_NewRef(callable)); }

void mon_refuse(const char *kind, PyObject *data)
{
    if (refusal == NULL) {
        PyErr_Format(PyExc_RuntimeError, "ohwait.monitor is not imported: %s", kind);
        return;
    }
    PyObject *error = PyObject_CallFunction(refusal, "sO", kind, data == NULL ? Py_None : data);
    if (error != NULL && !PyExceptionInstance_Check(error)) {
        PyErr_Format(PyExc_TypeError, "refusal() returned %R, which is no exception", error);
        Py_CLEAR(error);
    }
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
}

PySendResult mon_send(channel *channel, PyObject *coroutine, PyObject *value, PyObject **result)
{
    channel->driving++;
    PySendResult status = PyIter_Send(coroutine, value, result);
    channel->driving--;
    return status;
}

PySendResult mon_throw(channel *channel, PyObject *coroutine, PyObject *exception, PyObject **result)
{
    channel->driving++;
    *result = PyObject_CallMethodOneArg(coroutine, mon_names.throw, exception);
    channel->driving--;
    if (*result != NULL) {
        return PYGEN_NEXT;
    }
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return PYGEN_ERROR;
    }
    PyObject *stop = py_take_raised();
    *result = Py_NewRef(((PyStopIterationObject *)stop)->value);
    Py_DECREF(stop);
    return PYGEN_RETURN;
}

PyObject *mon_exception_of(PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 3) {
        PyErr_Format(PyExc_TypeError, "throw() takes 1 to 3 arguments, not %zd", count);
        return NULL;
    }
    PyObject *type = args[0], *value = count > 1 ? args[1] : Py_None, *traceback = count > 2 ? args[2] : Py_None;
    PyObject *exception;
    if (PyExceptionInstance_Check(type) && value == Py_None) {
        exception = Py_NewRef(type);
    }
    else if (!PyExceptionClass_Check(type)) {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                     Py_TYPE(type)->tp_name);
        return NULL;
    }
    else if (PyObject_TypeCheck(value, (PyTypeObject *)type)) {
        exception = Py_NewRef(value);
    }
    else {
        exception = value == Py_None       ? PyObject_CallNoArgs(type)
                    : PyTuple_Check(value) ? PyObject_CallObject(type, value)
                                           : PyObject_CallOneArg(type, value);
    }
    if (exception != NULL && !PyExceptionInstance_Check(exception)) {
        PyErr_Format(PyExc_TypeError, "%R made %R, which is no exception", type, exception);
        Py_CLEAR(exception);
    }
    if (exception != NULL && traceback != Py_None && PyException_SetTraceback(exception, traceback) < 0) {
        Py_CLEAR(exception);
    }
    return exception;
}

int mon_raise_args(PyObject *const *args, Py_ssize_t count)
{
    PyObject *exception = mon_exception_of(args, count);
    if (exception == NULL) {
        return -1;
    }
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return 0;
}

PyObject *mon_method_result(PySendResult status, PyObject *result)
{
    if (status != PYGEN_RETURN) {
        return result;
    }
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
    Py_DECREF(result);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    return NULL;
}

void mon_chain_runtime_error(const char *text)
{
    PyObject *cause = py_take_raised();
    PyErr_SetString(PyExc_RuntimeError, text);
    PyObject *error = py_take_raised();
    PyException_SetCause(error, Py_NewRef(cause));
    PyException_SetContext(error, cause);
    py_raise(error);
}

PyObject *mon_cancelled_error(PyObject *text)
{
    PyObject *module = PyImport_ImportModule("asyncio.exceptions");
    PyObject *type = module == NULL ? NULL : PyObject_GetAttrString(module, "CancelledError");
    Py_XDECREF(module);
    PyObject *error = type == NULL      ? NULL
                      : text == Py_None ? PyObject_CallNoArgs(type)
                                        : PyObject_CallOneArg(type, text);
    Py_XDECREF(type);
    return error;
}

int mon_check_coroutine(PyObject *object, const char *function)
{
    if (PyCoro_CheckExact(object)) {
        return 0;
    }
    PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
    bool drives = (methods != NULL && methods->am_send != NULL) || Py_TYPE(object)->tp_iternext != NULL ||
                  PyObject_HasAttrString(object, "send");
    if (drives && PyObject_HasAttr(object, mon_names.throw) && PyObject_HasAttr(object, mon_names.close)) {
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s takes a coroutine, not %R%s", function, object,
                 PyFunction_Check(object) ? ": call the function and hand over what it returns" : "");
    return -1;
}
