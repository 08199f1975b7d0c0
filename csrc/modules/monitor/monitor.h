/* Coroutines that talk with whoever awaits them, past everything in between: Monitor and GeneratorObject.
 *
 * A coroutine is driven by a *wait* (Monitor.aawait) or a *step* (asend of a generator's iterator).  Somewhere inside
 * it a *message* is awaited (Monitor.oob, GeneratorObject.ayield): it yields itself, and like everything that is
 * yielded it comes out at the driver, which knows it by its channel and keeps it from the event loop.
 *
 * A message that is awaited in another asyncio task comes out there.  To that task it is a future: it waits in the
 * iterator's queue (remote.c), while the task that iterates waits for a *parked* future, which a message can wake.
 */
#ifndef OHWAIT_MONITOR_H
#define OHWAIT_MONITOR_H

#include "cpython/contract.h"

#include <structmember.h>

typedef struct channel channel;
typedef struct message message;
typedef struct iterator iterator;
typedef struct parked parked;

/* Monitor and GeneratorObject: both are this. */
struct channel {
    PyObject_HEAD
    PyObject *active;       /* Borrowed: the wait that goes on, or the iterator that was started last; may be NULL */
    int driving;            /* how often its coroutine is being driven now, in C frames of this thread */
    PyObject *weakrefs;
};

typedef enum { MESSAGE_NEW, MESSAGE_SENT, MESSAGE_DONE } message_state;

/* One oob() or ayield(): a coroutine to those who await it, a future to a task that is not the driver. */
struct message {
    PyObject_HEAD
    channel *channel;       /* Owned */
    PyObject *data;         /* Owned; NULL once delivered */
    message_state state;
    bool blocking;          /* the future protocol's flag */
    /* Of a message in another task: */
    iterator *receiver;     /* Borrowed, while it is in its queue or is its yielder; else NULL */
    PyObject *callback;     /* Owned: wakes the task; NULL for a message that is not in another task */
    PyObject *context;      /* Owned: for the callback; may be NULL */
    PyObject *loop;         /* Owned: that task's */
    unsigned long thread;   /* that loop's, once the loop is known */
    PyObject *outcome;      /* Owned: the reply, or the exception to raise; NULL so far */
    bool failed;
};

/* An async generator made of a coroutine. */
struct iterator {
    PyObject_HEAD
    channel *generator;     /* Owned */
    PyObject *coroutine;    /* Owned */
    PyObject *finalizer;    /* Owned: sys.get_asyncgen_hooks().finalizer at the first step; may be NULL */
    PyObject *waits_for;    /* Owned: the future that the coroutine awaits; NULL if it can go on or none is known */
    parked *parked;         /* Owned: what the iterating task awaits instead of it; may be NULL */
    PyObject *queue;        /* Owned: list of messages from other tasks, oldest first; NULL until there is one */
    message *yielder;       /* Owned: whose data was delivered last; NULL if it was the coroutine's own */
    bool hooked, begun, running, closed, finished;
    bool executing;         /* the coroutine runs now */
    bool own_turn;          /* the coroutine itself yielded last, or has not begun: an answer is for it */
    bool owed;              /* the event loop has resumed the coroutine, which was not told yet */
    unsigned long thread;   /* where the coroutine ran last */
    PyObject *weakrefs;
};

/* Stands for a future, so that the task that awaits it can also be woken by a message. */
struct parked {
    PyObject_HEAD
    PyObject *future;       /* Owned */
    PyObject *callback;     /* Owned: wakes the task; NULL before it awaits and after it was woken */
    PyObject *context;      /* Owned; may be NULL */
    bool blocking;
    bool interrupted;       /* woken by a message: the future may be pending */
};

extern PyTypeObject mon_channel_type, mon_generator_type, mon_message_type, mon_wait_type, mon_iterator_type, mon_step_type,
    mon_parked_type, mon_oob_data_type;

static inline bool mon_is_generator(channel *channel) { return PyObject_TypeCheck(channel, &mon_generator_type); }

typedef struct {
    PyObject *throw, *close, *done, *result, *cancel, *get_loop, *call_soon, *call_soon_threadsafe, *add_done_callback,
        *remove_done_callback, *blocking, *msg, *cr_frame, *cr_await, *cr_code;
} mon_name_table;
extern mon_name_table mon_names;
extern PyObject *mon_kw_context, *mon_kw_msg;       /* ("context",) and ("msg",) */

/* ---- common.c --------------------------------------------------------------------------------------------------- */

int mon_names_init(void);
/* What makes errors: refusal(kind, data) -> exception.  Borrowed. */
void mon_set_refusal(PyObject *callable);
/* Raise refusal(kind, data); data may be NULL. */
void mon_refuse(const char *kind, PyObject *data);
/* send() or throw() to the channel's coroutine, `driving` meanwhile.  *result is new, or NULL with an exception set. */
PySendResult mon_send(channel *channel, PyObject *coroutine, PyObject *value, PyObject **result);
PySendResult mon_throw(channel *channel, PyObject *coroutine, PyObject *exception, PyObject **result);
/* Set the exception of throw(type[, value[, traceback]]).  -1: it was none, another is set. */
int mon_raise_args(PyObject *const *args, Py_ssize_t count);
/* The same as an object, for mon_throw.  New reference. */
PyObject *mon_exception_of(PyObject *const *args, Py_ssize_t count);
/* As a method's result: the value, or StopIteration with it.  *result is stolen. */
PyObject *mon_method_result(PySendResult status, PyObject *result);
/* Replace the exception that is set by RuntimeError(text), of which it is the cause. */
void mon_chain_runtime_error(const char *text);
/* asyncio's, with the text unless that is None.  New reference. */
PyObject *mon_cancelled_error(PyObject *text);
/* 0 if it can be driven as a coroutine; else TypeError is set, naming `function`. */
int mon_check_coroutine(PyObject *object, const char *function);

/* ---- message.c -------------------------------------------------------------------------------------------------- */

PyObject *mon_message_new(channel *channel, PyObject *data);
/* Whether what a coroutine has yielded is a message to this channel. */
static inline bool mon_is_for(PyObject *yielded, channel *channel)
{
    return Py_IS_TYPE(yielded, &mon_message_type) && ((message *)yielded)->channel == channel;
}
/* What the message carries; it is delivered by that.  New reference. */
PyObject *mon_take_data(message *message);

/* ---- remote.c --------------------------------------------------------------------------------------------------- */

/* Give a message from another task to the iterator, and wake whoever iterates.  -1: an exception is set. */
int mon_enqueue(iterator *iterator, message *message);
/* The oldest message in the queue.  New reference; NULL without an exception: none. */
message *mon_next(iterator *iterator);
/* Its task goes on, with the outcome (stolen), or raising it. */
int mon_complete(message *message, PyObject *outcome, bool failed);
/* It is not waiting for an answer any more. */
void mon_withdraw(message *message);
/* The generator ends: messages from other tasks raise CancelledError.  Keeps the exception that is set. */
void mon_cancel_all(iterator *iterator);

/* ---- parked.c --------------------------------------------------------------------------------------------------- */

/* 1: an object that asyncio's tasks take for a future, and may wait for now.  0: something else.  -1: exception. */
int mon_is_future(PyObject *object);
int mon_is_done(PyObject *future);
parked *mon_park(PyObject *future);
/* Have its task go on although the future is pending.  -1: an exception is set. */
int mon_interrupt(parked *parked);
/* loop.method(callback, argument, context=context), method call_soon or its relative.  -1: an exception is set. */
int mon_call_soon(PyObject *method, PyObject *loop, PyObject *callback, PyObject *argument, PyObject *context);

/* ---- step.c, wait.c, iterator.c --------------------------------------------------------------------------------- */

typedef enum { STEP_SEND, STEP_THROW, STEP_CLOSE } step_kind;
/* `value` is what to send, or the exception to throw, or NULL. */
PyObject *mon_step_new(iterator *iterator, step_kind kind, PyObject *value);
PyObject *mon_wait_new(channel *channel, PyObject *coroutine, PyObject *value, bool throws);
PyObject *mon_iterator_new(channel *generator, PyObject *coroutine);

#endif
