/* CPython 3.12 to 3.14 do not export _Py_Instrument.  Code is instrumented anew when one tool's events for it change: a
 * tool of ours, registered when it is first needed, asks for an event and takes that back.  (Registering and freeing one
 * each time would make all other code stale again: that counts as a change for everybody.) */
#ifndef OHWAIT_CPYTHON_REFRESH_H
#define OHWAIT_CPYTHON_REFRESH_H

enum { PY_TOOLS_FOR_ALL = 6, PY_START_SET = 1 << PY_MONITORING_EVENT_PY_START };

/* monitoring.name(*args), as PyObject_CallMethod, with an interned name: the type cache holds on to each it is asked for. */
static inline PyObject *py_call_monitoring(PyObject *monitoring, const char *name, PyObject *args)     /* args: stolen */
{
    PyObject *interned = args == NULL ? NULL : PyUnicode_InternFromString(name);
    PyObject *method = interned == NULL ? NULL : PyObject_GetAttr(monitoring, interned);
    PyObject *result = method == NULL ? NULL : PyObject_CallObject(method, args);
    Py_XDECREF(interned);
    Py_XDECREF(method);
    Py_XDECREF(args);
    return result;
}

static inline bool py_is_own_tool(PyObject *name)
{
    return name != NULL && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "ohwait") == 0;
}

/* The number of our tool; -1: all are in use, or an exception is set.  Each file that includes this has a `tool` of its own:
 * what another one has registered is found by its name. */
static inline int py_own_tool(PyObject *monitoring)
{
    static int tool = -1;
    for (int candidate = PY_TOOLS_FOR_ALL; tool < 0 && candidate-- > 0;) {
        PyObject *name = py_call_monitoring(monitoring, "get_tool", Py_BuildValue("(i)", candidate));
        if (py_is_own_tool(name)) {
            tool = candidate;
        }
        else if (name == Py_None) {
            PyObject *used = py_call_monitoring(monitoring, "use_tool_id", Py_BuildValue("(is)", candidate, "ohwait"));
            tool = used == NULL ? -1 : candidate;
            Py_XDECREF(used);
        }
        Py_XDECREF(name);
        if (name == NULL || PyErr_Occurred()) {
            break;
        }
    }
    return tool;
}

static inline int py_set_own_events(PyObject *monitoring, int tool, PyCodeObject *code, int events)
{
    PyObject *set = py_call_monitoring(monitoring, "set_local_events", Py_BuildValue("(iOi)", tool, code, events));
    Py_XDECREF(set);
    return set == NULL ? -1 : 0;
}

static inline int py_refresh_instrumentation(PyThreadState *ts, PyCodeObject *code)
{
    PyObject *monitoring = PySys_GetObject("monitoring");
    if (code->_co_instrumentation_version == PY_MONITORING_VERSION(ts->interp) || monitoring == NULL ||
        code->_co_firsttraceable >= Py_SIZE(code)) {
        return 0;
    }
    int tool = py_own_tool(monitoring);
    if (tool < 0) {
        return PyErr_Occurred() ? -1 : 0;       /* none is free: the code is instrumented at its next RESUME */
    }
    return py_set_own_events(monitoring, tool, code, PY_START_SET) < 0 ? -1
                                                                       : py_set_own_events(monitoring, tool, code, 0);
}

#endif
