/* The operators that a landing uses on its chain besides SEND, and what happens at its end:
 *
 *     ~chain          landings that are not prepared: the frames come back              -> chain
 *     chain % exc     `exc` arrived at the landing (throw, close, a finished throw)     -> chain
 *     -chain          tight landings: what was yielded
 *     chain[value]    tight landings: drive the awaitable with a sent value             -> chain
 *     bool(chain)     tight landings, and 3.11's handler: it has yielded (again)
 */
#include "chain.h"

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
    ohw_attachment before = ohw_attach(ts, &chain->lifted, chain->words, (PyObject *)chain);
    if (!PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit)) {
        chain->yielded = ohw_chain_throw_on(chain, &exception, 1);
    }
    else {
        PyObject *source = Py_NewRef(chain->source), *closed = ohw_close_source(source);
        ohw_chain_finish(chain, closed != NULL ? Py_NewRef(exception) : py_take_raised(), true, true);
        Py_XDECREF(closed);
        Py_DECREF(source);
    }
    ohw_detach(ts, &chain->lifted, before);
}

/* The frames go on although the source was not driven while they were away: tell those who listen. */
static void announce(PyThreadState *ts, ohw_chain *chain)
{
    PyObject *outcome = Py_NewRef(chain->outcome);
    ohw_attachment before = ohw_attach(ts, &chain->lifted, chain->words, (PyObject *)chain);
    bool host_reported = chain->goes_on ? PY_HOST_REPORTS_ITSELF : PY_THROW_INTO_HOST_IS_REPORTED && chain->handled;
    int status = ohw_report_resumed(ts, &chain->lifted, !host_reported, chain->failed ? outcome : NULL);
    ohw_detach(ts, &chain->lifted, before);
    Py_DECREF(outcome);
    if (status < 0) {
        ohw_chain_finish(chain, py_take_raised(), true, false);
    }
}

static void announce_if_heard(PyThreadState *ts, ohw_chain *chain)
{
    if (!chain->announced && ohw_listened_to(ts)) {
        announce(ts, chain);
    }
}

int ohw_chain_come_back(PyThreadState *ts, ohw_chain *chain)
{
    ohw_give_back_room(&chain->lifted);
    announce_if_heard(ts, chain);
    int status = ohw_reserve(ts, &chain->lifted, chain->words);
    chain->stranded = status < 0;
    return status;
}

PyObject *ohw_landing_thrown(PyObject *self, PyObject *exception)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyThreadState *ts = py_thread();
    if (Py_TYPE(self) != &ohw_chain_type || !PyExceptionInstance_Check(exception) || !chain->lifted.away ||
        py_current(ts) != chain->lifted.host) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    if (chain->stranded) {      /* its frames cannot come back: the exception leaves the host */
        py_raise(Py_NewRef(exception));
        return NULL;
    }
    if (ohw_chain_refuses(ts, chain)) {
        if (PY_CLEARS_FAILED_FRAMES && (chain->yielded = ohw_chain_yield_refusal(ts, chain)) != NULL) {
            return Py_NewRef(self);
        }
        ohw_chain_decline(ts, chain, 1);
        return NULL;
    }
    chain->handled = true;
    py_pacify_landing(ts, py_code(chain->lifted.host));
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
            ohw_chain_finish(chain, Py_NewRef(exception), true, true);
        }
    }
    return chain->prepared && ohw_chain_come_back(ts, chain) < 0 ? NULL : Py_NewRef(self);
}

#if OHW_ARCH_KNOWN
/* A `for` statement drives the host in the loop of the function that it is in: _resume will drive it from C instead. */
static PyObject *go_round(PyThreadState *ts, ohw_chain *chain)
{
    if (ohw_reserve_call(ts) < 0) {
        chain->stranded = true;
        return NULL;
    }
    return Py_NewRef((PyObject *)chain);
}

/* Does not return where it is called, except with an error. */
static PyObject *resume_slice(PyThreadState *ts, ohw_chain *chain)
{
    ohw_lifted *lifted = &chain->lifted;
    ohw_slice *slice = chain->slice;
    if (lifted->listeners != ohw_listeners_version(ts) &&
        (py_refresh_instrumentation(ts, lifted->home.code) < 0 ||
         ohw_let_listeners_in(ts, lifted->top, lifted->bottom) < 0)) {
        PyErr_WriteUnraisable((PyObject *)chain);
    }
    ohw_end_quiet(ts);
    chain->slice = NULL;
    ohw_forget_landing_stack(chain);
    (void)ohw_bring_back(ts, slice, lifted);
    ohw_remember_landing_stack(chain);
    chain->slice = slice;
    if (ohw_caller_in_loop(lifted->host) != NULL) {
        PyErr_Clear();
        return go_round(ts, chain);
    }
    chain->kept = true;
    ohw_chain_decline(ts, chain, -1);
    return NULL;
}

/* A slice, and it cannot be resumed here: drive() or an earlier attempt has found out. */
static PyObject *refuse_slice(PyThreadState *ts, ohw_chain *chain)
{
    if (ohw_caller_in_loop(chain->lifted.host) != NULL) {
        return go_round(ts, chain);
    }
    if (ohw_chain_refuses(ts, chain) && !PY_CLEARS_FAILED_FRAMES) {     /* there the landing's handler does */
        ohw_chain_decline(ts, chain, -1);
    }
    return NULL;
}
#endif

PyObject *ohw_landing_finished(PyObject *self)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyThreadState *ts = py_thread();
    if (!chain->lifted.away || (chain->outcome == NULL && chain->slice == NULL) || chain->lifted.reserved != NULL ||
        py_current(ts) != chain->lifted.host) {
        PyErr_SetString(PyExc_TypeError, "bad operand type for unary ~: 'ohwait._core.Chain'");
        return NULL;
    }
#if OHW_ARCH_KNOWN
    if ((chain->outcome == NULL || chain->kept) && ohw_chain_is_elsewhere(ts, chain)) {
        return refuse_slice(ts, chain);
    }
    if (chain->slice != NULL) {
        announce_if_heard(ts, chain);
        return resume_slice(ts, chain);
    }
#endif
    return ohw_chain_come_back(ts, chain) < 0 ? NULL : Py_NewRef(self);
}

PyObject *ohw_landing_yielded(PyObject *self)
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

PyObject *ohw_landing_sent(PyObject *self, PyObject *value)
{
    ohw_chain *chain = (ohw_chain *)self;
    PyObject *result;
    PySendResult status = ohw_chain_advance(chain, value, &result);
    if (status == PYGEN_NEXT) {
        chain->yielded = result;
    }
    return status == PYGEN_ERROR ? NULL : Py_NewRef(self);
}

int ohw_landing_waits(PyObject *self) { return ((ohw_chain *)self)->yielded != NULL; }

PyObject *ohw_chain_deliver(ohw_chain *chain)
{
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

/* The frames are back before their awaitable goes on: most finish then.  `chain` is stolen. */
static PyObject *run_on(PyThreadState *ts, py_frame *resume, ohw_chain *chain)
{
    PyObject *source = chain->source, *value = chain->outcome;
    chain->source = chain->outcome = NULL;
    Py_DECREF(chain);
    py_set_current(ts, py_caller(resume));
    PyObject *result = ohw_run(ts, resume, NULL, source, value);
    Py_DECREF(value);
    py_set_current(ts, resume);
    return result;
}

#if OHW_ARCH_KNOWN
/* The host waits at its landing again, and is driven from C, where its slice can take over the loop.  `resume` returns
 * into `caller`, which gets what comes of it as if the host, in its own loop, had yielded, returned or failed.
 * `chain` is stolen. */
static PyObject *drive_from_c(PyThreadState *ts, py_frame *resume, ohw_chain *chain, py_frame *caller)
{
    PyObject *result, *driven = ohw_leave_caller(ts, chain->lifted.host, (PyObject *)chain);
    py_set_caller(resume, caller);
    py_set_current(ts, caller);
    PySendResult status = PyIter_Send(driven, Py_None, &result);
    py_set_current(ts, resume);
    if (status == PYGEN_NEXT) {
        py_expect_yielded(caller);
    }
    Py_DECREF(driven);
    return result;
}
#endif

PyObject *ohw_chain_resume(PyThreadState *ts, py_frame *resume)
{
    PyObject *argument = py_take_argument(resume);
    ohw_chain *chain = (ohw_chain *)argument;
#if OHW_ARCH_KNOWN
    if (argument != NULL && Py_TYPE(argument) == &ohw_chain_type && chain->slice != NULL && chain->lifted.away &&
        py_caller(resume) == chain->lifted.host) {
        py_frame *caller = ohw_caller_in_loop(chain->lifted.host);
        if (caller != NULL) {
            ohw_release_call(ts);
            return drive_from_c(ts, resume, chain, caller);
        }
    }
#endif
    if (argument == NULL || Py_TYPE(argument) != &ohw_chain_type || !chain->lifted.away ||
        chain->lifted.reserved == NULL || py_caller(resume) != chain->lifted.host) {
        Py_XDECREF(argument);
        PyErr_SetString(PyExc_SystemError, "ohwait: _resume() was not called by a landing in the same interpreter loop");
        return NULL;
    }
    ohw_splice(ts, resume, &chain->lifted, chain->words);
    return chain->goes_on ? run_on(ts, resume, chain) : ohw_chain_deliver(chain);
}
