/* Driving the awaitable of a chain: what CPython does with the object on which a coroutine is suspended. */
#include "chain.h"
#include "refusal.h"

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

void ohw_chain_finish(ohw_chain *chain, PyObject *outcome, bool failed, bool thrown)
{
    Py_XSETREF(chain->outcome, outcome);
    chain->failed = failed;
    chain->thrown = thrown;
    chain->goes_on = false;
    Py_CLEAR(chain->source);
}

#if OHW_ARCH_KNOWN
bool ohw_chain_is_elsewhere(PyThreadState *ts, const ohw_chain *chain)
{
    const char *kind;
    return chain->slice != NULL && ohw_slice_objection(ts, chain->slice, &kind) != NULL;
}

bool ohw_chain_refuses(PyThreadState *ts, const ohw_chain *chain)
{
    const char *kind, *reason = chain->slice == NULL ? NULL : ohw_slice_objection(ts, chain->slice, &kind);
    if (reason != NULL) {
        ohw_refusal_raise(kind, NULL, reason);
    }
    return reason != NULL;
}

void ohw_chain_decline(PyThreadState *ts, ohw_chain *chain, int extra)
{
    if (extra >= 0 || chain->thrown) {
        ohw_shelter_throwers(chain->lifted.host);
    }
    if (extra < 0) {
        ohw_forget_landing_stack(chain);
    }
    ohw_decline(ts, chain->slice, chain->lifted.host, extra);
    if (extra < 0) {
        ohw_remember_landing_stack(chain);
    }
    chain->stranded = true;         /* the host gets the error after all, and ends */
}

PyObject *ohw_chain_yield_refusal(PyThreadState *ts, ohw_chain *chain)
{
    return ohw_yield_refusal(ts, chain->lifted.host);
}
#else
bool ohw_chain_is_elsewhere(PyThreadState *ts, const ohw_chain *chain) { return false; }

bool ohw_chain_refuses(PyThreadState *ts, const ohw_chain *chain) { return false; }

void ohw_chain_decline(PyThreadState *ts, ohw_chain *chain, int extra) {}

PyObject *ohw_chain_yield_refusal(PyThreadState *ts, ohw_chain *chain) { return NULL; }
#endif

static int enter(PyThreadState *ts, ohw_chain *chain, ohw_attachment *before)
{
    if (chain->running) {
        PyErr_SetString(PyExc_ValueError, "ohwait: this suspended call is being driven already");
        return -1;
    }
    chain->running = true;
    *before = ohw_attach(ts, &chain->lifted, chain->words, (PyObject *)chain);
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
        if (ohw_report_resumed(ts, &chain->lifted, !PY_HOST_REPORTS_ITSELF, NULL) < 0) {
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

/* Drive the source while the frames stay away. */
static PySendResult drive(PyThreadState *ts, ohw_chain *chain, PyObject *value, PyObject **result)
{
    ohw_attachment before;
    if (ohw_chain_is_elsewhere(ts, chain)) {
        if (PY_CLEARS_FAILED_FRAMES && py_current(ts) == chain->lifted.host) {
            (void)ohw_chain_refuses(ts, chain);
            *result = ohw_chain_yield_refusal(ts, chain);
            if (*result != NULL) {
                return PYGEN_NEXT;
            }
            PyErr_Clear();
        }
        if (py_current(ts) == chain->lifted.host) {
            return PYGEN_RETURN;        /* without an outcome: the landing's next step refuses */
        }
        (void)ohw_chain_refuses(ts, chain);
        return PYGEN_ERROR;
    }
    if (enter(ts, chain, &before) < 0) {
        return PYGEN_ERROR;
    }
    PySendResult status = step(ts, chain, before.host_runs, value, result);
    leave(ts, chain, before);
    if (status == PYGEN_NEXT) {
        return status;
    }
    if (PY_LANDING_IS_TRACED && before.host_runs) {
        ohw_go_quiet(ts);
    }
    ohw_chain_finish(chain, status == PYGEN_RETURN ? *result : py_take_raised(), status == PYGEN_ERROR, false);
    *result = NULL;
    return PYGEN_RETURN;
}

PySendResult ohw_chain_advance(ohw_chain *chain, PyObject *value, PyObject **result)
{
    *result = NULL;
    if (chain->yielded != NULL) {       /* first of all, at the landing */
        ohw_give_back_room(&chain->lifted);
        *result = chain->yielded;
        chain->yielded = NULL;
        return PYGEN_NEXT;
    }
    PyThreadState *ts = py_thread();
    bool at_landing = chain->lifted.away && py_current(ts) == chain->lifted.host;
    if (chain->source != NULL && at_landing && !chain->stepwise && !chain->running) {
        chain->goes_on = true;
        Py_XSETREF(chain->outcome, Py_NewRef(value));
    }
    else if (chain->source != NULL) {
        PySendResult status = drive(ts, chain, value, result);
        if (status != PYGEN_RETURN) {
            return status;
        }
    }
    return PYGEN_RETURN;
}

static void raise_stop(PyObject *value)
{
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop != NULL) {
        py_raise(stop);
    }
}

/* There is an outcome.  At a prepared landing nothing comes between SEND and `_resume`.  -1 with an exception. */
static int settle(ohw_chain *chain)
{
    PyThreadState *ts = py_thread();
    bool at_landing = chain->prepared && chain->lifted.away && chain->lifted.reserved == NULL &&
                      py_current(ts) == chain->lifted.host;
    return at_landing ? ohw_chain_come_back(ts, chain) : 0;
}

PySendResult ohw_chain_am_send(PyObject *self, PyObject *value, PyObject **result)
{
    ohw_chain *chain = (ohw_chain *)self;
    PySendResult status = ohw_chain_advance(chain, value, result);
    if (status == PYGEN_RETURN && settle(chain) < 0) {
        return PYGEN_ERROR;
    }
    if (status == PYGEN_RETURN) {
        *result = Py_NewRef(self);
    }
    return status;
}

PyObject *ohw_chain_iternext(PyObject *self)
{
    PyObject *result;
    PySendResult status = ohw_chain_advance((ohw_chain *)self, Py_None, &result);
    if (status == PYGEN_RETURN && settle((ohw_chain *)self) == 0 && PY_ITERNEXT_CARRIES_RESULT) {
        raise_stop(self);
    }
    return result;
}

PyObject *ohw_chain_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    if (ohw_chain_advance((ohw_chain *)self, value, &result) == PYGEN_RETURN) {
        raise_stop(self);
        PyObject *stop = py_take_raised();      /* made first: with the room reserved nothing may fail */
        if (PyErr_GivenExceptionMatches(stop, PyExc_StopIteration) && settle((ohw_chain *)self) < 0) {
            Py_DECREF(stop);
            return NULL;
        }
        py_raise(stop);
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

PyObject *ohw_chain_throw_on(ohw_chain *chain, PyObject *const *args, Py_ssize_t count)
{
    if (chain->source == NULL) {
        if (chain->kept) {      /* instead of what could not be delivered */
            PyObject *thrown = exception_from(args[0], count > 1 ? args[1] : NULL, count > 2 ? args[2] : NULL);
            ohw_chain_finish(chain, thrown == NULL ? py_take_raised() : thrown, true, true);
        }
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
        ohw_chain_finish(chain, returned ? value : raised, !returned, true);
    }
    Py_DECREF(source);
    return result;
}

PyObject *ohw_chain_throw(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyThreadState *ts = py_thread();
    ohw_attachment before;
    if (count < 1 || count > 3) {
        PyErr_Format(PyExc_TypeError, "throw expected 1 to 3 arguments, got %zd", count);
        return NULL;
    }
    if (ohw_chain_refuses(ts, chain)) {
        if (PY_THROW_POPS_AWAITED) {    /* only as long as it is on the host's stack the landing can say no */
            PyErr_Clear();
            raise_stop(self);
        }
        return NULL;
    }
    if (enter(ts, chain, &before) < 0) {
        return NULL;
    }
    PyObject *result = ohw_chain_throw_on(chain, args, count);
    leave(ts, chain, before);
    if (result == NULL) {
        raise_stop(self);
    }
    return result;
}

PyObject *ohw_close_source(PyObject *source)
{
    PyObject *method;
    if (ohw_lookup(source, ohw_names.close, &method) < 0) {
        return NULL;
    }
    PyObject *result = method == NULL ? Py_NewRef(Py_None) : PyObject_CallNoArgs(method);
    Py_XDECREF(method);
    return result;
}

PyObject *ohw_chain_close(PyObject *self, PyObject *Py_UNUSED(none))
{
    ohw_chain *chain = (ohw_chain *)self;
    PyThreadState *ts = py_thread();
    ohw_attachment before;
    if (chain->source == NULL) {
        Py_RETURN_NONE;
    }
    if (ohw_chain_refuses(ts, chain) || enter(ts, chain, &before) < 0) {
        return NULL;
    }
    PyObject *source = Py_NewRef(chain->source);
    PyObject *result = ohw_close_source(source);
    Py_DECREF(source);
    leave(ts, chain, before);
    return result;
}
