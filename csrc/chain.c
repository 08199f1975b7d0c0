/* The Chain type: drives the awaitable, keeps the lifted frames meanwhile.
 *
 * It answers to what CPython does with the object on which a coroutine is suspended: iteration by SEND, send(),
 * throw(), close(); and, by operators that only a landing uses, to the landing itself:
 *
 *     ~chain          the awaitable has finished: reserve room for the frames          -> chain
 *     chain % exc     `exc` arrived at the landing (throw, close, a finished throw)     -> chain
 *     -chain          tight landings: what was yielded
 *     chain[value]    tight landings: drive the awaitable with a sent value             -> chain
 *     bool(chain)     tight landings: it has yielded again
 */
#include "chain.h"
#include "check.h"

/* ---- making and freeing: spare chains by capacity ---- */

enum { GRAIN = 16, CLASSES = 32, SPARES_A_CLASS = 16 };
static ohw_chain *spares[CLASSES][SPARES_A_CLASS];
static int spare_count[CLASSES];

ohw_chain *ohw_chain_new(PyObject *source, PyObject *yielded, size_t words)
{
    size_t class = (words + GRAIN - 1) / GRAIN;
    Py_ssize_t capacity = (Py_ssize_t)(class * GRAIN);
    ohw_chain *chain;
    if (class < CLASSES && spare_count[class] > 0) {
        chain = spares[class][--spare_count[class]];
        (void)PyObject_InitVar((PyVarObject *)chain, &ohw_chain_type, capacity);
    }
    else {
        chain = PyObject_GC_NewVar(ohw_chain, &ohw_chain_type, capacity);
        if (chain == NULL) {
            return NULL;
        }
    }
    ohw_count.alive++;
    chain->source = source;
    chain->yielded = yielded;
    chain->outcome = NULL;
    chain->failed = chain->thrown = chain->running = chain->tight = chain->announced = false;
    chain->lifted.away = false;
    chain->lifted.words = chain->words;
    return chain;
}

static void chain_dealloc(ohw_chain *chain)
{
    PyObject_GC_UnTrack(chain);
    ohw_drop_lifted(&chain->lifted);
    Py_XDECREF(chain->source);
    Py_XDECREF(chain->yielded);
    Py_XDECREF(chain->outcome);
    ohw_count.alive--;
    size_t class = (size_t)Py_SIZE(chain) / GRAIN;
    if (class < CLASSES && spare_count[class] < SPARES_A_CLASS) {
        spares[class][spare_count[class]++] = chain;
    }
    else {
        PyObject_GC_Del(chain);
    }
}

void ohw_chain_free_spares(void)
{
    for (int class = 0; class < CLASSES; class++) {
        while (spare_count[class] > 0) {
            PyObject_GC_Del(spares[class][--spare_count[class]]);
        }
    }
}

static int chain_traverse(ohw_chain *chain, visitproc visit, void *arg)
{
    Py_VISIT(chain->source);
    Py_VISIT(chain->yielded);
    Py_VISIT(chain->outcome);
    return ohw_visit_lifted(&chain->lifted, visit, arg);
}

static int chain_clear(ohw_chain *chain)
{
    ohw_drop_lifted(&chain->lifted);
    Py_CLEAR(chain->source);
    Py_CLEAR(chain->yielded);
    Py_CLEAR(chain->outcome);
    return 0;
}

/* ---- driving the awaitable ---- */

ohw_name_table ohw_names;

int ohw_names_init(void)
{
    ohw_names.send = PyUnicode_InternFromString("send");
    ohw_names.throw = PyUnicode_InternFromString("throw");
    ohw_names.close = PyUnicode_InternFromString("close");
    ohw_names.cr_await = PyUnicode_InternFromString("cr_await");
    return ohw_names.send == NULL || ohw_names.throw == NULL || ohw_names.close == NULL || ohw_names.cr_await == NULL
               ? -1 : 0;
}

static void finish(ohw_chain *chain, PyObject *outcome, bool failed, bool thrown)       /* outcome: stolen */
{
    Py_XSETREF(chain->outcome, outcome);
    chain->failed = failed;
    chain->thrown = thrown;
    Py_CLEAR(chain->source);
}

static int enter(PyThreadState *ts, ohw_chain *chain, ohw_attachment *before)
{
    if (chain->running) {
        PyErr_SetString(PyExc_ValueError, "ohwait: this suspended call is being driven already");
        return -1;
    }
    chain->running = true;
    *before = ohw_attach(ts, &chain->lifted);
    return 0;
}

static void leave(PyThreadState *ts, ohw_chain *chain, ohw_attachment before)
{
    ohw_detach(ts, &chain->lifted, before);
    chain->running = false;
}

/* Drive the source once, telling those who listen that the attached frames go on and are suspended again. */
static PySendResult step(PyThreadState *ts, ohw_chain *chain, bool attached, PyObject *value, PyObject **result)
{
    bool listened_to = attached && ohw_listened_to(ts);
    if (listened_to) {
        chain->announced = true;
        if (ohw_report_resumed(ts, &chain->lifted, NULL) < 0) {
            return PYGEN_ERROR;
        }
    }
    PyObject *source = Py_NewRef(chain->source);
    PySendResult status = PyIter_Send(source, value, result);
    Py_DECREF(source);
    if (status == PYGEN_NEXT && listened_to) {
        py_frame *top = chain->lifted.top == NULL ? chain->lifted.host : chain->lifted.top;
        chain->announced = false;
        if (ohw_report_suspended(ts, top, chain->lifted.host, *result) < 0) {
            Py_CLEAR(*result);
            return PYGEN_ERROR;
        }
    }
    return status;
}

/* One step: PYGEN_NEXT with what it yields, or PYGEN_RETURN (nothing in *result) when there is an outcome. */
static PySendResult advance(ohw_chain *chain, PyObject *value, PyObject **result)
{
    *result = NULL;
    if (chain->yielded != NULL) {       /* first of all, at the landing */
        ohw_give_back_room(&chain->lifted);
        *result = chain->yielded;
        chain->yielded = NULL;
        return PYGEN_NEXT;
    }
    if (chain->source == NULL) {
        return PYGEN_RETURN;
    }
    PyThreadState *ts = py_thread();
    ohw_attachment before;
    if (enter(ts, chain, &before) < 0) {
        return PYGEN_ERROR;
    }
    PySendResult status = step(ts, chain, before.host_runs, value, result);
    leave(ts, chain, before);
    if (status == PYGEN_NEXT) {
        return status;
    }
    finish(chain, status == PYGEN_RETURN ? *result : py_take_raised(), status == PYGEN_ERROR,
           false);
    *result = NULL;
    return PYGEN_RETURN;
}

static void raise_stop(PyObject *value)
{
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop != NULL) {
        py_raise(stop);
    }
}

static PySendResult chain_am_send(PyObject *self, PyObject *value, PyObject **result)
{
    PySendResult status = advance((ohw_chain *)self, value, result);
    if (status == PYGEN_RETURN) {
        *result = Py_NewRef(self);
    }
    return status;
}

static PyObject *chain_iternext(PyObject *self)
{
    PyObject *result;
    PySendResult status = advance((ohw_chain *)self, Py_None, &result);
    if (status == PYGEN_RETURN && PY_ITERNEXT_CARRIES_RESULT) {
        raise_stop(self);
    }
    return result;
}

static PyObject *chain_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    if (advance((ohw_chain *)self, value, &result) == PYGEN_RETURN) {
        raise_stop(self);
    }
    return result;
}

/* throw(type[, value[, traceback]]) without anybody to throw it into: the exception itself.  New, or NULL with the
 * error for arguments that cannot be raised. */
static PyObject *exception_from(PyObject *type, PyObject *value, PyObject *traceback)
{
    PyObject *exception = PyExceptionInstance_Check(type) ? Py_NewRef(type)
                          : !PyExceptionClass_Check(type) ? NULL
                          : value != NULL && PyExceptionInstance_Check(value) ? Py_NewRef(value)
                          : value == NULL || value == Py_None ? PyObject_CallNoArgs(type)
                                                              : PyObject_CallOneArg(type, value);
    if (exception == NULL && !PyErr_Occurred()) {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                     Py_TYPE(type)->tp_name);
    }
    if (exception != NULL && traceback != NULL && traceback != Py_None &&
        PyException_SetTraceback(exception, traceback) < 0) {
        Py_CLEAR(exception);
    }
    return exception;
}

int ohw_lookup(PyObject *object, PyObject *name, PyObject **value)
{
    *value = PyObject_GetAttr(object, name);
    if (*value == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
    }
    return 0;
}

/* What the source does with a thrown exception, or the exception itself where it has no throw(). */
static PyObject *throw_into_source(PyObject *source, PyObject *const *args, Py_ssize_t count)
{
    PyObject *method;
    if (ohw_lookup(source, ohw_names.throw, &method) < 0) {
        return NULL;
    }
    if (method == NULL) {
        PyObject *exception = exception_from(args[0], count > 1 ? args[1] : NULL, count > 2 ? args[2] : NULL);
        if (exception != NULL) {
            py_raise(exception);
        }
        return NULL;
    }
    PyObject *result = PyObject_Vectorcall(method, args, (size_t)count, NULL);
    Py_DECREF(method);
    return result;
}

/* New reference to what the source yields in answer; NULL when there is an outcome. */
static PyObject *throw_on(ohw_chain *chain, PyObject *const *args, Py_ssize_t count)
{
    if (chain->source == NULL) {
        return NULL;
    }
    PyObject *source = Py_NewRef(chain->source), *value = NULL;
    PyObject *result = throw_into_source(source, args, count);
    if (result == NULL) {
        PyObject *raised = py_take_raised();
        bool returned = PyErr_GivenExceptionMatches(raised, PyExc_StopIteration);
        if (returned) {
            value = Py_NewRef(((PyStopIterationObject *)raised)->value);
            Py_DECREF(raised);
        }
        finish(chain, returned ? value : raised, !returned, true);
    }
    Py_DECREF(source);
    return result;
}

static PyObject *chain_throw(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyThreadState *ts = py_thread();
    ohw_attachment before;
    if (count < 1 || count > 3) {
        PyErr_Format(PyExc_TypeError, "throw expected 1 to 3 arguments, got %zd", count);
        return NULL;
    }
    if (enter(ts, chain, &before) < 0) {
        return NULL;
    }
    PyObject *result = throw_on(chain, args, count);
    leave(ts, chain, before);
    if (result == NULL) {
        raise_stop(self);
    }
    return result;
}

/* As gen_close_iter (Objects/genobject.c).  New reference to whatever close() returned, or NULL. */
static PyObject *close_source(PyObject *source)
{
    PyObject *method;
    if (ohw_lookup(source, ohw_names.close, &method) < 0) {
        return NULL;
    }
    PyObject *result = method == NULL ? Py_NewRef(Py_None) : PyObject_CallNoArgs(method);
    Py_XDECREF(method);
    return result;
}

static PyObject *chain_close(PyObject *self, PyObject *Py_UNUSED(none))
{
    ohw_chain *chain = (ohw_chain *)self;
    PyThreadState *ts = py_thread();
    ohw_attachment before;
    if (chain->source == NULL) {
        Py_RETURN_NONE;
    }
    if (enter(ts, chain, &before) < 0) {
        return NULL;
    }
    PyObject *source = Py_NewRef(chain->source);
    PyObject *result = close_source(source);
    Py_DECREF(source);
    leave(ts, chain, before);
    return result;
}

/* ---- the landing's operators ---- */

/* The entry that the landing added to the traceback is not a place where the exception has been. */
static void forget_landing(PyObject *exception)
{
    PyTracebackObject *traceback = (PyTracebackObject *)PyException_GetTraceback(exception);
    if (traceback != NULL) {
        PyObject *inner = traceback->tb_next == NULL ? Py_None : (PyObject *)traceback->tb_next;
        (void)PyException_SetTraceback(exception, inner);
        Py_DECREF(traceback);
    }
}

/* A tight landing's throw(exception) or close(): what chain_throw and chain_close are told elsewhere. */
static void thrown_at_tight_landing(PyThreadState *ts, ohw_chain *chain, PyObject *exception)
{
    ohw_attachment before = ohw_attach(ts, &chain->lifted);
    if (!PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit)) {
        chain->yielded = throw_on(chain, &exception, 1);
    }
    else {
        PyObject *source = Py_NewRef(chain->source), *closed = close_source(source);
        finish(chain, closed != NULL ? Py_NewRef(exception) : py_take_raised(), true, true);
        Py_XDECREF(closed);
        Py_DECREF(source);
    }
    ohw_detach(ts, &chain->lifted, before);
}

static PyObject *landing_thrown(PyObject *self, PyObject *exception)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyThreadState *ts = py_thread();
    if (Py_TYPE(self) != &ohw_chain_type || !PyExceptionInstance_Check(exception) || !chain->lifted.away ||
        chain->running || py_current(ts) != chain->lifted.host) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    bool finished_by_throw = chain->source == NULL && chain->outcome != NULL &&
                             PyErr_GivenExceptionMatches(exception, PyExc_StopIteration) &&
                             ((PyStopIterationObject *)exception)->value == self;
    if (!finished_by_throw) {
        forget_landing(exception);
        ohw_give_back_room(&chain->lifted);
        if (chain->tight && chain->source != NULL) {
            thrown_at_tight_landing(ts, chain, exception);
        }
        else {
            finish(chain, Py_NewRef(exception), true, true);
        }
    }
    return Py_NewRef(self);
}

/* The frames go on although the source was not driven by send(): something was thrown in. */
static void announce(PyThreadState *ts, ohw_chain *chain)
{
    PyObject *outcome = Py_NewRef(chain->outcome);
    ohw_attachment before = ohw_attach(ts, &chain->lifted);
    int status = ohw_report_resumed(ts, &chain->lifted, chain->failed ? outcome : NULL);
    ohw_detach(ts, &chain->lifted, before);
    Py_DECREF(outcome);
    if (status < 0) {
        finish(chain, py_take_raised(), true, false);
    }
}

static PyObject *landing_finished(PyObject *self)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyThreadState *ts = py_thread();
    if (!chain->lifted.away || chain->outcome == NULL || chain->lifted.reserved != NULL ||
        py_current(ts) != chain->lifted.host) {
        PyErr_SetString(PyExc_TypeError, "bad operand type for unary ~: 'ohwait._core.Chain'");
        return NULL;
    }
    ohw_give_back_room(&chain->lifted);
    if (!chain->announced && ohw_listened_to(ts)) {
        announce(ts, chain);
    }
    return ohw_reserve(ts, &chain->lifted) < 0 ? NULL : Py_NewRef(self);
}

static PyObject *landing_yielded(PyObject *self)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyObject *yielded = chain->yielded;
    if (yielded == NULL) {
        PyErr_SetString(PyExc_TypeError, "bad operand type for unary -: 'ohwait._core.Chain'");
        return NULL;
    }
    ohw_give_back_room(&chain->lifted);
    chain->yielded = NULL;
    chain->tight = true;
    return yielded;
}

static PyObject *landing_sent(PyObject *self, PyObject *value)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyObject *result;
    PySendResult status = advance(chain, value, &result);
    if (status == PYGEN_NEXT) {
        chain->yielded = result;
    }
    return status == PYGEN_ERROR ? NULL : Py_NewRef(self);
}

static int landing_waits(PyObject *self) { return ((ohw_chain *)self)->yielded != NULL; }

PyObject *ohw_chain_resume(PyThreadState *ts)
{
    py_frame *resume = py_current(ts);
    PyObject *argument = py_take_argument(resume);
    ohw_chain *chain = (ohw_chain *)argument;
    if (argument == NULL || Py_TYPE(argument) != &ohw_chain_type || !chain->lifted.away ||
        chain->lifted.reserved == NULL || py_caller(resume) != chain->lifted.host) {
        Py_XDECREF(argument);
        PyErr_SetString(PyExc_SystemError, "ohwait: _resume() was not called by a landing in the same interpreter loop");
        return NULL;
    }
    ohw_splice(ts, resume, &chain->lifted);
    PyObject *outcome = chain->outcome;
    bool failed = chain->failed, thrown = chain->thrown;
    chain->outcome = NULL;
    Py_DECREF(chain);
    if (!failed) {
        return outcome;
    }
    if (thrown) {       /* as generators do with what is thrown into them: its context is what is handled here */
        PyErr_SetObject((PyObject *)Py_TYPE(outcome), outcome);
        Py_DECREF(outcome);
    }
    else {
        py_raise(outcome);
    }
    return NULL;
}

/* ---- what debuggers see ---- */

static PyObject *chain_cr_await(PyObject *self, void *Py_UNUSED(closure))
{
    return ohw_link_awaits((ohw_chain *)self, 0);
}

static PyObject *chain_cr_frame(PyObject *self, void *Py_UNUSED(closure))
{
    return ohw_link_frame((ohw_chain *)self, 0);
}

static PyObject *chain_cr_running(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((ohw_chain *)self)->running);
}

static PyGetSetDef chain_getset[] = {
    {"cr_await", chain_cr_await, NULL, "the next plain call (a Link), or the awaitable's iterator, or None", NULL},
    {"cr_frame", chain_cr_frame, NULL, "frame of the plain function that the coroutine called, or None", NULL},
    {"cr_running", chain_cr_running, NULL, "whether the awaitable is being driven at this moment", NULL},
    {NULL},
};
static PyMethodDef chain_methods[] = {
    {"send", chain_send, METH_O, "send(value, /): drive the awaitable on, as a coroutine's send() does."},
    {"throw", (PyCFunction)(void (*)(void))chain_throw, METH_FASTCALL,
     "throw(type[, value[, traceback]]): raise an exception where the awaitable waits."},
    {"close", chain_close, METH_NOARGS, "close(): close the awaitable."},
    {NULL},
};
static PyAsyncMethods chain_as_async = {.am_await = PyObject_SelfIter, .am_send = chain_am_send};
static PyMappingMethods chain_as_mapping = {.mp_subscript = landing_sent};
static PyNumberMethods chain_as_number = {
    .nb_invert = landing_finished,
    .nb_remainder = landing_thrown,
    .nb_negative = landing_yielded,
    .nb_bool = landing_waits,
};
PyTypeObject ohw_chain_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._core.Chain",
    .tp_doc = "Plain calls that are suspended in ohwait(), and the awaitable they wait for.  A coroutine that is\n"
              "suspended below them awaits this object (cr_await).  Made by ohwait() only.",
    .tp_basicsize = offsetof(ohw_chain, words),
    .tp_itemsize = sizeof(py_word),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)chain_dealloc,
    .tp_traverse = (traverseproc)chain_traverse,
    .tp_clear = (inquiry)chain_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = chain_iternext,
    .tp_as_async = &chain_as_async,
    .tp_as_mapping = &chain_as_mapping,
    .tp_as_number = &chain_as_number,
    .tp_methods = chain_methods,
    .tp_getset = chain_getset,
};
