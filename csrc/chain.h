/* The Chain: what a host awaits while its plain frames are away. */
#ifndef OHWAIT_CHAIN_H
#define OHWAIT_CHAIN_H

#include "frames/frames.h"

typedef struct {
    PyObject_VAR_HEAD           /* ob_size: capacity of words */
    PyObject *source;           /* Owned: iterator of the awaitable; NULL once it has finished */
    PyObject *yielded;          /* Owned: value to pass on at the landing; NULL otherwise */
    PyObject *outcome;          /* Owned: result or exception, once finished; NULL otherwise */
    bool failed;                /* outcome is an exception */
    bool thrown;                /* it was thrown into the host: it gets its context where it is raised */
    bool running;               /* its source is being driven */
    ohw_lifted lifted;
    py_word words[];
} ohw_chain;

extern PyTypeObject ohw_chain_type;

/* A chain that drives `source` and has already yielded `yielded` (both stolen on success), with room for `words`.
 * New reference, not yet tracked by the collector.  NULL with MemoryError.  May run the garbage collector. */
ohw_chain *ohw_chain_new(PyObject *source, PyObject *yielded, size_t words);
/* The hidden function `_resume`: its hook's work.  New reference to the result, or NULL with the exception. */
PyObject *ohw_chain_resume(PyThreadState *ts);
void ohw_chain_free_spares(void);

/* ---- link.c: a suspended chain as debuggers walk it ---- */

extern PyTypeObject ohw_link_type;
/* Frame object of the plain frame with `number` others below it, or None; what it awaits.  New references or NULL. */
PyObject *ohw_link_frame(ohw_chain *chain, int number);
PyObject *ohw_link_awaits(ohw_chain *chain, int number);

#endif
