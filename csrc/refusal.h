/* Errors for places where no suspension, or no resumption, is possible: Python makes them. */
#ifndef OHWAIT_REFUSAL_H
#define OHWAIT_REFUSAL_H

#include "cpython/contract.h"

void ohw_refusal_set(PyObject *callable);       /* stolen; refusal(kind, frame or None[, reason]) -> exception */
/* Raise its error.  `frame`: borrowed, or NULL; `reason`: text, or NULL. */
void ohw_refusal_raise(const char *kind, PyObject *frame, const char *reason);

#endif
