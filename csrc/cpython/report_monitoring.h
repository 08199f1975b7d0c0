/* CPython 3.12 and later: how the interpreter calls the tools that listen (call_one_instrument and its callers in
 * Python/instrumentation.c).  sys.setprofile and sys.settrace are tools too; they look at the current frame. */
#ifndef OHWAIT_CPYTHON_REPORT_H
#define OHWAIT_CPYTHON_REPORT_H

static const int py_event_numbers[] = {
    [PY_YIELDS] = PY_MONITORING_EVENT_PY_YIELD,
    [PY_RESUMES] = PY_MONITORING_EVENT_PY_RESUME,
    [PY_THROWS] = PY_MONITORING_EVENT_PY_THROW,
};

static inline bool py_listened_to(PyThreadState *ts)
{
    return PY_MONITORING_VERSION(ts->interp) != 0 && ts->tracing == 0;
}

static inline uint32_t py_listeners_version(PyThreadState *ts)
{
    return (uint32_t)(PY_MONITORING_VERSION(ts->interp) ^ (PY_MONITORING_VERSION(ts->interp) >> 32));
}

static inline int py_call_tool(PyThreadState *ts, int tool, int event, PyObject *const *args, size_t count)
{
    PyObject *callable = ts->interp->monitoring_callables[tool][event];
    if (callable == NULL) {
        return 0;
    }
    int outer = ts->what_event;
    ts->what_event = event;
    ts->tracing++;
    PyObject *result = PyObject_Vectorcall(callable, args, count, NULL);
    ts->tracing--;
    ts->what_event = outer;
    Py_XDECREF(result);         /* DISABLE is not heeded: it would switch off an instruction, and there is none */
    return result == NULL ? -1 : 0;
}

static inline int py_report(PyThreadState *ts, py_frame *frame, py_event event, PyObject *value)
{
    PyCodeObject *code = py_code(frame);
    int number = py_event_numbers[event], status = 0;
    unsigned tools = ts->interp->monitors.tools[number];
    if (code->_co_monitoring != NULL && event != PY_THROWS) {
        tools |= code->_co_monitoring->local_monitors.tools[number];
    }
    if (tools == 0) {
        return 0;
    }
    PyObject *offset = PyLong_FromLong(py_call_site(frame) * (long)sizeof(_Py_CODEUNIT));
    PyObject *args[] = {Py_NewRef((PyObject *)code), offset, value};
    py_frame *current = py_current(ts);
    py_set_current(ts, frame);
    for (int tool = 0; status == 0 && offset != NULL && tool < PY_MONITORING_TOOL_IDS; tool++) {
        if (tools >> tool & 1) {
            status = py_call_tool(ts, tool, number, args, event == PY_RESUMES ? 2 : 3);
        }
    }
    py_set_current(ts, current);
    Py_DECREF(args[0]);
    Py_XDECREF(offset);
    return offset == NULL ? -1 : status;
}

#endif
