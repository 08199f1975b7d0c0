/* The stack path: suspend although C functions stand between `ohwait()` and its host.
 *
 * Words (NOTES.md has the picture): a loop is an invocation of CPython's evaluation function; E1 is the one that runs the
 * host, E3 the one that runs the host's landing when the chain is resumed.  A slice is the C stack from a place of ours
 * (ohw_place) up to where E1 was called, with the Python frames that its C functions point to.
 *
 * Suspended, the slice lies on the heap, the host stands at its landing as if it had yielded there, and E1 has returned
 * what was yielded, without having been asked.  Resumed, the slice is put back to the same addresses and E1 takes over
 * the identity of E3: it returns where E3 would have.  What E3's callers have at those addresses is moved out of the way
 * meanwhile, and put back by a landing pad to which E1 returns (pad.c).
 *
 * Kinds of refusals (Python's refusal(kind, frame, reason), ohwait/_diagnosis.py):
 *   "c-function", frame that called C, reason    no suspension here: ohw_walk.reason
 *   "thread", None, reason                       a slice cannot be resumed on this thread
 *   "greenlet", None, reason                     a slice cannot be resumed in this greenlet, or on this data stack
 *
 * Invariants, beside those of NOTES.md:
 * I11 What can fail comes before ohw_set_aside and before `commit` in resume.c; from there on nothing can, and no Python
 *     code runs.
 * I12 A slice comes back to the addresses that it came from: C code in it points into its own stack, and to frames on
 *     the data stack.  Hence one thread, one greenlet, and pinned chunks (cpython/chunks.h).
 * I13 While a slice is away, whoever follows frames finds copies of them: no link leads to a place that others use.
 * I14 A slice belongs to one Chain, is resumed once, and is never freed while its frames are in it: C functions own
 *     references that only they can give back.
 * I15 A resumption that is refused, or finds no memory, changes nothing: the host waits on, and so does whatever awaits
 *     it, although CPython raises the refusal in each of them (decline.c, shelter.c).  Exceptions: NOTES.md, "Known gaps".
 */
#ifndef OHWAIT_STACK_STACK_H
#define OHWAIT_STACK_STACK_H

#include "frames/frames.h"
#include "stack/unwind.h"

typedef struct ohw_slice ohw_slice;
typedef struct ohw_exit ohw_exit;       /* how to leave E1 */

typedef struct {
    Py_ssize_t by_frames, by_stack;         /* suspensions since import */
    Py_ssize_t alive;                       /* slices set aside now */
    Py_ssize_t bytes;                       /* held by them, what they share included */
    Py_ssize_t lost;                        /* slices whose host is gone: kept for ever */
} ohw_stack_counters;
extern ohw_stack_counters ohw_stack_count;

/* ---- allow.c ---- */

/* NULL: the stack path can serve in this process; else why not (static text).  Checks it when first asked. */
const char *ohw_stack_status(void);
void ohw_stack_allow(bool allowed);
/* This thread begins or ends to run what other threads may go on with.  Pairs nest. */
void ohw_stack_share_thread(bool begins);
/* Something was found that must not be: never again in this process. */
void ohw_stack_give_up(const char *reason);

/* E1's awaiting coroutines are about to be suspended with `value`, and in 3.11 the host: tell those who listen. */
int ohw_report_awaiters(PyThreadState *ts, const ohw_exit *exit, py_frame *host, PyObject *value);

#if OHW_ARCH_KNOWN

/* ---- find.c: reads only ---- */

struct ohw_exit {
    ohw_place *place;           /* lower end of the slice */
    ohw_c_frame caller;         /* E1's; its cfa is the upper end */
    py_loops loops;
    py_frame *lowest;           /* frame in E1, next to its caller */
    py_frame *outermost;        /* of the frames above the host */
    py_frame *lowest_on_data_stack;     /* of those above the host */
    int contexts;               /* entered in the slice */
    int c_calls;                /* counted by its C functions, where CPython has one counter for all calls */
};

/* From `door` over C functions to the host; `walk` says OHW_CLEAR then, and `exit` is filled in; otherwise walk->reason
 * says what is in the way. */
void ohw_find_exit(PyThreadState *ts, py_frame *door, ohw_place *place, ohw_walk *walk, ohw_exit *exit);
/* The loop that runs `host`, the current frame. */
bool ohw_find_resumer(PyThreadState *ts, py_frame *host, ohw_place *place, ohw_exit *exit);
#if PY_CLEARS_FAILED_FRAMES
/* The loop that runs the outermost of the coroutines that await `host`, the current frame. */
bool ohw_find_outermost(PyThreadState *ts, py_frame *host, ohw_place *place, ohw_exit *exit);
#endif
/* The outermost of the coroutines that await `host` in its loop, or the host itself. */
py_frame *ohw_lowest(py_frame *host);
/* Whoever drives `host`, and the coroutines that await it, in the same loop, by a `for` statement; or NULL. */
py_frame *ohw_caller_in_loop(py_frame *host);
int ohw_find_init(void);

/* ---- suspend.c ---- */

/* Room for what is set aside, and the chunk pinned; what is to be set aside must not change from now on.  NULL with MemoryError or what greenlet raised. */
ohw_slice *ohw_slice_new(PyThreadState *ts, py_frame *door, const ohw_exit *exit, const ohw_walk *walk);
void ohw_slice_discard(ohw_slice *slice);       /* it was never filled */
/* Commit point.  The host awaits `chain` (stolen) at `landing` (borrowed), E1 returns `yielded` (stolen); later,
 * ohw_arch_save returns in the code that left exit->place. */
_Noreturn void ohw_set_aside(PyThreadState *ts, py_frame *door, const ohw_walk *walk, const ohw_exit *exit,
                             ohw_slice *slice, ohw_lifted *lifted, PyCodeObject *landing, PyObject *chain,
                             PyObject *yielded);
/* All coroutines in a loop, the host (which stands at `landing`) first, down to `lowest`: they have yielded. */
void ohw_park_coroutines(PyThreadState *ts, py_frame *host, const PyCodeObject *landing, const py_frame *lowest);
/* ---- resume.c ---- */

/* Called by a landing's C step, in E3: goes on in the slice.  Returns (-1, an exception set, nothing changed) only if
 * that is impossible: no memory, or see ohw_caller_in_loop. */
int ohw_bring_back(PyThreadState *ts, ohw_slice *slice, ohw_lifted *lifted);
/* Is that impossible?  NULL, or why (static text), and the kind of the refusal. */
const char *ohw_slice_objection(PyThreadState *ts, const ohw_slice *slice, const char **kind);

/* ---- decline.c ---- */

/* Called by a landing's C step, in E3, with an exception set: E3 returns with it, and the coroutines that it runs stay
 * suspended where they were.  `extra`: entry of the host's value stack, above those of ohw_waiting, that is dropped;
 * negative: none.  Returns if that is impossible (somebody's own evaluation function in a debug build of CPython); then
 * the exception is raised in the host. */
void ohw_decline(PyThreadState *ts, ohw_slice *slice, py_frame *host, int extra);
/* ohw_caller_in_loop's `for` statement drives `host` no longer: the host awaits `chain` (stolen) at the landing in whose
 * code it stands.  New reference: the coroutine, or generator, that the statement has. */
PyObject *ohw_leave_caller(PyThreadState *ts, py_frame *host, PyObject *chain);

/* ---- yield_refusal.c ---- */

/* The same where PY_CLEARS_FAILED_FRAMES.  New reference: what the landing must yield to that end.  NULL: the exception
 * is set again (no memory, or no way). */
PyObject *ohw_yield_refusal(PyThreadState *ts, py_frame *host);

/* ---- shelter.c ---- */

/* An exception is set with which `host`, into which throw() or close() has led, is about to decline: the coroutines
 * outside of it through which that has come will outlive it (where there is memory for that). */
void ohw_shelter_throwers(py_frame *host);
int ohw_shelter_init(void);

#endif

/* ---- slice.c ---- */

int ohw_visit_slice(const ohw_slice *slice, visitproc visit, void *arg);
/* Its host is gone without having been resumed: kept, as nobody can release what its C functions own. */
void ohw_slice_lose(ohw_slice *slice, ohw_lifted *lifted);
void ohw_stack_free_spares(void);

#endif
