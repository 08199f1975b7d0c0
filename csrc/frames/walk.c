/* From a call down to the host, reading only. */
#include "frames/frames.h"

/* C code called `frame` (NULL: there is no frame at all); it matters only if there is a coroutine below it. */
static ohw_obstacle obstacle_at(py_frame *frame, py_frame **c_caller)
{
    *c_caller = frame == NULL ? NULL : py_caller_beyond_c(frame);
    for (frame = *c_caller; frame != NULL; frame = py_caller_beyond_c(frame)) {
        if (ohw_is_host(frame)) {
            return OHW_C_FUNCTION;
        }
    }
    *c_caller = NULL;
    return OHW_NO_COROUTINE;
}

void ohw_walk_to_host(py_frame *caller, py_frame *called, ohw_walk *walk)
{
    py_frame *frame = caller;
    walk->top = caller;
    walk->bottom = walk->room = walk->c_caller = NULL;
    walk->frames = 0;
    walk->obstacle = OHW_CLEAR;
    walk->reason = NULL;
    for (; frame != NULL && !ohw_is_host(frame); called = frame, frame = py_caller(frame)) {
        walk->bottom = frame;
        walk->frames++;
        if (py_on_data_stack(frame)) {
            walk->room = frame;
        }
    }
    walk->host = frame;
    if (frame == NULL) {
        walk->obstacle = obstacle_at(called, &walk->c_caller);
    }
}
