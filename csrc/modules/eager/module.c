/* ohwait._eager: what Python code hands over at import, the types and the functions. */
#include "eager.h"

eager_hooks hooks;
eager_names names;

static struct {
    const char *name;
    PyObject **place;
} const hook_places[] = {
    {"running_loop", &hooks.running_loop}, {"swap", &hooks.swap},           {"current", &hooks.current},
    {"eager_task", &hooks.eager_task},     {"stand_in", &hooks.stand_in},
    {"cancelled", &hooks.cancelled},       {"invalid_state", &hooks.invalid_state},
    {"plain_loop", &hooks.plain_loop},     {"owner", &hooks.owner},         {"withdraw", &hooks.withdraw},
    {"foreign", &hooks.foreign},           {"elsewhere", &hooks.elsewhere}, {"is_coroutine", &hooks.is_coroutine},
    {"decorate", &hooks.decorate},
};

/* configure(**hooks): None stands for what this asyncio does not have. */
static PyObject *eager_configure(PyObject *module, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) != 0) {
        PyErr_SetString(PyExc_TypeError, "configure() takes keyword arguments only");
        return NULL;
    }
    for (size_t i = 0; i < Py_ARRAY_LENGTH(hook_places); i++) {
        PyObject *hook = kwargs == NULL ? NULL : PyDict_GetItemString(kwargs, hook_places[i].name);
        if (hook != NULL) {
            Py_XSETREF(*hook_places[i].place, hook == Py_None ? NULL : Py_NewRef(hook));
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"configure", (PyCFunction)(void (*)(void))eager_configure, METH_VARARGS | METH_KEYWORDS,
     "configure(**hooks): what the module needs of asyncio and of the package's Python code; see eager.h."},
    {"coro_eager", (PyCFunction)(void (*)(void))eager_coro_eager, METH_FASTCALL | METH_KEYWORDS,
     "coro_eager($module, coro, /, *, task_factory=None, context=None)\n--\n\n"
     "Start a coroutine now; a Future if it finishes at once, otherwise a Task that goes on with it."},
    {"eager", (PyCFunction)(void (*)(void))eager_eager, METH_FASTCALL | METH_KEYWORDS,
     "eager($module, coro_or_function, /, *, task_factory=None, context=None)\n--\n\n"
     "Start a coroutine now (coro_eager), or make an async function whose calls start at once (func_eager)."},
    {NULL},
};

static struct {
    const char *text;
    PyObject **place;
} const interned[] = {
    {"send", &names.send},
    {"throw", &names.throw},
    {"close", &names.close},
    {"cancel", &names.cancel},
    {"done", &names.done},
    {"trio", &names.trio},
    {"create_future", &names.create_future},
    {"set_result", &names.set_result},
    {"set_exception", &names.set_exception},
    {"create_task", &names.create_task},
    {"get_task_factory", &names.get_task_factory},
    {"_asyncio_future_blocking", &names.blocking},
    {"_made", &names.made},
};

static int intern_names(void)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(interned); i++) {
        *interned[i].place = PyUnicode_InternFromString(interned[i].text);
        if (*interned[i].place == NULL) {
            return -1;
        }
    }
    names.context_kws = Py_BuildValue("(s)", "context");
    names.eager_kws = Py_BuildValue("(sss)", "loop", "context", "eager_start");
    return names.context_kws == NULL || names.eager_kws == NULL ? -1 : 0;
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec, const char *name)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type != NULL && PyModule_AddObjectRef(module, name, type) < 0) {
        Py_CLEAR(type);
    }
    return (PyTypeObject *)type;    /* kept for ever: the C code names it */
}

static int execute(PyObject *module)
{
    if (intern_names() < 0) {
        return -1;
    }
    eager_start_type = add_type(module, &eager_start_spec, "CoroStart");
    eager_continuation_type = add_type(module, &eager_continuation_spec, "Continuation");
    eager_stand_in_type = add_type(module, &eager_stand_in_spec, "StandIn");
    return eager_start_type == NULL || eager_continuation_type == NULL || eager_stand_in_type == NULL ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ohwait._eager",
    .m_doc = "The C part of ohwait.eager; its contract is in _eager.pyi.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__eager(void) { return PyModuleDef_Init(&definition); }
