/* The module: Monitor and GeneratorObject, of which ohwait/monitor.py makes the public classes, and OOBData. */
#include "monitor.h"

/* ---- channels ---- */

static int channel_traverse(PyObject *object, visitproc visit, void *arg) { return 0; }

static void channel_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    if (((channel *)object)->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    Py_TYPE(object)->tp_free(object);
}

static PyObject *channel_send(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count > 1) {
        PyErr_Format(PyExc_TypeError, "oob() takes at most 1 argument (%zd given)", count);
        return NULL;
    }
    return mon_message_new((channel *)self, count == 1 ? args[0] : Py_None);
}

static PyObject *monitor_oob(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    if (keywords != NULL && count == 0 && PyTuple_GET_SIZE(keywords) == 1 &&
        PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "data") == 0) {
        count = 1;
    }
    else if (keywords != NULL && PyTuple_GET_SIZE(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "oob() takes one argument, `data`");
        return NULL;
    }
    return channel_send(self, args, count);
}

static PyObject *monitor_aawait(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"coro", "data", NULL};
    PyObject *coroutine, *data = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O:aawait", names, &coroutine, &data)) {
        return NULL;
    }
    return mon_wait_new((channel *)self, coroutine, data, false);
}

static PyObject *monitor_athrow(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"coro", "exc", NULL};
    PyObject *coroutine, *error;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO:athrow", names, &coroutine, &error)) {
        return NULL;
    }
    PyObject *exception = mon_exception_of(&error, 1);
    PyObject *made = exception == NULL ? NULL : mon_wait_new((channel *)self, coroutine, exception, true);
    Py_XDECREF(exception);
    return made;
}

static PyObject *generator_ayield(PyObject *self, PyObject *value) { return mon_message_new((channel *)self, value); }

static PyObject *generator_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"coro", NULL};
    PyObject *coroutine;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:GeneratorObject", names, &coroutine)) {
        return NULL;
    }
    return mon_iterator_new((channel *)self, coroutine);
}

static PyMemberDef channel_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(channel, weakrefs), READONLY, NULL},
    {NULL},
};

PyTypeObject mon_channel_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._monitor.Channel",
    .tp_doc = "What a Monitor and a GeneratorObject have in common.",
    .tp_basicsize = sizeof(channel),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_weaklistoffset = offsetof(channel, weakrefs),
    .tp_dealloc = channel_dealloc,
    .tp_traverse = channel_traverse,
    .tp_members = channel_members,
};

static PyMethodDef monitor_methods[] = {
    {"oob", (PyCFunction)(void (*)(void))monitor_oob, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"aawait", (PyCFunction)(void (*)(void))monitor_aawait, METH_VARARGS | METH_KEYWORDS, NULL},
    {"athrow", (PyCFunction)(void (*)(void))monitor_athrow, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL},
};

static PyTypeObject monitor_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._monitor.MonitorBase",
    .tp_doc = "What ohwait.monitor.Monitor does in C.",
    .tp_basicsize = sizeof(channel),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_base = &mon_channel_type,
    .tp_new = PyType_GenericNew,
    .tp_methods = monitor_methods,
};

static PyMethodDef generator_methods[] = {
    {"ayield", generator_ayield, METH_O, NULL},
    {NULL},
};

PyTypeObject mon_generator_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._monitor.GeneratorBase",
    .tp_doc = "What ohwait.monitor.GeneratorObject does in C.",
    .tp_basicsize = sizeof(channel),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_base = &mon_channel_type,
    .tp_new = PyType_GenericNew,
    .tp_call = generator_call,
    .tp_methods = generator_methods,
};

/* ---- OOBData ---- */

typedef struct {
    PyBaseExceptionObject base;
    PyObject *data;         /* Owned; NULL before __init__ */
} oob_data;

static int oob_data_init(PyObject *object, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"data", NULL};
    PyObject *data = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:OOBData", names, &data)) {
        return -1;
    }
    Py_XSETREF(((oob_data *)object)->data, Py_NewRef(data));
    return 0;
}

static PyTypeObject *base_type(void) { return (PyTypeObject *)PyExc_Exception; }

static int oob_data_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((oob_data *)object)->data);
    return base_type()->tp_traverse(object, visit, arg);
}

static int oob_data_clear(PyObject *object)
{
    Py_CLEAR(((oob_data *)object)->data);
    return base_type()->tp_clear(object);
}

static void oob_data_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    oob_data_clear(object);
    Py_TYPE(object)->tp_free(object);
}

static PyMemberDef oob_data_members[] = {
    {"data", T_OBJECT, offsetof(oob_data, data), 0, "What Monitor.oob() was called with."},
    {NULL},
};

PyTypeObject mon_oob_data_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait.monitor.OOBData",
    .tp_doc = "Raised by awaiting a Monitor: the coroutine has sent `data` and waits.\n\n"
              "Await the monitor again to go on, with or without an answer.",
    .tp_basicsize = sizeof(oob_data),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_dealloc = oob_data_dealloc,
    .tp_traverse = oob_data_traverse,
    .tp_clear = oob_data_clear,
    .tp_init = oob_data_init,
    .tp_members = oob_data_members,
};

/* ---- the module ---- */

static PyObject *configure(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"refusal", NULL};
    PyObject *callable;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "$O:configure", names, &callable)) {
        return NULL;
    }
    mon_set_refusal(callable);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"configure", (PyCFunction)(void (*)(void))configure, METH_VARARGS | METH_KEYWORDS,
     "configure(*, refusal): set what makes the module's errors, refusal(kind, channel)."},
    {NULL},
};

static int add_types(PyObject *module)
{
    mon_oob_data_type.tp_base = base_type();
    const struct { const char *name; PyTypeObject *type; } all[] = {
        {"Channel", &mon_channel_type}, {"MonitorBase", &monitor_type}, {"GeneratorBase", &mon_generator_type},
        {"Message", &mon_message_type}, {"Wait", &mon_wait_type}, {"Step", &mon_step_type},
        {"Parked", &mon_parked_type}, {"GeneratorObjectIterator", &mon_iterator_type}, {"OOBData", &mon_oob_data_type},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(all); i++) {
        if (PyType_Ready(all[i].type) < 0 ||
            PyModule_AddObjectRef(module, all[i].name, (PyObject *)all[i].type) < 0) {
            return -1;
        }
    }
    return 0;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ohwait._monitor",
    .m_doc = "Coroutines that talk with whoever awaits them (ohwait.monitor).",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__monitor(void)
{
    PyObject *module = mon_names_init() < 0 ? NULL : PyModule_Create(&definition);
    if (module != NULL && add_types(module) < 0) {
        Py_CLEAR(module);
    }
    return module;
}
