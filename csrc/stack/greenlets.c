/* Which greenlet runs: asked of greenlet itself, by its C API (greenlet.h: a capsule with a table of functions). */
#include "stack/greenlets.h"

enum { GET_CURRENT = 4, GET_PARENT = 11 };
typedef PyObject *(*get_current_function)(void);                /* new reference */
typedef PyObject *(*get_parent_function)(PyObject *greenlet);   /* new reference; NULL: it is a thread's main one */

static void **api;

/* 1: greenlet has been imported.  -1 with an exception. */
static int find_api(void)
{
    static PyObject *name;
    if (api != NULL) {
        return 1;
    }
    if (name == NULL && (name = PyUnicode_InternFromString("greenlet")) == NULL) {
        return -1;
    }
    PyObject *modules = PyImport_GetModuleDict(), *module;
    if (PyDict_CheckExact(modules)) {       /* asked at each suspension: a quarter of PyImport_GetModule's time */
        module = Py_XNewRef(PyDict_GetItemWithError(modules, name));
    }
    else {
        module = PyImport_GetModule(name);
    }
    if (module == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    PyObject *capsule = PyObject_GetAttrString(module, "_C_API");
    Py_DECREF(module);
    if (capsule == NULL) {      /* it is just being imported, or something else of that name */
        PyErr_Clear();
        return 0;
    }
    api = PyCapsule_GetPointer(capsule, "greenlet._C_API");
    Py_DECREF(capsule);
    return api == NULL ? -1 : 1;
}

int ohw_current_greenlet(PyObject **reference)
{
    *reference = NULL;
    int found = find_api();
    if (found <= 0) {
        return found;
    }
    PyObject *current = ((get_current_function)api[GET_CURRENT])();
    if (current == NULL) {
        return -1;
    }
    *reference = PyWeakref_NewRef(current, NULL);
    Py_DECREF(current);
    return *reference == NULL ? -1 : 0;
}

bool ohw_in_greenlet(PyObject *reference)
{
    if (find_api() <= 0) {
        PyErr_Clear();
        return true;
    }
    PyObject *current = ((get_current_function)api[GET_CURRENT])();
    if (current == NULL) {
        PyErr_Clear();
        return false;
    }
    bool same;
    if (reference != NULL) {
        PyObject *now = PyWeakref_NewRef(current, NULL);        /* one for all who ask */
        same = now == reference;
        Py_XDECREF(now);
    }
    else {
        PyObject *parent = ((get_parent_function)api[GET_PARENT])(current);
        same = parent == NULL || parent == Py_None;
        Py_XDECREF(parent);
    }
    PyErr_Clear();
    Py_DECREF(current);
    return same;
}
