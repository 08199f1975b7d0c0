/* Calling callbacks: where, in which context, and what becomes of their exceptions. */
#include "completion.h"

static PyObject *str_call_soon, *str_call_exception_handler, *str_trio, *context_keyword, *modules;

int ohw_run_init(void)
{
    str_call_soon = PyUnicode_InternFromString("call_soon");
    str_call_exception_handler = PyUnicode_InternFromString("call_exception_handler");
    str_trio = PyUnicode_InternFromString("trio");
    context_keyword = Py_BuildValue("(s)", "context");
    modules = Py_XNewRef(PyImport_GetModuleDict());
    return !str_call_soon || !str_call_exception_handler || !str_trio || !context_keyword || !modules ? -1 : 0;
}

PyObject *ohw_running_loop(void)
{
    PyObject *loop = PyObject_CallNoArgs(ohw_py.get_running_loop);
    if (loop == NULL) {
        PyErr_Clear();
    }
    else if (loop == Py_None) {
        Py_CLEAR(loop);
    }
    return loop;
}

bool ohw_trio_is_loaded(void) { return PyDict_GetItemWithError(modules, str_trio) != NULL; }

PyObject *ohw_take_exception(void)
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

/* ---- in a loop ---- */

/* A wake-up in the loop's own thread takes its turn like any other call_soon(): in the order of events. */
static int call_soon(PyObject *loop, ohw_waiter *waiter)
{
    PyObject *argument = waiter->is_callback ? (PyObject *)waiter->completion : (PyObject *)waiter;
    PyObject *arguments[] = {loop, waiter->callback, argument, waiter->context};
    PyObject *keywords = waiter->context == NULL ? NULL : context_keyword;
    PyObject *handle = PyObject_VectorcallMethod(str_call_soon, arguments, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, keywords);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

/* The loop did not take it: a LoopError from its own. */
static void explain(ohw_waiter *waiter)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return;
    }
    PyObject *cause = ohw_take_exception();
    PyObject *text = PyUnicode_FromFormat(
        "a Completion is complete, but who waits for it in %R cannot be woken: %S. Its outcome is kept, and waiters in "
        "other loops were woken; let tasks end before their loop is closed", waiter->mailbox->loop, cause);
    PyObject *error = text == NULL ? NULL : PyObject_CallOneArg(ohw_py.loop_error, text);
    Py_XDECREF(text);
    if (error == NULL) {
        Py_DECREF(cause);
        return;
    }
    PyException_SetContext(error, Py_NewRef(cause));
    PyException_SetCause(error, cause);
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

int ohw_deliver(ohw_waiter *waiter)
{
    if (waiter->callback == NULL) {
        return 0;
    }
    if (waiter->mailbox == NULL) {
        return ohw_run(waiter);
    }
    /* Asking which loop runs costs CPython 3.11 a system call: not in threads where this one does not. */
    PyObject *running = waiter->mailbox->thread == PyThread_get_thread_ident() ? ohw_running_loop() : NULL;
    bool here = running == waiter->mailbox->loop;
    int status = here ? call_soon(running, waiter) : ohw_post(waiter->mailbox, waiter);
    Py_XDECREF(running);
    if (status < 0) {
        explain(waiter);
    }
    return status;
}

/* ---- now ---- */

/* Tell the loop's exception handler; false if that is not possible. */
static bool tell_loop(ohw_waiter *waiter, PyObject *error)
{
    PyObject *loop = ohw_running_loop();
    if (loop == NULL) {
        return false;
    }
    PyObject *facts = Py_BuildValue("{sssOsOsO}", "message", "Exception in callback of a Completion", "exception", error,
                                    "completion", waiter->completion, "callback", waiter->callback);
    PyObject *told = facts == NULL ? NULL : PyObject_CallMethodOneArg(loop, str_call_exception_handler, facts);
    Py_XDECREF(facts);
    Py_XDECREF(told);
    Py_DECREF(loop);
    PyErr_Clear();
    return told != NULL;
}

static int report(ohw_waiter *waiter)
{
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) || PyErr_ExceptionMatches(PyExc_SystemExit)) {
        return -1;
    }
    PyObject *error = ohw_take_exception();
    if (!tell_loop(waiter, error)) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        PyErr_WriteUnraisable(waiter->callback);
    }
    Py_DECREF(error);
    return 0;
}

int ohw_run(ohw_waiter *waiter)
{
    PyObject *argument = waiter->is_callback ? (PyObject *)waiter->completion : (PyObject *)waiter;
    PyObject *callback = Py_NewRef(waiter->callback), *context = Py_XNewRef(waiter->context);
    PyObject *result = NULL;
    if (context == NULL || PyContext_Enter(context) == 0) {
        result = PyObject_CallOneArg(callback, argument);
        if (context != NULL && PyContext_Exit(context) < 0) {
            Py_CLEAR(result);
        }
    }
    int status = result == NULL ? report(waiter) : 0;
    Py_XDECREF(result);
    Py_XDECREF(context);
    Py_DECREF(callback);
    return status;
}
