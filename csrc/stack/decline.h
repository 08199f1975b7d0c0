/* Leaving E3 with an exception, while what it has run waits on. */
#ifndef OHWAIT_STACK_DECLINE_H
#define OHWAIT_STACK_DECLINE_H

#include "stack/slice.h"

#if OHW_ARCH_KNOWN

typedef struct {
    PyThreadState *ts;
    py_frame *at;               /* runs at a landing, as the innermost one */
    ohw_disguise *disguise;     /* needed until E3's caller has returned; `wait` sets its owner */
    int extra;                  /* entry of its value stack that is dropped; negative: none */
    /* Make it wait on.  Stolen: what is at the bottom of its value stack.  Cannot fail, runs no Python code. */
    void (*wait)(PyThreadState *ts, py_frame *frame, PyObject *kept);
} ohw_departure;

/* As ohw_decline. */
void ohw_leave_landing(const ohw_departure *departure);

#endif
#endif
