/* Which greenlet runs: asked of greenlet itself, by its C API (greenlet.h: a capsule with a table of functions). */
#include "stack/greenlets.h"

enum { GET_CURRENT = 4, GET_PARENT = 11 };
typedef PyObject *(*get_current_function)(void);                /* new reference */
typedef PyObject *(*get_parent_function)(PyObject *greenlet);   /* new reference; NULL: it is a thread's main one */

static void **api;

/* It is asked for at each suspension, so whether it has been imported is looked up only after sys.modules has changed. */
static PyObject *modules_without;       /* Borrowed: sys.modules, in which greenlet was not found; or NULL */

#ifdef PY_FOREACH_DICT_EVENT            /* CPython tells of changes */
static int about_to_change(PyDict_WatchEvent event, PyObject *modules, PyObject *key, PyObject *value)
{
    (void)event, (void)modules, (void)key, (void)value;
    modules_without = NULL;
    return 0;
}

static void note_absent(PyObject *modules)
{
    static PyObject *watched;           /* Borrowed: there is one sys.modules in an interpreter */
    static int watcher = -2;
    if (watcher == -2) {
        watcher = PyDict_AddWatcher(about_to_change);
        if (watcher < 0 || PyDict_Watch(watcher, modules) < 0) {
            PyErr_Clear();              /* all watchers are taken */
        }
        else {
            watched = modules;
        }
    }
    modules_without = watched == modules ? modules : NULL;
}
#else
static void note_absent(PyObject *modules) { (void)modules; }
#endif

/* 1: greenlet has been imported.  -1 with an exception. */
static int find_api(void)
{
    static PyObject *name;
    if (api != NULL) {
        return 1;
    }
    PyObject *modules = PyImport_GetModuleDict();
    if (modules == modules_without) {
        return 0;
    }
    if (name == NULL && (name = PyUnicode_InternFromString("greenlet")) == NULL) {
        return -1;
    }
    PyObject *module = PyImport_GetModule(name);
    if (module == NULL) {
        if (PyErr_Occurred()) {
            return -1;
        }
        note_absent(modules);
        return 0;
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
