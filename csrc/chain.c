/* The Chain type: an object that drives an awaitable (drive.c), serves a landing (at_landing.c) and keeps the lifted
 * frames meanwhile (frames/). */
#include "chain.h"
#include "check.h"

/* ---- making and freeing: spare chains by capacity ---- */

enum { GRAIN = 2, CLASSES = 256, SPARES_A_CLASS = 8 };
static ohw_chain *spares[CLASSES][SPARES_A_CLASS];
static int spare_count[CLASSES];

ohw_chain *ohw_chain_new(size_t words)
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
    chain->source = chain->yielded = chain->outcome = NULL;
    chain->failed = chain->thrown = chain->running = chain->tight = chain->handled = chain->stranded = chain->announced =
        chain->goes_on = chain->stepwise = chain->prepared = chain->kept = false;
    chain->lifted.away = false;
    chain->slice = NULL;
    return chain;
}

static void chain_dealloc(ohw_chain *chain)
{
    PyObject_GC_UnTrack(chain);
    if (chain->slice != NULL) {
        ohw_slice_lose(chain->slice, &chain->lifted);
    }
    ohw_drop_lifted(&chain->lifted, chain->words);
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
    if (chain->slice != NULL) {
        int stop = ohw_visit_slice(chain->slice, visit, arg);
        if (stop != 0) {
            return stop;
        }
    }
    return ohw_visit_lifted(&chain->lifted, chain->words, visit, arg);
}

static int chain_clear(ohw_chain *chain)
{
    if (chain->slice == NULL) {
        ohw_drop_lifted(&chain->lifted, chain->words);
    }
    Py_CLEAR(chain->source);
    Py_CLEAR(chain->yielded);
    Py_CLEAR(chain->outcome);
    return 0;
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
    {"send", ohw_chain_send, METH_O, "send(value, /): drive the awaitable on, as a coroutine's send() does."},
    {"throw", (PyCFunction)(void (*)(void))ohw_chain_throw, METH_FASTCALL,
     "throw(type[, value[, traceback]]): raise an exception where the awaitable waits."},
    {"close", ohw_chain_close, METH_NOARGS, "close(): close the awaitable."},
    {NULL},
};
static PyAsyncMethods chain_as_async = {.am_await = PyObject_SelfIter, .am_send = ohw_chain_am_send};
static PyMappingMethods chain_as_mapping = {.mp_subscript = ohw_landing_sent};
static PyNumberMethods chain_as_number = {
    .nb_invert = ohw_landing_finished,
    .nb_remainder = ohw_landing_thrown,
    .nb_negative = ohw_landing_yielded,
    .nb_bool = ohw_landing_waits,
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
    .tp_iternext = ohw_chain_iternext,
    .tp_as_async = &chain_as_async,
    .tp_as_mapping = &chain_as_mapping,
    .tp_as_number = &chain_as_number,
    .tp_methods = chain_methods,
    .tp_getset = chain_getset,
};
