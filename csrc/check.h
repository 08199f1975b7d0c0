/* The numbered invariants of NOTES.md, asserted at each step in OHWAIT_DEBUG builds; counters in all builds. */
#ifndef OHWAIT_CHECK_H
#define OHWAIT_CHECK_H

#include "frames/frames.h"

typedef struct {
    Py_ssize_t lifted, spliced, cleared;    /* chains since import: lifted = spliced + cleared + away now */
    Py_ssize_t alive;                       /* Chain objects */
    Py_ssize_t chunks;                      /* of the data stack, held by chains that are away */
    Py_ssize_t chunks_made;                 /* since import */
} ohw_counters;
extern ohw_counters ohw_count;

#ifdef OHWAIT_CHECKED
void ohw_check_before_lift(PyThreadState *ts, py_frame *door, const ohw_walk *walk, ohw_extent extent);
void ohw_check_lifted(const ohw_lifted *lifted);
void ohw_check_before_splice(PyThreadState *ts, py_frame *resume, const ohw_lifted *lifted);
void ohw_check_spliced(PyThreadState *ts, py_frame *resume, const ohw_lifted *lifted);
#else
#  define ohw_check_before_lift(ts, door, walk, extent) ((void)0)
#  define ohw_check_lifted(lifted) ((void)0)
#  define ohw_check_before_splice(ts, resume, lifted) ((void)0)
#  define ohw_check_spliced(ts, resume, lifted) ((void)0)
#endif

#endif
