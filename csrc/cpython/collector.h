/* The cyclic garbage collector (Python/gc.c; Modules/gcmodule.c until 3.12): is it at work, and its lists. */
#ifndef OHWAIT_CPYTHON_COLLECTOR_H
#define OHWAIT_CPYTHON_COLLECTOR_H

#include "internal/pycore_gc.h"

static inline bool py_collecting(PyThreadState *ts) { return ts->interp->gc.collecting; }

_Static_assert(sizeof(py_ring) == sizeof(PyGC_Head) && offsetof(py_ring, next) == offsetof(PyGC_Head, _gc_next) &&
               offsetof(py_ring, previous) == offsetof(PyGC_Head, _gc_prev), "the same, so that others can name the parts");

static inline bool py_leads_to(uintptr_t word, const py_ring *element)
{
    return (word & _PyGC_PREV_MASK) == (uintptr_t)element;
}

static inline void py_lead_to(uintptr_t *word, const py_ring *element)
{
    *word = (*word & ~_PyGC_PREV_MASK) | (uintptr_t)element;
}

#endif
