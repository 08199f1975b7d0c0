/* C functions that call back with as much as possible in registers and on the stack: what a suspension must keep. */
#include <Python.h>
#include <alloca.h>
#include <string.h>

/* callback(i) for each i; all numbers are needed after each call. */
static PyObject *many_values(PyObject *self, PyObject *callback)
{
    long a = 1, b = 2, c = 3, d = 5, e = 7, f = 11, g = 13, h = 17;
    double x = 0.5, y = 0.25, z = 0.125;
    for (long i = 0; i < 4; i++) {
        PyObject *result = PyObject_CallFunction(callback, "l", i);
        if (result == NULL) {
            return NULL;
        }
        long n = PyLong_AsLong(result);
        Py_DECREF(result);
        a += n * b; b += n * c; c += n * d; d += n * e; e += n * f; f += n * g; g += n * h; h += n * a;
        x += n * y; y += n * z; z += n * x;
    }
    return Py_BuildValue("llllllllddd", a, b, c, d, e, f, g, h, x, y, z);
}

/* A frame whose size is known only when it runs. */
static PyObject *sized_frame(PyObject *self, PyObject *args)
{
    Py_ssize_t size;
    PyObject *callback;
    if (!PyArg_ParseTuple(args, "nO", &size, &callback)) {
        return NULL;
    }
    unsigned char *area = alloca((size_t)size);
    for (Py_ssize_t i = 0; i < size; i++) {
        area[i] = (unsigned char)(i * 7);
    }
    PyObject *result = PyObject_CallNoArgs(callback);
    if (result == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        if (area[i] != (unsigned char)(i * 7)) {
            Py_DECREF(result);
            PyErr_Format(PyExc_AssertionError, "byte %zd of %zd was changed", i, size);
            return NULL;
        }
    }
    return result;
}

/* Its own address is known outside while it waits, as C code's lists and queues on the stack are. */
typedef struct node { struct node *next; PyObject *value; } node;

static PyObject *linked(node *list, long depth, PyObject *callback)
{
    node own = {list, PyLong_FromLong(depth)};
    PyObject *result = depth == 0 ? PyObject_CallNoArgs(callback) : linked(&own, depth - 1, callback);
    if (result != NULL && depth == 0) {
        for (node *each = &own; each != NULL; each = each->next) {
            if (PyList_Append(result, each->value) < 0) {
                Py_CLEAR(result);
                break;
            }
        }
    }
    Py_DECREF(own.value);
    return result;
}

static PyObject *linked_list(PyObject *self, PyObject *args)
{
    long depth;
    PyObject *callback;
    if (!PyArg_ParseTuple(args, "lO", &depth, &callback)) {
        return NULL;
    }
    return linked(NULL, depth, callback);
}

/* The largest alignment that compilers use on the stack. */
static PyObject *aligned_frame(PyObject *self, PyObject *callback)
{
    _Alignas(64) unsigned char area[192];
    memset(area, 0x5a, sizeof area);
    unsigned char *volatile where = area;
    PyObject *result = PyObject_CallNoArgs(callback);
    if (result != NULL && ((uintptr_t)where % 64 != 0 || where[191] != 0x5a || where[0] != 0x5a)) {
        Py_CLEAR(result);
        PyErr_SetString(PyExc_AssertionError, "the aligned area has moved or changed");
    }
    return result;
}

static PyMethodDef functions[] = {
    {"many_values", many_values, METH_O, NULL},
    {"sized_frame", sized_frame, METH_VARARGS, NULL},
    {"linked_list", linked_list, METH_VARARGS, NULL},
    {"aligned_frame", aligned_frame, METH_O, NULL},
    {NULL},
};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "calling_back", .m_methods = functions};

PyMODINIT_FUNC PyInit_calling_back(void) { return PyModule_Create(&definition); }
