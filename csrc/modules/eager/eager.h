/* Starting a coroutine before there is a task for it: what the files of ohwait._eager share.
 *
 * corostart.c     CoroStart: a coroutine run up to its first suspension
 * continuation.c  Continuation: the rest of it, as an iterator and as a coroutine for a Task
 * run.c           one step of a coroutine in a context; outcomes
 * current.c       who asyncio's current task is during a start
 * start.c         eager(): start, and make a Task only if it suspends
 * module.c        the module
 */
#ifndef OHWAIT_EAGER_H
#define OHWAIT_EAGER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* ---- module.c: what Python code handed over at import. Owned for ever; the module lives as long as the process. ---- */

typedef struct {
    PyObject *running_loop;     /* asyncio._get_running_loop */
    PyObject *swap;             /* asyncio's _swap_current_task, or NULL */
    PyObject *current;          /* the dict {loop: current task} where there is no _swap_current_task, or NULL */
    PyObject *eager_task;       /* asyncio.Task if it takes eager_start, or NULL */
    PyObject *stand_in;         /* the subclass of StandIn that is asyncio's current task during a start */
    PyObject *cancelled;        /* asyncio.CancelledError */
    PyObject *invalid_state;    /* asyncio.InvalidStateError */
    PyObject *plain_loop;       /* plain_loop(type) -> bool: its create_task() does nothing but make a Task */
    PyObject *owner;            /* owner() -> the trio task that runs now, or None */
    PyObject *withdraw;         /* withdraw(yielded): take back what a trio primitive asked for */
    PyObject *foreign;          /* foreign(owner): the error for continuing a coroutine in another trio task */
    PyObject *elsewhere;        /* elsewhere(coroutine, context, task_factory): eager() where asyncio does not run */
    PyObject *is_coroutine;     /* is_coroutine(object) -> bool, for what is no native coroutine */
    PyObject *decorate;         /* decorate(function, task_factory): an async function whose calls start eagerly */
} eager_hooks;

extern eager_hooks hooks;

typedef struct {
    PyObject *send, *throw, *close, *cancel, *done, *trio, *create_future, *set_result, *set_exception, *create_task,
        *get_task_factory, *blocking, *made;
    PyObject *context_kws;      /* ("context",) */
    PyObject *eager_kws;        /* ("loop", "context", "eager_start") */
} eager_names;

extern eager_names names;

/* ---- run.c ---- */

/* One step of the coroutine in the context (NULL: the current one). *result is owned by the caller, NULL on error. */
PySendResult eager_send(PyObject *coroutine, PyObject *context, PyObject *value, PyObject **result);

/* Calls coroutine.name(*args) in the context. New reference, or NULL with an exception set. */
PyObject *eager_call_method(PyObject *coroutine, PyObject *context, PyObject *name, PyObject *const *args,
                            Py_ssize_t count);

/* The exception that is set, normalised, with its traceback; cleared. New reference. */
PyObject *eager_take_exception(void);

/* Raises an exception object as `raise` does. Steals nothing. */
void eager_raise(PyObject *exception);

/* After a method returned NULL: the value if that was StopIteration (new reference, exception cleared), else NULL. */
PyObject *eager_stop_value(void);

/* The trio task that runs now, or NULL where trio does not run. New reference; -1 on error. */
int eager_owner(PyObject **owner);

/* ---- corostart.c ---- */

enum { START_NEW, START_RUNNING, START_PENDING, START_DONE };

typedef struct {
    PyObject_HEAD
    PyObject *coroutine;    /* Owned */
    PyObject *context;      /* Owned, or NULL: whatever is current */
    PyObject *held;         /* Owned. PENDING: what was yielded. DONE: the result or the exception. */
    PyObject *owner;        /* Owned. The trio task in which it suspended, NULL under other loops */
    PyObject *weakrefs;
    char state;
    char failed;            /* DONE: `held` is an exception */
    char spent;             /* awaited, closed: the rest has been handed out */
} eager_start;

extern PyTypeObject *eager_start_type;

/* Runs a NEW one up to its first suspension: 1 done, 0 pending, -1 error (and still NEW). */
int eager_start_run(eager_start *start, PyObject *context);

/* A suspended one without running anything. Steals `yielded`. */
eager_start *eager_start_suspended(PyObject *coroutine, PyObject *context, PyObject *yielded);

/* Takes back what a trio primitive asked for before something else than its answer reaches the coroutine: 0, -1. */
int eager_start_withdraw(eager_start *start);

/* -1 with RuntimeError if it was awaited or closed already, or runs now; otherwise 0. */
int eager_start_require_rest(eager_start *start);

/* ---- continuation.c ---- */

typedef struct {
    PyObject_HEAD
    eager_start *start;     /* Owned; NULL after the first step */
    PyObject *coroutine;    /* Owned */
    PyObject *context;      /* Owned, or NULL: whatever is current */
    PyObject *weakrefs;
    char for_task;          /* a Task scheduled the first step: a bare yield has been waited for then */
} eager_continuation;

extern PyTypeObject *eager_continuation_type;

/* `context` replaces that of the start, unless NULL. */
eager_continuation *eager_continuation_new(eager_start *start, PyObject *context);

/* ---- current.c ---- */

typedef struct {
    PyObject_HEAD
    PyObject *task;         /* Owned; the Task, or the Future, once there is one */
    PyObject *coroutine;    /* Owned */
    PyObject *context;      /* Owned */
    PyObject *loop;         /* Owned */
    PyObject *asked;        /* Owned, or NULL: what was asked of it before there was a task */
    PyObject *weakrefs;
} eager_stand_in;

extern PyTypeObject *eager_stand_in_type;

/* A stand-in as asyncio's current task. New reference. */
eager_stand_in *eager_enter(PyObject *loop, PyObject *coroutine, PyObject *context, PyObject **previous);
/* Gives the place back to `previous` (stolen). To be called with no exception set. 0, or -1. */
int eager_leave(PyObject *loop, PyObject *previous);
/* Tells the stand-in what it stood for (a Task or a Future), and drops it (stolen). 0, or -1 */
int eager_settle(eager_stand_in *stand_in, PyObject *task);
/* Drops it (stolen) without a task. */
void eager_dismiss(eager_stand_in *stand_in);

/* ---- start.c ---- */

PyObject *eager_coro_eager(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords);
PyObject *eager_eager(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords);

/* ---- types, made by module.c ---- */

extern PyType_Spec eager_start_spec, eager_continuation_spec, eager_stand_in_spec;

#endif
