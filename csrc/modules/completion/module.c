/* The extension module ohwait._completion: its names, what the Python side gives it, and the capsule. */
#include "completion.h"

ohw_python ohw_py;

static PyObject *module_configure(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"get_running_loop", "park", "token", "cancelled", "task_cancelled",
                            "state_error", "loop_error", "abandoned", NULL};
    ohw_python given;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "$OOOOOOOO:configure", names, &given.get_running_loop, &given.park,
                                     &given.token, &given.cancelled, &given.task_cancelled, &given.state_error,
                                     &given.loop_error, &given.abandoned)) {
        return NULL;
    }
    PyObject **objects = (PyObject **)&given;
    for (size_t i = 0; i < sizeof(given) / sizeof(PyObject *); i++) {
        Py_INCREF(objects[i]);
    }
    ohw_py = given;     /* What was given before stays: somebody may be using it. */
    Py_RETURN_NONE;
}

static PyObject *module_end(PyObject *module, PyObject *Py_UNUSED(none))
{
    ohw_helper_end();
    Py_RETURN_NONE;
}

static PyObject *module_after_fork(PyObject *module, PyObject *Py_UNUSED(none))
{
    ohw_mailboxes_after_fork();
    if (ohw_helper_after_fork() < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *module_free_spares(PyObject *module, PyObject *Py_UNUSED(none))
{
    ohw_waiter_free_spares();
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"configure", (PyCFunction)(void (*)(void))module_configure, METH_VARARGS | METH_KEYWORDS,
     "configure(*, ...): the functions and errors that the Python side has for this module."},
    {"end", module_end, METH_NOARGS, "end(): settle what was completed, end the helper thread; accept nothing more."},
    {"after_fork", module_after_fork, METH_NOARGS, "after_fork(): in the child."},
    {"free_spares", module_free_spares, METH_NOARGS, "free_spares(): give spare memory back, for leak checks."},
    {NULL},
};

/* Have Python call two of the functions when it ends, and in a forked child. */
static int register_hooks(PyObject *module)
{
    PyObject *end = PyObject_GetAttrString(module, "end"), *after = PyObject_GetAttrString(module, "after_fork");
    PyObject *atexit = PyImport_ImportModule("atexit"), *os = PyImport_ImportModule("os"), *done = NULL;
    if (end != NULL && after != NULL && atexit != NULL && os != NULL) {
        done = PyObject_CallMethod(atexit, "register", "O", end);
    }
    if (done != NULL && PyObject_HasAttrString(os, "register_at_fork")) {
        PyObject *nothing = PyTuple_New(0), *keywords = Py_BuildValue("{sO}", "after_in_child", after);
        PyObject *function = PyObject_GetAttrString(os, "register_at_fork");
        Py_SETREF(done, nothing && keywords && function ? PyObject_Call(function, nothing, keywords) : NULL);
        Py_XDECREF(nothing);
        Py_XDECREF(keywords);
        Py_XDECREF(function);
    }
    int status = done == NULL ? -1 : 0;
    Py_XDECREF(done);
    Py_XDECREF(end);
    Py_XDECREF(after);
    Py_XDECREF(atexit);
    Py_XDECREF(os);
    return status;
}

static int execute(PyObject *module)
{
    if (ohw_mailbox_init() < 0 || ohw_run_init() < 0 || PyType_Ready(&ohw_completion_type) < 0 ||
        PyType_Ready(&ohw_waiter_type) < 0 || PyType_Ready(&ohw_mailbox_type) < 0 ||
        PyModule_AddObjectRef(module, "Completion", (PyObject *)&ohw_completion_type) < 0 ||
        PyModule_AddObjectRef(module, "Waiter", (PyObject *)&ohw_waiter_type) < 0) {
        return -1;
    }
    PyObject *capsule = PyCapsule_New((void *)&ohw_api, OHWAIT_CAPSULE, NULL);
    int status = capsule == NULL ? -1 : PyModule_AddObjectRef(module, "_C_API", capsule);
    Py_XDECREF(capsule);
    return status < 0 ? status : register_hooks(module);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ohwait._completion",
    .m_doc = "The C part of ohwait.completion; its contract is in _completion.pyi and include/ohwait.h.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__completion(void) { return PyModuleDef_Init(&definition); }
