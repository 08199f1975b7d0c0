/* CPython 3.11: sys.setprofile and sys.settrace are called by the interpreter loop itself (call_trace in
 * Python/ceval.c), for hidden functions too. */
#ifndef OHWAIT_CPYTHON_REPORT_H
#define OHWAIT_CPYTHON_REPORT_H

static inline bool py_listened_to(PyThreadState *ts) { return ts->cframe->use_tracing != 0 && ts->tracing == 0; }

static inline uint32_t py_listeners_version(PyThreadState *ts) { (void)ts; return 0; }

static inline int py_report(PyThreadState *ts, py_frame *frame, py_event event, PyObject *value)
{
    PyFrameObject *object = py_frame_object(ts, frame);
    py_frame *current = py_current(ts);
    int what = event == PY_YIELDS ? PyTrace_RETURN : PyTrace_CALL, status = 0;
    PyObject *arg = event == PY_YIELDS ? value : Py_None;
    if (object == NULL) {
        return -1;
    }
    Py_INCREF(object);
    py_set_current(ts, frame);
    PyThreadState_EnterTracing(ts);
    if (ts->c_tracefunc != NULL) {
        status = ts->c_tracefunc(ts->c_traceobj, object, what, arg);
    }
    if (status == 0 && ts->c_profilefunc != NULL) {
        status = ts->c_profilefunc(ts->c_profileobj, object, what, arg);
    }
    PyThreadState_LeaveTracing(ts);
    py_set_current(ts, current);
    Py_DECREF(object);
    return status;
}

/* A hidden function leaves without having been entered, as far as hooks can tell: stand in for them until it has.
 * One at a time: the function returns right away, without a switch of threads in between. */
static struct {
    PyThreadState *thread;
    Py_tracefunc profile, trace;
    PyCodeObject *code;         /* Borrowed: of the function that returns */
    int first_traceable;
} py_swallowing;

/* Debug builds make a frame object for the report, which they do for frames only that have begun. */
static inline void py_pretend_begun(bool begun)
{
#ifdef Py_DEBUG
    py_swallowing.code->_co_firsttraceable = begun ? 0 : py_swallowing.first_traceable;
#else
    (void)begun;
#endif
}

static int py_swallow_profile(PyObject *object, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)object, (void)frame, (void)what, (void)arg;
    py_swallowing.thread->c_profilefunc = py_swallowing.profile;
    py_pretend_begun(false);
    return 0;
}

static int py_swallow_trace(PyObject *object, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)object, (void)frame, (void)arg;
    if (what == PyTrace_RETURN) {       /* an exception is reported first */
        py_swallowing.thread->c_tracefunc = py_swallowing.trace;
        py_pretend_begun(py_swallowing.thread->c_profilefunc == py_swallow_profile);    /* its turn is next */
    }
    return 0;
}

static inline void py_swallow_return(PyThreadState *ts)
{
    py_swallowing.thread = ts;
    py_swallowing.code = py_code(py_current(ts));
    py_swallowing.first_traceable = py_swallowing.code->_co_firsttraceable;
    py_pretend_begun(true);
    if (ts->c_profilefunc != NULL) {
        py_swallowing.profile = ts->c_profilefunc;
        ts->c_profilefunc = py_swallow_profile;
    }
    if (ts->c_tracefunc != NULL) {
        py_swallowing.trace = ts->c_tracefunc;
        ts->c_tracefunc = py_swallow_trace;
    }
}

#endif
