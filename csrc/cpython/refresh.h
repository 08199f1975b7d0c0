/* CPython 3.12 to 3.14 do not export _Py_Instrument.  Code is instrumented anew when one tool's events for it change:
 * a tool that nobody uses asks for an event, and takes it back. */
#ifndef OHWAIT_CPYTHON_REFRESH_H
#define OHWAIT_CPYTHON_REFRESH_H

static inline int py_toggle_local_events(PyObject *monitoring, int tool, PyCodeObject *code)
{
    enum { PY_START_SET = 1 << PY_MONITORING_EVENT_PY_START };
    PyObject *used = PyObject_CallMethod(monitoring, "use_tool_id", "is", tool, "ohwait");
    PyObject *set = used == NULL ? NULL : PyObject_CallMethod(monitoring, "set_local_events", "iOi", tool, code, PY_START_SET);
    PyObject *unset = set == NULL ? NULL : PyObject_CallMethod(monitoring, "set_local_events", "iOi", tool, code, 0);
    PyObject *freed = used == NULL ? NULL : PyObject_CallMethod(monitoring, "free_tool_id", "i", tool);
    int status = unset == NULL || freed == NULL ? -1 : 0;
    Py_XDECREF(used);
    Py_XDECREF(set);
    Py_XDECREF(unset);
    Py_XDECREF(freed);
    return status;
}

static inline int py_refresh_instrumentation(PyThreadState *ts, PyCodeObject *code)
{
    enum { FIRST_RESERVED_TOOL = 6 };
    if (code->_co_instrumentation_version == PY_MONITORING_VERSION(ts->interp) ||
        code->_co_firsttraceable >= Py_SIZE(code)) {
        return 0;
    }
    PyObject *monitoring = PySys_GetObject("monitoring");
    for (int tool = FIRST_RESERVED_TOOL; monitoring != NULL && tool-- > 0;) {
        PyObject *name = PyObject_CallMethod(monitoring, "get_tool", "i", tool);
        if (name == NULL) {
            return -1;
        }
        Py_DECREF(name);
        if (name == Py_None) {
            return py_toggle_local_events(monitoring, tool, code);
        }
    }
    return 0;       /* all are in use: the code is instrumented at its next RESUME */
}

#endif
