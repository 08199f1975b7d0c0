/* Built instead of the core for interpreters that are not supported: importing it says so. */
#include <Python.h>

static int refuse(PyObject *module)
{
    (void)module;
    PyErr_SetString(PyExc_ImportError, "ohwait does not run on this interpreter: " OHWAIT_REFUSE_REASON
                                       ".  Supported: CPython 3.11 to 3.15 with the GIL.");
    return -1;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)refuse}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "ohwait._core", .m_slots = slots};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
