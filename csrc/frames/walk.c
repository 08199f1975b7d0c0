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

static inline void note(ohw_walk *walk, int number, py_frame *frame)
{
    if (number < OHW_NOTED) {
        walk->noted[number] = frame;
    }
}

void ohw_walk_to_host(py_frame *caller, py_frame *called, ohw_walk *walk)
{
    py_frame *frame = caller, *bottom = NULL, *room = NULL;
    int frames = 0;
    while (frame != NULL && !ohw_is_host(frame)) {
        if (!py_on_data_stack(frame)) {
            note(walk, frames++, frame);
            bottom = frame;
            frame = py_caller(frame);
            continue;
        }
        do {        /* a run of plain frames: all that deep chains cost at each suspension */
            note(walk, frames++, frame);
            bottom = room = frame;
            frame = py_caller_or_entry(frame);
        } while (frame != NULL && py_on_data_stack(frame));
        frame = frame == NULL || py_is_entry(frame) ? NULL : frame;
    }
    walk->top = caller;
    walk->bottom = bottom;
    walk->room = room;
    walk->frames = frames;
    walk->obstacle = OHW_CLEAR;
    walk->reason = NULL;
    walk->c_caller = NULL;
    walk->host = frame;
    if (frame == NULL) {
        walk->obstacle = obstacle_at(bottom == NULL ? called : bottom, &walk->c_caller);
    }
}
