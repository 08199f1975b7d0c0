/* The Chain: what a host awaits while its plain frames are away. */
#ifndef OHWAIT_CHAIN_H
#define OHWAIT_CHAIN_H

#include "frames/frames.h"
#include "stack/stack.h"

typedef struct {
    PyObject_VAR_HEAD           /* ob_size: capacity of words */
    PyObject *source;           /* Owned: iterator of the awaitable; NULL once it has finished */
    PyObject *yielded;          /* Owned: value to pass on at the landing; NULL otherwise */
    PyObject *outcome;          /* Owned: result or exception, once finished (or see goes_on); NULL otherwise */
    bool failed : 1;            /* outcome is an exception */
    bool thrown : 1;            /* it was thrown into the host: it gets its context where it is raised */
    bool running : 1;           /* its source is being driven */
    bool tight : 1;             /* its host waits at a tight landing, where throw() and close() arrive unannounced */
    bool prepared : 1;          /* its host's landing is: SEND finishes with the frames' room reserved, nothing else does */
    bool handled : 1;           /* an exception has come to the landing's handler */
    bool stranded : 1;          /* there was no memory for its frames' return; they are dropped */
    bool kept : 1;              /* the outcome could not be delivered (no memory): the host waits on with it */
    bool announced : 1;         /* profilers and tracers know that the frames have been resumed */
    bool goes_on : 1;           /* outcome is what is to be sent to the source when the frames are back */
    bool stepwise : 1;          /* the source is driven while they stay away: it has yielded more than once, or see slice */
    ohw_slice *slice;           /* Owned: what C functions need that its frames wait in; NULL: there are none */
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

/* With room for `words`.  New reference, not yet tracked by the collector.  NULL with MemoryError.  May run the garbage
 * collector. */
ohw_chain *ohw_chain_new(size_t words);
void ohw_chain_free_spares(void);

/* ---- drive.c: Python code may run in all of these ---- */

/* Ends the driving: `outcome` (stolen) is what the innermost frame will get; `thrown`: by throw(). */
void ohw_chain_finish(ohw_chain *chain, PyObject *outcome, bool failed, bool thrown);
/* One step: PYGEN_NEXT with what it yields, or PYGEN_RETURN (nothing in *result) when there is an outcome. */
PySendResult ohw_chain_advance(ohw_chain *chain, PyObject *value, PyObject **result);
/* New reference to what the source yields in answer to throw(*args); NULL, with no error, when there is an outcome. */
PyObject *ohw_chain_throw_on(ohw_chain *chain, PyObject *const *args, Py_ssize_t count);
/* As gen_close_iter (Objects/genobject.c).  New reference to whatever close() returned, or NULL. */
PyObject *ohw_close_source(PyObject *source);
/* It can be resumed on another thread or in another greenlet only. */
bool ohw_chain_is_elsewhere(PyThreadState *ts, const ohw_chain *chain);
/* The same, with the exception that says so. */
bool ohw_chain_refuses(PyThreadState *ts, const ohw_chain *chain);
/* At its landing, with an exception set: the host waits on, and whoever drives it gets the exception, which passes
 * through those that are throwing into it.  As ohw_decline. */
void ohw_chain_decline(PyThreadState *ts, ohw_chain *chain, int extra);
/* As ohw_yield_refusal, which serves instead where PY_CLEARS_FAILED_FRAMES. */
PyObject *ohw_chain_yield_refusal(PyThreadState *ts, ohw_chain *chain);
/* The host leaves its landing without a return from ~: references on its stack there are given up, beside that which ~
 * has.  It has not left it after all. */
static inline void ohw_forget_landing_stack(ohw_chain *chain)
{
    for (int i = 0; i < PY_CHAINS_COPIED_AT_END; i++) {
        Py_DECREF(chain);       /* never the last one */
    }
}

static inline void ohw_remember_landing_stack(ohw_chain *chain)
{
    for (int i = 0; i < PY_CHAINS_COPIED_AT_END; i++) {
        Py_INCREF(chain);
    }
}

/* Slots and methods of the type. */
PySendResult ohw_chain_am_send(PyObject *self, PyObject *value, PyObject **result);
PyObject *ohw_chain_iternext(PyObject *self);
PyObject *ohw_chain_send(PyObject *self, PyObject *value);
PyObject *ohw_chain_throw(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *ohw_chain_close(PyObject *self, PyObject *none);

/* ---- suspend.c: Python code may run in all of these ---- */

/* Send `value` to `source` (stolen) for `hidden`, the frame of `ohwait`, from which `walk` has been made, or of `_resume`
 * (`walk` is NULL then: the source has yielded before).
 * New reference: the result, or the Chain with which `hidden` returns into the host's landing, if `source` has yielded.
 * NULL with the exception, and then no frame has been touched. */
PyObject *ohw_run(PyThreadState *ts, py_frame *hidden, ohw_walk *walk, PyObject *source, PyObject *value);
/* The frames from walk->top down are about to be suspended with `value` (and over C functions, if `exit` is not NULL):
 * tell those who listen.  -1 with a callback's exception. */
int ohw_tell_suspended(PyThreadState *ts, ohw_walk *walk, const ohw_exit *exit, PyObject *value);
/* Call close(), where there is one, keeping the exception that is set. */
void ohw_close_quietly(PyObject *object);

/* ---- at_landing.c ---- */

PyObject *ohw_landing_finished(PyObject *self);                         /* nb_invert */
PyObject *ohw_landing_thrown(PyObject *self, PyObject *exception);      /* nb_remainder */
PyObject *ohw_landing_yielded(PyObject *self);                          /* nb_negative */
PyObject *ohw_landing_sent(PyObject *self, PyObject *value);            /* mp_subscript */
int ohw_landing_waits(PyObject *self);                                  /* nb_bool */
/* At the landing, where the host goes on next: reserve what the frames' return needs.  -1 with an exception: they are
 * stranded then.  Python code may run. */
int ohw_chain_come_back(PyThreadState *ts, ohw_chain *chain);
/* The frames are back, the innermost one gets the outcome.  `chain` is stolen.  New reference, or NULL with the
 * exception. */
PyObject *ohw_chain_deliver(ohw_chain *chain);
/* The hidden function `_resume`: its hook's work.  As ohw_run. */
PyObject *ohw_chain_resume(PyThreadState *ts, py_frame *resume);

/* ---- link.c: a suspended chain as debuggers walk it ---- */

extern PyTypeObject ohw_link_type;
/* Frame object of the plain frame with `number` others below it, or None; what it awaits.  New references or NULL. */
PyObject *ohw_link_frame(ohw_chain *chain, int number);
PyObject *ohw_link_awaits(ohw_chain *chain, int number);

#endif
