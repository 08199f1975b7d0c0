/* CPython 3.12 reports RAISE and PY_UNWIND of every frame, hidden functions included: no flag keeps a code object out
 * (CO_NO_MONITORING_EVENTS came with 3.13).  So that profilers do not see a function leave that never came, a callable
 * of ours stands in for each listener until it has been called once, which the unwinding of the hidden function does
 * right away. */
#ifndef OHWAIT_CPYTHON_SWALLOW_H
#define OHWAIT_CPYTHON_SWALLOW_H

static PyObject *py_swallow_once(PyObject *place, PyObject *Py_UNUSED(args))
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    long number = PyLong_AsLong(PyTuple_GET_ITEM(place, 0));
    PyObject **slot = &interp->monitoring_callables[number / _PY_MONITORING_EVENTS][number % _PY_MONITORING_EVENTS];
    PyObject *stand_in = *slot;
    *slot = Py_NewRef(PyTuple_GET_ITEM(place, 1));
    Py_XDECREF(stand_in);
    Py_RETURN_NONE;
}

static PyMethodDef py_swallow_method = {"swallow", py_swallow_once, METH_VARARGS, NULL};

static inline void py_swallow_event(PyThreadState *ts, int tool, int event)
{
    PyObject **slot = &ts->interp->monitoring_callables[tool][event];
    if (*slot == NULL || !(ts->interp->monitors.tools[event] >> tool & 1)) {
        return;
    }
    PyObject *place = Py_BuildValue("(iO)", tool * _PY_MONITORING_EVENTS + event, *slot);
    PyObject *stand_in = place == NULL ? NULL : PyCFunction_New(&py_swallow_method, place);
    Py_XDECREF(place);
    if (stand_in == NULL) {
        PyErr_Clear();
        return;
    }
    Py_SETREF(*slot, stand_in);
}

static inline void py_swallow_return(PyThreadState *ts)
{
    PyObject *error = py_take_raised();
    if (error != NULL) {
        for (int tool = 0; tool < PY_MONITORING_TOOL_IDS; tool++) {
            py_swallow_event(ts, tool, PY_MONITORING_EVENT_RAISE);
            py_swallow_event(ts, tool, PY_MONITORING_EVENT_PY_UNWIND);
        }
        py_raise(error);
    }
}

#endif
