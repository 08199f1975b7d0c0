/* Link: one plain frame of a suspended chain, for whoever walks cr_await (asyncio.capture_call_graph, trio's
 * Task.iter_await_frames, debuggers).  The Chain stands for the outermost plain frame, the first Link for the next. */
#include "chain.h"

typedef struct {
    PyObject_HEAD
    ohw_chain *chain;           /* Owned */
    int number;                 /* plain frames below it */
} link_object;

/* The lifted frame with `number` others below it, or NULL; frames that are CPython's own do not count. */
static py_frame *frame_number(ohw_chain *chain, int number)
{
    ohw_lifted *lifted = &chain->lifted;
    int count = 0;
    if (!lifted->away) {
        return NULL;
    }
    ohw_wake(lifted, chain->words);
    for (py_frame *frame = lifted->top; frame != NULL; frame = py_caller_beyond_c(frame)) {
        count += py_is_complete(frame);
        if (frame == lifted->bottom) {
            break;
        }
    }
    for (py_frame *frame = lifted->top; frame != NULL && number < count; frame = py_caller_beyond_c(frame)) {
        if (py_is_complete(frame) && --count == number) {
            return frame;
        }
    }
    return NULL;
}

PyObject *ohw_link_frame(ohw_chain *chain, int number)
{
    py_frame *frame = frame_number(chain, number);
    if (frame == NULL) {
        Py_RETURN_NONE;
    }
    PyFrameObject *object = py_frame_object(py_thread(), frame);
    return object == NULL ? PyErr_NoMemory() : Py_NewRef((PyObject *)object);
}

PyObject *ohw_link_awaits(ohw_chain *chain, int number)
{
    if (frame_number(chain, number + 1) == NULL) {
        return Py_NewRef(chain->source == NULL ? Py_None : chain->source);
    }
    link_object *link = PyObject_GC_New(link_object, &ohw_link_type);
    if (link != NULL) {
        link->chain = (ohw_chain *)Py_NewRef(chain);
        link->number = number + 1;
        PyObject_GC_Track(link);
    }
    return (PyObject *)link;
}

static void link_dealloc(link_object *link)
{
    PyObject_GC_UnTrack(link);
    Py_XDECREF(link->chain);
    PyObject_GC_Del(link);
}

static int link_traverse(link_object *link, visitproc visit, void *arg)
{
    Py_VISIT(link->chain);
    return 0;
}

static int link_clear(link_object *link)
{
    Py_CLEAR(link->chain);
    return 0;
}

static PyObject *link_cr_frame(link_object *link, void *Py_UNUSED(closure))
{
    return ohw_link_frame(link->chain, link->number);
}

static PyObject *link_cr_await(link_object *link, void *Py_UNUSED(closure))
{
    return ohw_link_awaits(link->chain, link->number);
}

static PyGetSetDef link_getset[] = {
    {"cr_frame", (getter)link_cr_frame, NULL, "the plain function's frame; None once it runs again", NULL},
    {"cr_await", (getter)link_cr_await, NULL, "the next Link, or in the end the awaitable's iterator", NULL},
    {NULL},
};
PyTypeObject ohw_link_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._core.Link",
    .tp_doc = "One plain call of a suspended chain.",
    .tp_basicsize = sizeof(link_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)link_dealloc,
    .tp_traverse = (traverseproc)link_traverse,
    .tp_clear = (inquiry)link_clear,
    .tp_getset = link_getset,
};
