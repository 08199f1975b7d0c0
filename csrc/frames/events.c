/* What profilers, tracers and sys.monitoring see of a suspension: each frame of the chain, and the host, leaves and
 * comes back as a coroutine does that yields and is resumed. */
#include "frames/frames.h"

bool ohw_listened_to(PyThreadState *ts) { return py_listened_to(ts); }

uint32_t ohw_listeners_version(PyThreadState *ts) { return py_listeners_version(ts); }

int ohw_let_listeners_in(PyThreadState *ts, py_frame *top, const py_frame *bottom)
{
    for (py_frame *frame = top; frame != NULL; frame = py_caller_beyond_c(frame)) {
        if (py_refresh_instrumentation(ts, py_code(frame)) < 0) {
            return -1;
        }
        if (frame == bottom) {
            break;
        }
    }
    return 0;
}

void ohw_swallow_return(PyThreadState *ts)
{
    if (py_listened_to(ts)) {
        py_swallow_return(ts);
    }
}

int ohw_report_suspended(PyThreadState *ts, py_frame *top, py_frame *host, PyObject *value)
{
    for (py_frame *frame = top; frame != NULL; frame = py_caller_beyond_c(frame)) {
        if (frame == host) {
            return PY_HOST_REPORTS_ITSELF ? 0 : py_report(ts, host, PY_YIELDS, value);
        }
        if (py_is_complete(frame) && py_report(ts, frame, PY_YIELDS, value) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The frame that `frame`, in the chain that starts at `top`, called; NULL for `top`. */
static py_frame *callee_of(py_frame *frame, py_frame *top)
{
    py_frame *callee = NULL;
    for (py_frame *above = top; above != frame; above = py_caller_beyond_c(above)) {
        callee = above;
    }
    return callee;
}

int ohw_report_resumed(PyThreadState *ts, ohw_lifted *lifted, bool host_too, PyObject *thrown)
{
    py_event event = thrown == NULL ? PY_RESUMES : PY_THROWS;
    if (host_too && py_report(ts, lifted->host, event, thrown) < 0) {
        return -1;
    }
    for (py_frame *frame = lifted->bottom; frame != NULL; frame = callee_of(frame, lifted->top)) {
        if (py_is_complete(frame) && py_report(ts, frame, event, thrown) < 0) {
            return -1;
        }
    }
    return 0;
}
