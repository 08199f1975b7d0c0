/* For the tests: the C API used by threads that do not hold the GIL.
 *
 * Handles are numbers here.  in_thread() keeps the GIL while it waits for the thread: a function of the API that wanted
 * the GIL there would never return. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ohwait.h>

enum { MANY = 200000 };
static ohwait_completion *handles[MANY];
static int used;
static PyObject *events;        /* a list: what watchers, makers and droppers have done */

static void note(const char *what, long number)
{
    PyObject *event = Py_BuildValue("sl", what, number);
    if (event == NULL || PyList_Append(events, event) < 0) {
        PyErr_WriteUnraisable(NULL);
    }
    Py_XDECREF(event);
}

static PyObject *make_list(void *arg)
{
    note("made", (long)(intptr_t)arg);
    return Py_BuildValue("[l]", (long)(intptr_t)arg);
}
static PyObject *make_error(void *arg)
{
    PyErr_SetString(PyExc_LookupError, "made");
    return NULL;
}
static PyObject *make_stop(void *arg)
{
    PyErr_SetString(PyExc_StopIteration, "made");
    return NULL;
}
static PyObject *make_nothing(void *arg) { return NULL; }
static PyObject *make_with_gil_state(void *arg)     /* as pyo3 and Cython's `with gil` do */
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *made = PyUnicode_FromString("ensured");
    PyGILState_Release(state);
    return made;
}
static void drop(void *arg) { note("dropped", (long)(intptr_t)arg); }
static void watcher(void *arg, ohwait_status how) { note(how == OHWAIT_OK ? "over" : "cancelled", (long)(intptr_t)arg); }

/* ---- operations, by name ---- */

typedef struct {
    const char *name;
    long number, value;
    int status;
} operation;

static int operate(ohwait_completion *handle, const char *name, long value, long number)
{
    void *arg = (void *)(intptr_t)number;
    if (strcmp(name, "none") == 0) return ohwait_set_none(handle);
    if (strcmp(name, "int64") == 0) return ohwait_set_int64(handle, INT64_MIN + value);
    if (strcmp(name, "double") == 0) return ohwait_set_double(handle, value / 2.0);
    if (strcmp(name, "bytes") == 0) return ohwait_set_bytes(handle, "a\0b", (size_t)value);
    if (strcmp(name, "list") == 0) return ohwait_set_made(handle, make_list, drop, arg);
    if (strcmp(name, "error") == 0) return ohwait_set_made(handle, make_error, drop, arg);
    if (strcmp(name, "stop") == 0) return ohwait_set_made(handle, make_stop, NULL, arg);
    if (strcmp(name, "nothing") == 0) return ohwait_set_made(handle, make_nothing, NULL, arg);
    if (strcmp(name, "gilstate") == 0) return ohwait_set_made(handle, make_with_gil_state, NULL, arg);
    if (strcmp(name, "fail") == 0) return ohwait_fail(handle, NULL, "no \xff luck");
    if (strcmp(name, "fail_value") == 0) return ohwait_fail(handle, PyExc_ValueError, "no luck");
    if (strcmp(name, "fail_wrongly") == 0) return ohwait_fail(handle, PyExc_StopIteration, "no luck");
    if (strcmp(name, "status") == 0) return ohwait_status_of(handle);
    if (strcmp(name, "retain") == 0) return ohwait_retain(handle) == handle ? 0 : -1;
    if (strcmp(name, "release") == 0) { ohwait_release(handle); return 0; }
    return -2;
}

static void *perform(void *arg)
{
    operation *mine = arg;
    mine->status = operate(handles[mine->number], mine->name, mine->value, mine->number);
    return NULL;
}

static PyObject *native_in_thread(PyObject *module, PyObject *args)
{
    operation mine = {0};
    pthread_t thread;
    if (!PyArg_ParseTuple(args, "ls|l:in_thread", &mine.number, &mine.name, &mine.value)) {
        return NULL;
    }
    if (pthread_create(&thread, NULL, perform, &mine) != 0) {
        PyErr_SetString(PyExc_RuntimeError, "no thread");
        return NULL;
    }
    pthread_join(thread, NULL);     /* with the GIL, on purpose */
    return PyLong_FromLong(mine.status);
}

/* ---- many, by several threads, while Python runs ---- */

typedef struct { int from, to, step; long nanoseconds; } storm;
static atomic_int storming;

static void *rage(void *arg)
{
    storm mine = *(storm *)arg;
    free(arg);
    for (int i = mine.from; i < mine.to; i += mine.step) {
        if (mine.nanoseconds > 0) {
            nanosleep(&(struct timespec){.tv_nsec = mine.nanoseconds}, NULL);
        }
        ohwait_set_int64(handles[i], i);
        ohwait_release(handles[i]);
    }
    atomic_fetch_sub(&storming, 1);
    return NULL;
}

static PyObject *native_storm(PyObject *module, PyObject *args)
{
    int from, to, threads;
    long nanoseconds = 0;
    if (!PyArg_ParseTuple(args, "iii|l:storm", &from, &to, &threads, &nanoseconds)) {
        return NULL;
    }
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        storm *arg = malloc(sizeof(*arg));
        *arg = (storm){from + i, to, threads, nanoseconds};
        atomic_fetch_add(&storming, 1);
        if (pthread_create(&thread, NULL, rage, arg) != 0) {
            PyErr_SetString(PyExc_RuntimeError, "no thread");
            return NULL;
        }
        pthread_detach(thread);
    }
    Py_RETURN_NONE;
}

static PyObject *native_storming(PyObject *module, PyObject *none) { return PyLong_FromLong(atomic_load(&storming)); }

/* ---- with the GIL ---- */

static PyObject *native_create(PyObject *module, PyObject *none)
{
    PyObject *object;
    if (used == MANY) {
        PyErr_SetString(PyExc_MemoryError, "all handles were used");
        return NULL;
    }
    handles[used] = ohwait_create(&object);
    return handles[used] == NULL ? NULL : Py_BuildValue("Ni", object, used++);
}

static PyObject *native_handle(PyObject *module, PyObject *object)
{
    handles[used] = ohwait_handle(object);
    return handles[used] == NULL ? NULL : PyLong_FromLong(used++);
}

static PyObject *native_watch(PyObject *module, PyObject *args)
{
    int number;
    if (!PyArg_ParseTuple(args, "i:watch", &number) ||
        ohwait_watch(handles[number], watcher, (void *)(intptr_t)number) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *native_set_object(PyObject *module, PyObject *args)
{
    int number;
    PyObject *object;
    if (!PyArg_ParseTuple(args, "iO:set_object", &number, &object)) {
        return NULL;
    }
    return PyLong_FromLong(ohwait_set_object(handles[number], object));
}

static PyObject *native_set_exception(PyObject *module, PyObject *args)
{
    int number;
    PyObject *object;
    if (!PyArg_ParseTuple(args, "iO:set_exception", &number, &object)) {
        return NULL;
    }
    return PyLong_FromLong(ohwait_set_exception(handles[number], object));
}

static PyObject *native_take_events(PyObject *module, PyObject *none)
{
    PyObject *taken = PyList_GetSlice(events, 0, PyList_Size(events));
    if (taken != NULL && PyList_SetSlice(events, 0, PyList_Size(events), NULL) < 0) {
        Py_CLEAR(taken);
    }
    return taken;
}

static PyObject *native_forget(PyObject *module, PyObject *none)
{
    used = 0;       /* the numbers are given out again */
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"create", native_create, METH_NOARGS, "create(): (Completion, number of its handle)."},
    {"handle", native_handle, METH_O, "handle(completion, /): the number of another handle of it."},
    {"watch", native_watch, METH_VARARGS, "watch(number, /): note an event when it is over."},
    {"set_object", native_set_object, METH_VARARGS, "set_object(number, result, /): the status."},
    {"set_exception", native_set_exception, METH_VARARGS, "set_exception(number, exception, /): the status."},
    {"in_thread", native_in_thread, METH_VARARGS,
     "in_thread(number, operation, value=0, /): the status, of what a thread has done while this one kept the GIL."},
    {"storm", native_storm, METH_VARARGS,
     "storm(from, to, threads, nanoseconds=0, /): threads complete those handles, with such pauses, and release them."},
    {"storming", native_storming, METH_NOARGS, "storming(): how many threads of storm() are at work."},
    {"take_events", native_take_events, METH_NOARGS, "take_events(): the events since the last call."},
    {"forget", native_forget, METH_NOARGS, "forget(): all handles were released: give out their numbers again."},
    {NULL},
};

static int execute(PyObject *module)
{
    events = PyList_New(0);
    return events == NULL ? -1 : ohwait_import();
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "completion_native", .m_methods = functions,
                                 .m_slots = slots};

PyMODINIT_FUNC PyInit_completion_native(void) { return PyModuleDef_Init(&definition); }
