/* `ohwait(awaitable)`: check and start. */
#include "door.h"
#include "refusal.h"

static PyObject *guard;         /* Owned */

void ohw_door_set_guard(PyObject *callable) { Py_XSETREF(guard, callable); }

const char *ohw_obstacle_name(ohw_obstacle obstacle)
{
    return obstacle == OHW_C_FUNCTION ? "c-function" : "no-coroutine";
}

/* Raise the error that explains why no suspension is possible. */
static void refuse(PyThreadState *ts, const ohw_walk *walk)
{
    PyFrameObject *frame = walk->c_caller == NULL ? NULL : py_frame_object(ts, walk->c_caller);
    ohw_refusal_raise(ohw_obstacle_name(walk->obstacle), (PyObject *)frame, walk->reason);
}

/* An awaitable that was refused will be awaited by nobody: it must not complain of that.  Keeps the exception set. */
static void discard(PyObject *awaitable)
{
    PyObject *error = py_take_raised();
    bool is_coroutine = PyCoro_CheckExact(awaitable);
    if (is_coroutine ? py_is_new(awaitable) : PyObject_HasAttr(awaitable, ohw_names.send) &&
                                                  PyObject_HasAttr(awaitable, ohw_names.throw)) {
        ohw_close_quietly(awaitable);
    }
    if (error != NULL) {
        py_raise(error);
    }
}

static bool is_awaitable(PyObject *object)
{
    PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
    return PyCoro_CheckExact(object) || PyGen_CheckExact(object) || (methods != NULL && methods->am_await != NULL);
}

/* 0: nothing forbids to start it.  -1: an exception is set, and the awaitable closed. */
static int may_start(PyThreadState *ts, PyObject *awaitable, const ohw_walk *walk)
{
    if (walk->obstacle == OHW_CLEAR) {
        PyObject *allowed = guard == NULL ? Py_NewRef(Py_None) : PyObject_CallNoArgs(guard);
        if (allowed != NULL) {
            Py_DECREF(allowed);
            return 0;
        }
    }
    else {
        refuse(ts, walk);
    }
    discard(awaitable);
    return -1;
}

/* As GET_AWAITABLE: the iterator to drive.  The awaitable itself is stolen. */
static PyObject *iterator_of(PyObject *awaitable)
{
    PyObject *iterator = PyCoro_CheckExact(awaitable) ? Py_NewRef(awaitable) : py_awaitable_iterator(awaitable);
    Py_DECREF(awaitable);
    if (iterator != NULL && PyCoro_CheckExact(iterator) && !py_is_new(iterator)) {
        PyObject *awaited = PyObject_GetAttr(iterator, ohw_names.cr_await);
        if (awaited != Py_None) {
            if (awaited != NULL) {
                PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
            }
            Py_CLEAR(iterator);
        }
        Py_XDECREF(awaited);
    }
    return iterator;
}

/* How `ohwait` is called and what comes of it. */
typedef struct {
    PyThreadState *ts;
    py_frame *door;
    PyObject *awaitable;        /* Owned until it is started */
    ohw_walk walk;
    ohw_chain *chain;           /* Owned: set once the stack path has suspended */
} call;

#if OHW_ARCH_KNOWN
/* As ohw_run, but the C stack from exit->place on goes away too when the source yields: does not return then, except
 * with an error. */
static PyObject *run_over_c(call *now, const ohw_exit *exit, PyObject *source)
{
    PyThreadState *ts = now->ts;
    PyObject *yielded = NULL;
    if (PyIter_Send(source, Py_None, &yielded) != PYGEN_NEXT) {
        Py_DECREF(source);
        return yielded;
    }
    ohw_chain *chain = NULL;
    if (ohw_tell_suspended(ts, &now->walk, exit, yielded) == 0 && (chain = ohw_chain_new(0)) != NULL) {
        PyObject_GC_Track(chain);
        PyCodeObject *landing = ohw_landing_for(now->walk.host, true);
        now->chain = chain;
        ohw_slice *slice = landing == NULL ? NULL : ohw_slice_new(ts, now->door, exit, &now->walk);
        if (slice != NULL) {
            chain->source = source;
            chain->tight = !ohw_waiting_at(landing).delegates;
            chain->stepwise = true;
            chain->slice = slice;
            ohw_forget_attached(now->walk.host);
            ohw_set_aside(ts, now->door, &now->walk, exit, slice, &chain->lifted, landing, (PyObject *)chain, yielded);
        }
        now->chain = NULL;
    }
    Py_XDECREF(chain);
    Py_DECREF(yielded);
    ohw_close_quietly(source);
    Py_DECREF(source);
    return NULL;
}
#endif

/* `exit`: how to suspend over C functions; NULL if there are none in the way, or no way. */
static PyObject *await_in(call *now, const ohw_exit *exit)
{
    PyThreadState *ts = now->ts;
    ohw_walk *walk = &now->walk;
    if (walk->top != NULL) {
        py_set_current(ts, walk->top);      /* nobody sees the door while Python code runs below */
    }
    if (!is_awaitable(now->awaitable)) {
        PyObject *none = py_awaitable_iterator(now->awaitable);
        Py_XDECREF(none);
        Py_DECREF(now->awaitable);
        return NULL;
    }
    if (may_start(ts, now->awaitable, walk) < 0) {
        Py_DECREF(now->awaitable);
        return NULL;
    }
    PyObject *source = iterator_of(now->awaitable);
    if (source == NULL) {
        return NULL;
    }
#if OHW_ARCH_KNOWN
    if (exit != NULL) {
        return run_over_c(now, exit, source);
    }
#endif
    return ohw_run(ts, now->door, walk, source, Py_None);
}

#if OHW_ARCH_KNOWN
static void *await_over_c(ohw_place *place, void *argument)
{
    call *now = argument;
    ohw_exit exit;
    ohw_find_exit(now->ts, now->door, place, &now->walk, &exit);
    if (now->walk.obstacle != OHW_CLEAR) {
        return await_in(now, NULL);
    }
    py_frame *host = now->walk.host;
    ohw_note_attached(host);    /* what runs until the suspension must not suspend the host itself: `exit` would be stale */
    PyObject *result = await_in(now, &exit);
    ohw_forget_attached(host);
    return result;
}
#endif

static PyObject *await_from(PyThreadState *ts, py_frame *door, PyObject *awaitable)
{
    call now;               /* not cleared as a whole: the walk is large */
    now.ts = ts;
    now.door = door;
    now.awaitable = awaitable;
    now.chain = NULL;
    ohw_walk_to_host(py_caller(door), door, &now.walk);
#if OHW_ARCH_KNOWN
    if (now.walk.obstacle == OHW_C_FUNCTION) {
        PyObject *result = ohw_arch_save(await_over_c, &now);
        return now.chain == NULL ? result : ohw_chain_deliver(now.chain);
    }
#endif
    return await_in(&now, NULL);
}

PyObject *ohw_door_open(PyThreadState *ts, py_frame *door)
{
    PyObject *awaitable = py_take_argument(door);
    if (awaitable == NULL) {
        PyErr_SetString(PyExc_TypeError, "ohwait() missing 1 required positional argument: 'awaitable'");
        return NULL;
    }
    PyObject *result = await_from(ts, door, awaitable);
    py_set_current(ts, door);
    ohw_swallow_return(ts);
    return result;
}

#if OHW_ARCH_KNOWN
static void *look_over_c(ohw_place *place, void *argument)
{
    call *now = argument;
    ohw_exit exit;
    ohw_find_exit(now->ts, now->door, place, &now->walk, &exit);
    return NULL;
}
#endif

ohw_walk ohw_door_look(PyThreadState *ts)
{
    call now = {.ts = ts, .door = py_current(ts)};
    ohw_walk_to_host(now.door, NULL, &now.walk);
#if OHW_ARCH_KNOWN
    if (now.walk.obstacle == OHW_C_FUNCTION) {
        (void)ohw_arch_save(look_over_c, &now);
    }
#endif
    return now.walk;
}
