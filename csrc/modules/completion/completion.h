/* ohwait._completion: its objects, who owns what, and what each file offers.  All functions need the GIL, except those
 * of native.c and helper.c that say otherwise.
 *
 *   module.c      names, configuration, the capsule
 *   completion.c  Completion: settled once; its list of waiters
 *   waiter.c      Waiter: one wait, an iterator that is also what an asyncio Task takes for a Future
 *   mailbox.c     Mailbox: a loop's waiters that are to be called, in one wake-up of the loop
 *   native.c      handles: the part of a Completion that threads without the GIL use
 *   helper.c      the thread that brings what they complete to Python
 *   run.c         calling callbacks; which loop runs
 */
#ifndef OHWAIT_COMPLETION_H
#define OHWAIT_COMPLETION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pythread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OHWAIT_NO_WRAPPERS
#include "ohwait.h"

typedef enum { PENDING, RESULT, EXCEPTION, CANCELLED } ohw_outcome;

typedef struct ohw_waiter ohw_waiter;
typedef struct ohw_mailbox ohw_mailbox;

typedef struct {
    PyObject_HEAD
    ohw_outcome state;
    bool kept;                      /* It owns a reference to itself: awaited, and a handle will complete it */
    PyObject *value;                /* Owned: result, exception, or the message of cancel(); NULL while pending */
    PyObject *traceback;            /* Owned or NULL: the exception's when it was set */
    ohw_waiter *first, *last;       /* Owned, in order of arrival */
    ohwait_completion *cell;        /* Owned or NULL: what its handles point to */
    PyObject *weakrefs;
} ohw_completion;

/* Where a waiter is; it is owned by the list that it is in. */
typedef enum { NOWHERE, WAITING, POSTED } ohw_place;

struct ohw_waiter {
    PyObject_HEAD
    ohw_completion *completion;     /* Owned; of a callback: NULL until the Completion is settled */
    ohw_mailbox *mailbox;           /* Owned or NULL: the loop to be called in; NULL: called by who completes */
    PyObject *callback;             /* Owned or NULL */
    PyObject *context;              /* Owned or NULL: to call it in */
    PyObject *parked;               /* Owned or NULL: the coroutine that waits by means of trio's or curio's */
    PyObject *message;              /* Owned or NULL: of cancel() */
    ohw_waiter *previous, *next;    /* in the list that owns it; previous is for WAITING only */
    ohw_place place;
    bool is_callback;               /* made by add_done_callback(): called with the Completion, not with itself */
    bool blocking;                  /* _asyncio_future_blocking: yielded, and no Task has taken notice */
    bool cancelled;
};

struct ohw_mailbox {
    PyObject_HEAD
    PyObject *loop;                 /* Owned: an asyncio loop or a trio token */
    PyObject *method;               /* Borrowed: name of its method that schedules a call from any thread */
    ohw_waiter *first, *last;       /* Owned: to be called, in this order */
    unsigned long thread;           /* where it was last seen running */
    bool scheduled;                 /* the loop will call this object */
    bool dead;                      /* a loop of the process that this one was forked from */
    ohw_mailbox *next;              /* Borrowed: the list of all mailboxes */
};

/* What the Python side gives: see configure() in _completion.pyi.  Owned for ever. */
typedef struct {
    PyObject *get_running_loop, *park, *token;
    PyObject *cancelled, *task_cancelled, *state_error, *loop_error, *abandoned;
} ohw_python;
extern ohw_python ohw_py;

extern PyTypeObject ohw_completion_type, ohw_waiter_type, ohw_mailbox_type;

/* ---- completion.c ---- */

/* Settle it and wake whoever waits; the value is stolen.  Not for one that is settled.  -1 with an exception when some
 * loop could not be reached, or a callback raised KeyboardInterrupt or SystemExit: it is settled all the same. */
int ohw_settle(ohw_completion *self, ohw_outcome state, PyObject *value);
/* Whether it is settled, after taking in what a thread without the GIL has completed. */
bool ohw_is_done(ohw_completion *self);
/* Its result as a new reference, or NULL with its exception; for one that is settled. */
PyObject *ohw_outcome_of(ohw_completion *self);
/* Who waits, or who has handles, has changed: the Completion keeps itself alive, or does so no longer. */
void ohw_update_kept(ohw_completion *self);
/* Put a waiter at the end of the list, or take it out (which may delete both). */
void ohw_link(ohw_completion *self, ohw_waiter *waiter);
void ohw_unlink(ohw_completion *self, ohw_waiter *waiter);
/* `object`, an exception or a class of one, as an exception that can be raised into a coroutine; new reference, or NULL
 * with TypeError. */
PyObject *ohw_exception_from(PyObject *object);

/* ---- waiter.c ---- */

ohw_waiter *ohw_waiter_new(ohw_completion *completion);     /* completion: a new reference is taken; NULL: none.  Not tracked */
void ohw_waiter_free_spares(void);

/* ---- mailbox.c ---- */

/* The mailbox of an asyncio loop or a trio token that runs in this thread; new reference. */
ohw_mailbox *ohw_mailbox_of(PyObject *loop, bool trio);
/* Have the loop call the waiter, soon; from any thread.  -1 with the loop's error, the waiter forgotten. */
int ohw_post(ohw_mailbox *self, ohw_waiter *waiter);
void ohw_mailboxes_after_fork(void);
int ohw_mailbox_init(void);

/* ---- run.c ---- */

/* The asyncio loop that runs in this thread: new reference, or NULL without an exception. */
PyObject *ohw_running_loop(void);
/* trio is imported, so that a trio task may be running, perhaps above an asyncio loop. */
bool ohw_trio_is_loaded(void);
/* Call a settled (or cancelled) waiter's callback: through its loop, or at once where it has none. -1 as ohw_settle. */
int ohw_deliver(ohw_waiter *waiter);
/* Call it now, in its context.  An exception is reported, except KeyboardInterrupt and SystemExit: -1 then. */
int ohw_run(ohw_waiter *waiter);
/* The exception raised now, taken away: new reference. */
PyObject *ohw_take_exception(void);
int ohw_run_init(void);

/* ---- native.c ---- */

extern const ohwait_api ohw_api;
/* Python settles it: false if a thread was first. */
bool ohw_cell_close(ohwait_completion *cell, bool cancel);
bool ohw_cell_is_ready(ohwait_completion *cell);    /* a thread has completed it, and nobody taken that in */
bool ohw_cell_has_handles(ohwait_completion *cell);
int ohw_cell_take(ohwait_completion *cell);         /* take it in; -1 as ohw_settle */
void ohw_cell_tell(ohwait_completion *cell, ohwait_status how);     /* the watcher, once */
void ohw_cell_part(ohwait_completion *cell);        /* the object goes: its share of the cell ends */
/* Called by the helper for what was queued: take it in, and give the queue's share back. */
void ohw_cell_arrive(ohwait_completion *cell);
ohwait_completion **ohw_cell_next(ohwait_completion *cell);

/* ---- helper.c ---- */

int ohw_helper_start(void);                     /* -1 with an exception */
bool ohw_helper_has_ended(void);                /* any thread */
void ohw_enqueue(ohwait_completion *cell);      /* any thread */
void ohw_helper_end(void);                      /* at exit */
int ohw_helper_after_fork(void);

#endif
