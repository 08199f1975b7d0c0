/* Landings: small code objects at which a host waits, one per call site, kept with the host's code object.
 *
 * A landing shares the host's variables (so that its frame reads the same to everybody) and the call's line, but has
 * instructions of its own (py_landings in cpython/py3NN.h), one exception handler and no way back into the host: the
 * hidden function `_resume`, which it calls at its end, puts the host's own position back.
 */
#include "frames/frames.h"

enum { MAX_UNITS = 96, MAX_LINE_TABLE = 64, ENOUGH_SLOTS = 16 /* for any landing */ };

typedef struct {
    int call_site;              /* code unit in the host's code */
    bool over_c;
    PyCodeObject *landing;      /* Owned */
} site;

typedef struct {
    int count;
    site sites[];
} site_table;                   /* in a code slot of the host's code object, which owns it */

/* The last landings found, by the address of the call's instruction: an entry is right as long as the code lives. */
enum { CACHE_SIZE = 64 };
static struct {
    const void *instruction;
    PyCodeObject *landing;      /* Borrowed from a site table */
} cache[2][CACHE_SIZE];        /* [1]: for the stack path */

static Py_ssize_t code_slot = -1;
PyObject *ohw_resume_function;

static void destroy_table(void *slot)
{
    site_table *table = slot;
    if (table != NULL) {
        memset(cache, 0, sizeof(cache));
        for (int i = 0; i < table->count; i++) {
            Py_DECREF(table->sites[i].landing);
        }
        PyMem_Free(table);
    }
}

int ohw_landing_init(void)
{
    code_slot = py_request_code_slot(destroy_table);
    if (code_slot < 0) {
        PyErr_SetString(PyExc_ImportError, "ohwait: this process has no free code slot (_PyEval_RequestCodeExtraIndex)");
        return -1;
    }
    return 0;
}

void ohw_set_resume_function(PyObject *function) { Py_XSETREF(ohw_resume_function, function); }

/* ---- assembling ---- */

/* First code unit of instruction number `index`. */
static int unit_of(const py_instruction *code, int index)
{
    int unit = 0;
    for (int i = 0; i < index; i++) {
        unit += 1 + code[i].caches;
    }
    return unit;
}

static int operand(const py_instruction *code, int index)
{
    int after = unit_of(code, index + 1);
    switch (code[index].kind) {
    case PY_NONE: return 0;                                     /* constants of every sequence: (None, function or hook) */
    case PY_RESUME_FUNCTION:
    case PY_HOOK: return 1;
    case PY_FORWARD: return unit_of(code, code[index].arg) - after;
    case PY_BACKWARD: return after - unit_of(code, code[index].arg);
    case PY_ARG: break;
    }
    return code[index].arg;
}

static PyObject *assemble(const py_instruction *code, int length)
{
    uint8_t bytes[2 * MAX_UNITS] = {0};
    for (int i = 0; i < length; i++) {
        int unit = unit_of(code, i);
        bytes[2 * unit] = code[i].opcode;
        bytes[2 * unit + 1] = (uint8_t)operand(code, i);
    }
    return PyBytes_FromStringAndSize((char *)bytes, 2 * unit_of(code, length));
}

/* Objects/exception_handling_notes.txt: start, length, target, depth << 1 | lasti; 6 bits a byte, the first one marked. */
static PyObject *handler_table(const py_landing *landing)
{
    int length = unit_of(landing->code, landing->guarded_end), target = unit_of(landing->code, landing->handler);
    int depth = landing->prepared ? 2 : 1;
    assert(length < 64 && target < 64);
    char bytes[] = {(char)0x80, (char)length, (char)target, (char)(depth << 1)};
    return PyBytes_FromStringAndSize(bytes, sizeof(bytes));
}

/* Objects/locations.md: runs of at most 8 units, all on the same line: `line` relative to co_firstlineno, or none. */
static PyObject *line_table(int units, bool has_line, int delta)
{
    enum { NO_COLUMNS = 13, NO_LOCATION = 15 };
    uint8_t bytes[MAX_LINE_TABLE];
    int n = 0;
    for (; units > 0; units -= 8) {
        int run = units < 8 ? units : 8;
        bytes[n++] = (uint8_t)(0x80 | (has_line ? NO_COLUMNS : NO_LOCATION) << 3 | (run - 1));
        if (has_line) {
            unsigned value = delta < 0 ? (unsigned)-delta << 1 | 1 : (unsigned)delta << 1;
            for (; value >= 64; value >>= 6) {
                bytes[n++] = (uint8_t)(64 | (value & 63));
            }
            bytes[n++] = (uint8_t)value;
            delta = 0;
        }
    }
    return PyBytes_FromStringAndSize((char *)bytes, n);
}

/* `code` with other instructions and tables; all of them stolen, NULL with an exception set if one of them is NULL. */
static PyCodeObject *replace(PyCodeObject *code, PyObject *instructions, PyObject *lines, PyObject *handlers,
                             PyObject *constant, int stack)
{
    PyObject *result = NULL;
    if (instructions != NULL && lines != NULL && handlers != NULL) {
        PyObject *changes = Py_BuildValue("{sO sO sO s(OO) si}", "co_code", instructions, "co_linetable", lines,
                                          "co_exceptiontable", handlers, "co_consts", Py_None, constant,
                                          "co_stacksize", stack);
        PyObject *name = changes == NULL ? NULL : PyUnicode_InternFromString("replace");
        PyObject *method = name == NULL ? NULL : PyObject_GetAttr((PyObject *)code, name);
        PyObject *none = method == NULL ? NULL : PyTuple_New(0);
        result = none == NULL ? NULL : PyObject_Call(method, none, changes);
        Py_XDECREF(changes);
        Py_XDECREF(name);
        Py_XDECREF(method);
        Py_XDECREF(none);
    }
    Py_XDECREF(instructions);
    Py_XDECREF(lines);
    Py_XDECREF(handlers);
    return (PyCodeObject *)result;
}

/* That for a host with a value stack of so many slots; NULL if there is none. */
static const py_landing *shape_for(int slots, bool over_c)
{
    const py_landing *shape = py_landings, *end = shape + sizeof(py_landings) / sizeof(*py_landings);
    while (shape < end && (shape->stack > slots || (over_c && shape->prepared))) {
        shape++;
    }
    return shape < end ? shape : NULL;
}

int ohw_slots_to_delegate(void)
{
    int slots = INT_MAX;
    for (size_t i = 0; i < sizeof(py_landings) / sizeof(*py_landings); i++) {
        slots = py_landings[i].delegates && py_landings[i].stack < slots ? py_landings[i].stack : slots;
    }
    return slots;
}

ohw_waiting ohw_waiting_at(const PyCodeObject *landing)
{
    static ohw_waiting known[ENOUGH_SLOTS + 1];     /* by the size of the value stack */
    int slots = landing->co_stacksize < ENOUGH_SLOTS ? landing->co_stacksize : ENOUGH_SLOTS;
    if (known[slots].entries == 0) {
        const py_landing *shape = shape_for(slots, true);
        int yield = 0;
        while (shape->code[yield].opcode != YIELD_VALUE) {
            yield++;
        }
        known[slots] = (ohw_waiting){unit_of(shape->code, yield + 1), shape->stack - 1, shape->delegates};
    }
    return known[slots];
}

static PyCodeObject *make_landing(PyCodeObject *code, int call_site, bool over_c)
{
    const py_landing *shape = shape_for(code->co_stacksize, over_c);
    if (shape == NULL) {
        PyErr_Format(PyExc_SystemError, "ohwait: %U has a value stack of %d, too small for any call", code->co_qualname,
                     code->co_stacksize);
        return NULL;
    }
    int line = PyCode_Addr2Line(code, call_site * (int)sizeof(_Py_CODEUNIT));
    PyObject *lines = line_table(unit_of(shape->code, shape->length), line >= 0, line - code->co_firstlineno);
    PyCodeObject *landing = replace(code, assemble(shape->code, shape->length), lines, handler_table(shape),
                                    ohw_resume_function, code->co_stacksize);
    if (landing != NULL) {
        py_prepare_landing(landing);
    }
    return landing;
}

/* ---- looking up ---- */

static site *find(site_table *table, int call_site, bool over_c)
{
    for (int i = 0; table != NULL && i < table->count; i++) {
        if (table->sites[i].call_site == call_site && table->sites[i].over_c == over_c) {
            return &table->sites[i];
        }
    }
    return NULL;
}

/* Stolen: landing, also on failure.  Borrowed: the landing of this site from now on; NULL with MemoryError. */
static PyCodeObject *remember(PyCodeObject *code, int call_site, bool over_c, PyCodeObject *landing)
{
    site_table *old = py_get_code_slot(code, code_slot);
    site *known = find(old, call_site, over_c);
    if (known != NULL) {
        Py_DECREF(landing);     /* somebody else made it meanwhile */
        return known->landing;
    }
    int count = old == NULL ? 0 : old->count;
    site_table *table = PyMem_Malloc(sizeof(site_table) + (size_t)(count + 1) * sizeof(site));
    if (table == NULL) {
        Py_DECREF(landing);
        PyErr_NoMemory();
        return NULL;
    }
    table->count = count + 1;
    table->sites[0] = (site){call_site, over_c, landing};
    if (old != NULL) {
        memcpy(table->sites + 1, old->sites, (size_t)count * sizeof(site));
        old->count = 0;         /* its landings have moved; the slot destroys it when it takes the new one */
    }
    if (py_set_code_slot(code, code_slot, table) == 0) {
        return landing;
    }
    if (old != NULL) {
        old->count = count;
    }
    Py_DECREF(landing);
    PyMem_Free(table);
    if (!PyErr_Occurred()) {
        PyErr_NoMemory();       /* CPython before 3.14 does not say so */
    }
    return NULL;
}

static PyCodeObject *find_or_make(PyCodeObject *code, int call_site, bool over_c)
{
    site *known = find(py_get_code_slot(code, code_slot), call_site, over_c);
    if (known != NULL) {
        return known->landing;
    }
    /* Making one may run Python code (the collector, audit hooks), and that may suspend here too. */
    PyCodeObject *landing = make_landing(code, call_site, over_c);
    return landing == NULL ? NULL : remember(code, call_site, over_c, landing);
}

PyCodeObject *ohw_landing_for(py_frame *host, bool over_c)
{
    const void *instruction = py_get_position(host).instruction;
    size_t entry = (uintptr_t)instruction / sizeof(_Py_CODEUNIT) % CACHE_SIZE;
    PyCodeObject *landing = cache[over_c][entry].landing;
    if (cache[over_c][entry].instruction != instruction) {
        landing = find_or_make(py_code(host), py_call_site(host), over_c);
        if (landing != NULL) {
            cache[over_c][entry].instruction = instruction;
            cache[over_c][entry].landing = landing;
        }
    }
    return landing;
}

/* ---- hidden functions ---- */

PyObject *ohw_hidden_function(PyObject *model, PyObject *hook)
{
    int length = Py_ARRAY_LENGTH(py_hidden);
    PyCodeObject *old = (PyCodeObject *)PyFunction_GET_CODE(model);
    PyCodeObject *code = replace(old, assemble(py_hidden, length), line_table(unit_of(py_hidden, length), false, 0),
                                 PyBytes_FromStringAndSize(NULL, 0), hook, 2);
    PyObject *function = NULL;
    if (code != NULL && py_silence(code) == 0) {
        function = PyFunction_New((PyObject *)code, PyFunction_GET_GLOBALS(model));
        if (function != NULL) {
            py_allow_specialised_calls(py_thread(), function);
        }
    }
    Py_XDECREF(code);
    return function;
}
