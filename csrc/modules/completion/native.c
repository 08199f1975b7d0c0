/* Handles: the part of a Completion that threads use which do not hold the GIL.
 *
 * A cell is plain memory of malloc's (PyMem_RawMalloc may want the GIL, under tracemalloc) with a count of its own, so
 * it outlives the object.  `state` says who settles: whoever changes OPEN, be it Python or a thread, is the one, and the
 * others are told.  A thread changes it to CLAIMED, writes the value, and makes it READY, which releases the value to
 * whoever reads READY; then it queues the cell (helper.c).  The object is looked at with the GIL only. */
#include "completion.h"

enum { OPEN, CLAIMED, READY, CLOSED, GIVEN_UP };
typedef enum { NONE, INT64, DOUBLE, BYTES, MADE, FAILED, ABANDONED } kind;

struct ohwait_completion {
    atomic_int shares;              /* those of handles, of the object, and of the queue */
    atomic_int handles;
    atomic_int state;
    kind kind;                      /* Written by the one who claimed it, as is `as` */
    union {
        int64_t integer;
        double real;
        struct { char *data; size_t size; } bytes;                              /* Owned */
        struct { ohwait_make make; ohwait_drop drop; void *arg; } made;         /* arg: Owned until one is called */
        struct { PyObject *type; char *message; } failed;                       /* type: Borrowed; message: Owned */
    } as;
    bool taken;                     /* GIL: the value was made into an object, or dropped */
    ohw_completion *object;         /* GIL.  Borrowed; NULL: gone */
    ohwait_watcher watcher;         /* GIL.  NULL: none, or called */
    void *watcher_arg;
    ohwait_completion *next;        /* in the queue */
};

static void give_back_share(ohwait_completion *cell)
{
    if (atomic_fetch_sub(&cell->shares, 1) == 1) {
        free(cell);     /* Its value was taken: until then the queue has a share. */
    }
}

ohwait_completion **ohw_cell_next(ohwait_completion *cell) { return &cell->next; }

/* ---- without the GIL ---- */

static ohwait_status status_of(ohwait_completion *cell)
{
    switch (atomic_load(&cell->state)) {
    case OPEN: return ohw_helper_has_ended() ? OHWAIT_ENDED : OHWAIT_OK;
    case GIVEN_UP: return OHWAIT_CANCELLED;
    default: return OHWAIT_DONE;
    }
}

/* OHWAIT_OK: the caller, and nobody else, writes the value and publishes it. */
static ohwait_status claim(ohwait_completion *cell)
{
    int open = OPEN;
    if (ohw_helper_has_ended()) {
        return OHWAIT_ENDED;
    }
    return atomic_compare_exchange_strong(&cell->state, &open, CLAIMED) ? OHWAIT_OK : status_of(cell);
}

static ohwait_status publish(ohwait_completion *cell, kind kind)
{
    cell->kind = kind;
    atomic_fetch_add(&cell->shares, 1);
    atomic_store(&cell->state, READY);
    ohw_enqueue(cell);
    return OHWAIT_OK;
}

static ohwait_completion *api_retain(ohwait_completion *cell)
{
    atomic_fetch_add(&cell->shares, 1);
    atomic_fetch_add(&cell->handles, 1);
    return cell;
}

static void api_release(ohwait_completion *cell)
{
    if (atomic_fetch_sub(&cell->handles, 1) == 1 && claim(cell) == OHWAIT_OK) {
        (void)publish(cell, ABANDONED);
    }
    give_back_share(cell);
}

static ohwait_status api_set_none(ohwait_completion *cell)
{
    ohwait_status status = claim(cell);
    return status == OHWAIT_OK ? publish(cell, NONE) : status;
}

static ohwait_status api_set_int64(ohwait_completion *cell, int64_t value)
{
    ohwait_status status = claim(cell);
    if (status == OHWAIT_OK) {
        cell->as.integer = value;
        return publish(cell, INT64);
    }
    return status;
}

static ohwait_status api_set_double(ohwait_completion *cell, double value)
{
    ohwait_status status = claim(cell);
    if (status == OHWAIT_OK) {
        cell->as.real = value;
        return publish(cell, DOUBLE);
    }
    return status;
}

static ohwait_status api_set_bytes(ohwait_completion *cell, const void *data, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy == NULL) {
        return OHWAIT_NO_MEMORY;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    ohwait_status status = claim(cell);
    if (status == OHWAIT_OK) {
        cell->as.bytes.data = copy;
        cell->as.bytes.size = size;
        return publish(cell, BYTES);
    }
    free(copy);
    return status;
}

static ohwait_status api_set_made(ohwait_completion *cell, ohwait_make make, ohwait_drop drop, void *arg)
{
    ohwait_status status = claim(cell);
    if (status == OHWAIT_OK) {
        cell->as.made.make = make;
        cell->as.made.drop = drop;
        cell->as.made.arg = arg;
        return publish(cell, MADE);
    }
    return status;
}

static ohwait_status api_fail(ohwait_completion *cell, PyObject *type, const char *message)
{
    size_t size = message == NULL ? 0 : strlen(message);
    char *copy = malloc(size + 1);
    if (copy == NULL) {
        return OHWAIT_NO_MEMORY;
    }
    if (size > 0) {
        memcpy(copy, message, size);
    }
    copy[size] = 0;
    ohwait_status status = claim(cell);
    if (status == OHWAIT_OK) {
        cell->as.failed.type = type == NULL ? PyExc_RuntimeError : type;
        cell->as.failed.message = copy;
        return publish(cell, FAILED);
    }
    free(copy);
    return status;
}

/* ---- with the GIL: taking in ---- */

bool ohw_cell_is_ready(ohwait_completion *cell) { return atomic_load(&cell->state) == READY && !cell->taken; }
bool ohw_cell_has_handles(ohwait_completion *cell) { return atomic_load(&cell->handles) > 0; }

bool ohw_cell_close(ohwait_completion *cell, bool cancel)
{
    int open = OPEN;
    return atomic_compare_exchange_strong(&cell->state, &open, cancel ? GIVEN_UP : CLOSED);
}

void ohw_cell_tell(ohwait_completion *cell, ohwait_status how)
{
    ohwait_watcher watcher = cell->watcher;
    cell->watcher = NULL;
    if (watcher != NULL) {
        watcher(cell->watcher_arg, how == OHWAIT_CANCELLED ? how : OHWAIT_OK);
    }
}

static PyObject *made_object(ohwait_completion *cell)
{
    PyObject *object = cell->as.made.make(cell->as.made.arg);
    if (object == NULL && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_SystemError, "a function given to ohwait_set_made() returned NULL without an exception");
    }
    return object;
}

/* The exception that a thread has failed it with, or NULL with the one that came instead. */
static PyObject *failure(PyObject *type, const char *message)
{
    PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
    PyObject *error = text == NULL ? NULL : PyObject_CallOneArg(type, text);
    PyObject *checked = error == NULL ? NULL : ohw_exception_from(error);
    Py_XDECREF(text);
    Py_XDECREF(error);
    return checked;
}

/* The value as an object; *state is what it makes of the Completion.  New reference; NULL with an exception. */
static PyObject *value_of(ohwait_completion *cell, ohw_outcome *state)
{
    *state = RESULT;
    switch (cell->kind) {
    case INT64: return PyLong_FromLongLong(cell->as.integer);
    case DOUBLE: return PyFloat_FromDouble(cell->as.real);
    case BYTES: return PyBytes_FromStringAndSize(cell->as.bytes.data, (Py_ssize_t)cell->as.bytes.size);
    case MADE: return made_object(cell);
    case FAILED: *state = EXCEPTION; return failure(cell->as.failed.type, cell->as.failed.message);
    case ABANDONED:
        *state = EXCEPTION;
        return failure(ohw_py.abandoned, "the code outside Python that had promised to complete this has given up its "
                                         "last handle (ohwait_release) without doing so");
    default: return Py_NewRef(Py_None);
    }
}

static void free_value(ohwait_completion *cell)
{
    if (cell->kind == BYTES) {
        free(cell->as.bytes.data);
    }
    else if (cell->kind == FAILED) {
        free(cell->as.failed.message);
    }
}

int ohw_cell_take(ohwait_completion *cell)
{
    ohw_completion *object = cell->object;
    ohw_outcome state;
    cell->taken = true;
    PyObject *value = value_of(cell, &state);
    free_value(cell);
    if (value == NULL) {
        value = ohw_take_exception();
        state = EXCEPTION;
        if (PyErr_GivenExceptionMatches(value, PyExc_StopIteration)) {
            PyErr_Format(PyExc_RuntimeError, "a function given to ohwait_set_made() raised %R", value);
            Py_SETREF(value, ohw_take_exception());
        }
    }
    return ohw_settle(object, state, value);
}

void ohw_cell_arrive(ohwait_completion *cell)
{
    ohw_completion *object = cell->object;
    if (!cell->taken && object != NULL) {
        Py_INCREF(object);
        if (ohw_cell_take(cell) < 0) {
            PyErr_WriteUnraisable((PyObject *)object);
        }
        Py_DECREF(object);
    }
    else if (!cell->taken) {
        cell->taken = true;
        free_value(cell);
        if (cell->kind == MADE && cell->as.made.drop != NULL) {
            cell->as.made.drop(cell->as.made.arg);
        }
    }
    give_back_share(cell);
}

void ohw_cell_part(ohwait_completion *cell)
{
    cell->object = NULL;
    (void)ohw_cell_close(cell, true);
    ohw_cell_tell(cell, OHWAIT_CANCELLED);
    give_back_share(cell);
}

/* ---- with the GIL: the API ---- */

static ohwait_completion *api_handle(PyObject *object)
{
    if (!PyObject_TypeCheck(object, &ohw_completion_type)) {
        PyErr_Format(PyExc_TypeError, "an ohwait.completion.Completion is needed, not %.100s", Py_TYPE(object)->tp_name);
        return NULL;
    }
    if (ohw_helper_start() < 0) {
        return NULL;
    }
    ohw_completion *completion = (ohw_completion *)object;
    if (completion->cell == NULL) {
        ohwait_completion *cell = calloc(1, sizeof(*cell));
        if (cell == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        atomic_init(&cell->shares, 1);
        atomic_init(&cell->handles, 0);
        atomic_init(&cell->state, completion->state == PENDING ? OPEN : completion->state == CANCELLED ? GIVEN_UP : CLOSED);
        cell->object = completion;
        completion->cell = cell;
    }
    (void)api_retain(completion->cell);
    ohw_update_kept(completion);
    return completion->cell;
}

static ohwait_completion *api_create(PyObject **object)
{
    *object = PyObject_CallNoArgs((PyObject *)&ohw_completion_type);
    ohwait_completion *handle = *object == NULL ? NULL : api_handle(*object);
    if (handle == NULL) {
        Py_CLEAR(*object);
    }
    return handle;
}

static int api_watch(ohwait_completion *cell, ohwait_watcher watcher, void *arg)
{
    if (cell->watcher != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "ohwait_watch(): this Completion has a watcher already");
        return -1;
    }
    if (cell->object == NULL || cell->object->state != PENDING) {
        bool vain = cell->object == NULL ? atomic_load(&cell->state) != CLOSED : cell->object->state == CANCELLED;
        watcher(arg, vain ? OHWAIT_CANCELLED : OHWAIT_OK);
        return 0;
    }
    cell->watcher_arg = arg;
    cell->watcher = watcher;
    return 0;
}

static ohwait_status settle_with(ohwait_completion *cell, ohw_outcome state, PyObject *value)
{
    int open = OPEN;
    if (!atomic_compare_exchange_strong(&cell->state, &open, CLOSED)) {
        Py_DECREF(value);
        return status_of(cell);
    }
    ohw_completion *object = (ohw_completion *)Py_NewRef(cell->object);
    if (ohw_settle(object, state, value) < 0) {
        PyErr_WriteUnraisable((PyObject *)object);
    }
    Py_DECREF(object);
    return OHWAIT_OK;
}

static ohwait_status api_set_object(ohwait_completion *cell, PyObject *result)
{
    return settle_with(cell, RESULT, Py_NewRef(result));
}

static ohwait_status api_set_exception(ohwait_completion *cell, PyObject *exception)
{
    PyObject *made = ohw_exception_from(exception);
    return settle_with(cell, EXCEPTION, made == NULL ? ohw_take_exception() : made);
}

const ohwait_api ohw_api = {
    .version = OHWAIT_API_VERSION,
    .size = sizeof(ohwait_api),
    .create = api_create,
    .handle = api_handle,
    .watch = api_watch,
    .set_object = api_set_object,
    .set_exception = api_set_exception,
    .retain = api_retain,
    .release = api_release,
    .status = status_of,
    .set_none = api_set_none,
    .set_int64 = api_set_int64,
    .set_double = api_set_double,
    .set_bytes = api_set_bytes,
    .set_made = api_set_made,
    .fail = api_fail,
};
