/* The error that says why. */
#include "refusal.h"

static PyObject *refusal;       /* Owned */

void ohw_refusal_set(PyObject *callable) { Py_XSETREF(refusal, callable); }

void ohw_refusal_raise(const char *kind, PyObject *frame, const char *reason)
{
    if (frame == NULL) {
        frame = Py_None;
    }
    if (refusal == NULL) {
        PyErr_Format(PyExc_RuntimeError, "ohwait() cannot suspend here: %s", reason == NULL ? kind : reason);
        return;
    }
    PyObject *error = reason == NULL ? PyObject_CallFunction(refusal, "sO", kind, frame)
                                     : PyObject_CallFunction(refusal, "sOs", kind, frame, reason);
    if (error != NULL && !PyExceptionInstance_Check(error)) {
        PyErr_Format(PyExc_TypeError, "ohwait: refusal() returned %R, which is no exception", error);
        Py_CLEAR(error);
    }
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
}
