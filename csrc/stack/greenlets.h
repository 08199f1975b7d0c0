/* Greenlets, if the process has any: each has a C stack that lies where the others' lie too. */
#ifndef OHWAIT_STACK_GREENLETS_H
#define OHWAIT_STACK_GREENLETS_H

#include "cpython/contract.h"

/* New weak reference to the greenlet that is running, or NULL in *reference if greenlet has not been imported.  -1 with
 * an exception. */
int ohw_current_greenlet(PyObject **reference);
/* Is it the one that is running?  `reference` as above.  Cannot fail. */
bool ohw_in_greenlet(PyObject *reference);

#endif
