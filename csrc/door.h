/* The door: what the hidden function `ohwait` does when it is called. */
#ifndef OHWAIT_DOOR_H
#define OHWAIT_DOOR_H

#include "chain.h"

/* `door` is the current frame, that of `ohwait`.  New reference: the awaitable's result, or the Chain with which the
 * door returns into the host's landing.  NULL with an exception, and then no frame has been touched. */
PyObject *ohw_door_open(PyThreadState *ts, py_frame *door);
void ohw_door_set_guard(PyObject *callable);        /* stolen; guard() -> anything; NULL for none */
/* What an ohwait() called by the current frame would meet: OHW_CLEAR if it could suspend. */
ohw_walk ohw_door_look(PyThreadState *ts);
/* Name of an obstacle for Python, static text. */
const char *ohw_obstacle_name(ohw_obstacle obstacle);

#endif
