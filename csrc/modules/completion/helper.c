/* The helper: one thread that brings to Python what threads without the GIL have completed.
 *
 * Why a thread, of the ways there are: a loop's file descriptor (add_reader) needs no GIL to be written to, but asyncio's
 * proactor loop has no add_reader, trio and curio want a task for it, and each loop would keep a descriptor of which
 * nobody knows when to close it.  Py_AddPendingCall runs in the main thread only, does not wake a loop that sleeps in
 * its selector, and fails when 32 calls are pending.  Taking the GIL in the completing thread makes it wait for whatever
 * Python does, and hangs or ends it when the interpreter has gone.  The helper uses nothing but what every loop
 * documents for other threads; it waits for the GIL instead, and finds in the queue all that was completed meanwhile:
 * the busier Python is, the more completions share one switch of the GIL and one wake-up of their loop.
 *
 * The queue is a list with an atomic head.  Completing pushes (no lock, so that a thread that is interrupted, or gone
 * after a fork, holds up nobody); the push that finds it empty wakes the helper, which takes the whole list, and turns
 * it round: first completed, first called. */
#include "completion.h"

static _Atomic(ohwait_completion *) queue = NULL;
static atomic_bool ended = false;           /* nothing is accepted any more */
static PyThread_type_lock bell = NULL;      /* free: there is something to do */
static atomic_bool rung = false;            /* the bell is free: whoever sets this frees it */
static PyThread_type_lock gone = NULL;      /* free: the helper has finished */
static bool running = false;                /* GIL */

bool ohw_helper_has_ended(void) { return atomic_load(&ended); }

/* Any thread. */
static void ring(void)
{
    if (!atomic_exchange(&rung, true)) {
        PyThread_release_lock(bell);
    }
}

void ohw_enqueue(ohwait_completion *cell)
{
    ohwait_completion *first = atomic_load(&queue);
    do {
        *ohw_cell_next(cell) = first;
    } while (!atomic_compare_exchange_weak(&queue, &first, cell));
    if (first == NULL) {
        ring();
    }
}

static ohwait_completion *take_queue(void)
{
    ohwait_completion *newest = atomic_exchange(&queue, NULL), *oldest = NULL, *before;
    for (; newest != NULL; newest = before) {
        before = *ohw_cell_next(newest);
        *ohw_cell_next(newest) = oldest;
        oldest = newest;
    }
    return oldest;
}

/* Needs the GIL. */
static void bring(ohwait_completion *cell)
{
    for (ohwait_completion *next; cell != NULL; cell = next) {
        next = *ohw_cell_next(cell);
        ohw_cell_arrive(cell);
    }
}

static void help(void *Py_UNUSED(none))
{
    /* Made once, and known to PyGILState_Ensure(), which the functions that make values may call. */
    PyGILState_STATE state = PyGILState_Ensure();
    PyThread_type_lock my_bell = bell;
    while (!atomic_load(&ended)) {
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(my_bell, WAIT_LOCK);
        atomic_store(&rung, false);
        Py_END_ALLOW_THREADS
        /* Taken with the GIL: whatever was completed while waiting for it is in the list, too. */
        bring(take_queue());
    }
    PyThread_type_lock my_gone = gone;
    PyGILState_Release(state);
    PyThread_release_lock(my_gone);
}

static PyThread_type_lock taken_lock(void)
{
    PyThread_type_lock lock = PyThread_allocate_lock();
    if (lock != NULL) {
        PyThread_acquire_lock(lock, NOWAIT_LOCK);
    }
    return lock;
}

int ohw_helper_start(void)
{
    if (running || atomic_load(&ended)) {
        return 0;
    }
    if (bell == NULL) {
        bell = taken_lock();
    }
    if (gone == NULL) {
        gone = taken_lock();
    }
    if (bell == NULL || gone == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (PyThread_start_new_thread(help, NULL) == PYTHREAD_INVALID_THREAD_ID) {
        PyErr_SetString(PyExc_RuntimeError, "no thread could be started, which has to wake those who wait for "
                                            "Completions that code outside Python completes");
        return -1;
    }
    running = true;
    if (atomic_load(&queue) != NULL) {
        ring();
    }
    return 0;
}

void ohw_helper_end(void)
{
    if (atomic_exchange(&ended, true) || !running) {
        return;
    }
    PyThread_type_lock my_gone = gone;
    ring();
    Py_BEGIN_ALLOW_THREADS
    PyThread_acquire_lock(my_gone, WAIT_LOCK);
    Py_END_ALLOW_THREADS
    running = false;
    bring(take_queue());
}

/* The locks are in whatever state they were, and the helper is not there.  What is in the queue it will find. */
int ohw_helper_after_fork(void)
{
    if (!running) {
        return 0;
    }
    running = false;
    bell = gone = NULL;
    atomic_store(&rung, false);
    return ohw_helper_start();
}
