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
    bool tight;                 /* its host waits at a tight landing, where throw() and close() arrive unannounced */
    bool announced;             /* profilers and tracers know that the frames have been resumed */
    ohw_lifted lifted;
    py_word words[];
} ohw_chain;

extern PyTypeObject ohw_chain_type;

/* Attribute names, interned: the type cache holds on to each name that it is asked for. */
typedef struct { PyObject *send, *throw, *close, *cr_await; } ohw_name_table;
extern ohw_name_table ohw_names;
int ohw_names_init(void);
/* -1: error; otherwise *value is new, or NULL where there is no such attribute.  May run Python code. */
int ohw_lookup(PyObject *object, PyObject *name, PyObject **value);

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
