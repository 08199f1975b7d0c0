/* Completions for C, C++, Rust and others: an awaitable that a thread completes which does not hold the GIL.
 *
 * Compile with -I from `ohwait.get_include()`; nothing is linked.  Call ohwait_import() once, when your module is
 * initialised (in each file that includes this header: it keeps what it found in a static variable).
 *
 *     static PyObject *start(PyObject *self, PyObject *args)
 *     {
 *         PyObject *completion;
 *         ohwait_completion *handle = ohwait_create(&completion);
 *         if (handle == NULL) return NULL;
 *         give_to_my_threads(handle);                          // a thread: ohwait_set_int64(handle, 42);
 *         return completion;                                   //           ohwait_release(handle);
 *     }
 *
 * HANDLES.  A handle is a thread's share in a Completion.  It is made with the GIL and used without; any number of
 * threads may use one at once.  ohwait_create, ohwait_handle and ohwait_retain each give one share, and each share is
 * given back by exactly one ohwait_release; no other function takes it.  A handle is a promise: when the last share of
 * a Completion is given back before anybody has completed it, it fails with ohwait.completion.CompletionAbandoned.
 *
 * THREADS.  Functions marked "any thread" never take the GIL, never wait for it and never run Python code; they may
 * be called with it, too.  Functions marked "GIL" need it.  None may be called from a signal handler.  What a thread
 * completes is made into a Python object, and its waiters are woken, by a helper thread of ohwait's (or by a
 * Python thread that happens to look at the Completion first).
 *
 * LIFE.  A Completion that is awaited, or has callbacks, lives for as long as there is a handle.  One that nobody
 * awaits may be dropped by Python: for a handle that is as if it had been cancelled.
 *
 * THE END.  When the interpreter ends (its atexit functions run), what was accepted before is settled; from then on
 * completing returns OHWAIT_ENDED and does nothing.  Handles may be used, and must still be given back, afterwards.
 *
 * FORK.  The child has none of the parent's threads: its copies of handles may be completed and released by the
 * thread that forked; whoever awaited in a loop of the parent's is not woken in the child.
 */
#ifndef OHWAIT_H
#define OHWAIT_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A handle; see above. */
typedef struct ohwait_completion ohwait_completion;

typedef enum {
    OHWAIT_OK = 0,          /* accepted: waiters will get this outcome */
    OHWAIT_DONE = 1,        /* somebody else has completed it */
    OHWAIT_CANCELLED = 2,   /* it was cancelled, or Python has dropped it */
    OHWAIT_ENDED = 3,       /* the interpreter ends */
    OHWAIT_NO_MEMORY = 4    /* the value could not be copied; not completed */
} ohwait_status;

/* Make the result: a new reference, or NULL with an exception, which is the outcome then.  Called with the GIL. */
typedef PyObject *(*ohwait_make)(void *arg);
/* Give up what make() would have used.  Called with the GIL. */
typedef void (*ohwait_drop)(void *arg);
/* The Completion is over: OHWAIT_OK or OHWAIT_CANCELLED.  Called with the GIL; must not raise. */
typedef void (*ohwait_watcher)(void *arg, ohwait_status how);

#define OHWAIT_API_VERSION 1
#define OHWAIT_CAPSULE "ohwait._completion._C_API"

/* What the capsule holds.  Later versions add to the end. */
typedef struct {
    uint32_t version;       /* OHWAIT_API_VERSION */
    uint32_t size;          /* of this struct, bytes */
    ohwait_completion *(*create)(PyObject **object);
    ohwait_completion *(*handle)(PyObject *object);
    int (*watch)(ohwait_completion *, ohwait_watcher, void *arg);
    ohwait_status (*set_object)(ohwait_completion *, PyObject *result);
    ohwait_status (*set_exception)(ohwait_completion *, PyObject *exception);
    ohwait_completion *(*retain)(ohwait_completion *);
    void (*release)(ohwait_completion *);
    ohwait_status (*status)(ohwait_completion *);
    ohwait_status (*set_none)(ohwait_completion *);
    ohwait_status (*set_int64)(ohwait_completion *, int64_t);
    ohwait_status (*set_double)(ohwait_completion *, double);
    ohwait_status (*set_bytes)(ohwait_completion *, const void *data, size_t size);
    ohwait_status (*set_made)(ohwait_completion *, ohwait_make, ohwait_drop, void *arg);
    ohwait_status (*fail)(ohwait_completion *, PyObject *type, const char *message);
} ohwait_api;

#ifndef OHWAIT_NO_WRAPPERS

static const ohwait_api *ohwait_functions = NULL;

/* GIL.  0, or -1 with ImportError. */
static inline int ohwait_import(void)
{
    PyObject *module = PyImport_ImportModule("ohwait.completion");
    if (module == NULL) {
        return -1;
    }
    Py_DECREF(module);
    const ohwait_api *api = (const ohwait_api *)PyCapsule_Import(OHWAIT_CAPSULE, 0);
    if (api == NULL) {
        return -1;
    }
    if (api->version != OHWAIT_API_VERSION || api->size < sizeof(ohwait_api)) {
        PyErr_Format(PyExc_ImportError,
                     "this module was compiled with version %d of ohwait.h, and the ohwait installed has version %d: "
                     "compile it again", OHWAIT_API_VERSION, (int)api->version);
        return -1;
    }
    ohwait_functions = api;
    return 0;
}

/* GIL.  A new Completion: a handle, and a new reference to the object in *object; NULL with an exception. */
static inline ohwait_completion *ohwait_create(PyObject **object) { return ohwait_functions->create(object); }

/* GIL.  A handle of a Completion that exists; NULL with an exception (TypeError for other objects). */
static inline ohwait_completion *ohwait_handle(PyObject *object) { return ohwait_functions->handle(object); }

/* GIL.  Have watcher(arg, how) called exactly once, when the Completion is over: at once if it is over already.  One
 * watcher a Completion: -1 with RuntimeError if it has one.  (It is not called if the interpreter ends before.) */
static inline int ohwait_watch(ohwait_completion *handle, ohwait_watcher watcher, void *arg)
{
    return ohwait_functions->watch(handle, watcher, arg);
}

/* GIL.  Complete with an object (borrowed). */
static inline ohwait_status ohwait_set_object(ohwait_completion *handle, PyObject *result)
{
    return ohwait_functions->set_object(handle, result);
}

/* GIL.  Fail with an exception object (borrowed); what is none makes it fail with TypeError. */
static inline ohwait_status ohwait_set_exception(ohwait_completion *handle, PyObject *exception)
{
    return ohwait_functions->set_exception(handle, exception);
}

/* Any thread.  One more share; returns the handle. */
static inline ohwait_completion *ohwait_retain(ohwait_completion *handle) { return ohwait_functions->retain(handle); }

/* Any thread.  Give a share back; NULL is ignored. */
static inline void ohwait_release(ohwait_completion *handle)
{
    if (handle != NULL) {
        ohwait_functions->release(handle);
    }
}

/* Any thread.  OHWAIT_OK while it can be completed; OHWAIT_DONE, OHWAIT_CANCELLED, OHWAIT_ENDED: work is in vain. */
static inline ohwait_status ohwait_status_of(ohwait_completion *handle) { return ohwait_functions->status(handle); }

/* Any thread.  Complete with None, an int, a float, a bytes object (the data is copied). */
static inline ohwait_status ohwait_set_none(ohwait_completion *handle) { return ohwait_functions->set_none(handle); }
static inline ohwait_status ohwait_set_int64(ohwait_completion *handle, int64_t value)
{
    return ohwait_functions->set_int64(handle, value);
}
static inline ohwait_status ohwait_set_double(ohwait_completion *handle, double value)
{
    return ohwait_functions->set_double(handle, value);
}
static inline ohwait_status ohwait_set_bytes(ohwait_completion *handle, const void *data, size_t size)
{
    return ohwait_functions->set_bytes(handle, data, size);
}

/* Any thread.  Complete with what make(arg) returns, later and with the GIL.  With OHWAIT_OK, arg is ohwait's, and
 * exactly one of make and drop (which may be NULL) will get it, unless the interpreter ends before; drop if Python
 * has dropped the Completion meanwhile.  With any other status arg is still yours, and neither will be called. */
static inline ohwait_status ohwait_set_made(ohwait_completion *handle, ohwait_make make, ohwait_drop drop, void *arg)
{
    return ohwait_functions->set_made(handle, make, drop, arg);
}

/* Any thread.  Fail with type(message), message in UTF-8 (copied).  type is borrowed and must live until the process
 * ends, as PyExc_OSError and the like do; NULL is RuntimeError. */
static inline ohwait_status ohwait_fail(ohwait_completion *handle, PyObject *type, const char *message)
{
    return ohwait_functions->fail(handle, type, message);
}

#endif /* OHWAIT_NO_WRAPPERS */

#ifdef __cplusplus
}
#endif

#endif
