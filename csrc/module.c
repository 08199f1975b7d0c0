/* The extension module ohwait._core: its functions for the Python side, and the two hidden functions. */
#include "check.h"
#include "door.h"
#include "refusal.h"
#include "stack_functions.h"

/* ---- hooks: what a hidden function's only instruction, ~hook, does ---- */

typedef struct {
    PyObject_HEAD
    PyObject *function;         /* Borrowed: the hidden function; the module keeps it for ever */
    PyObject *(*enter)(PyThreadState *ts, py_frame *frame);
} hook;

static PyObject *hook_invert(PyObject *self)
{
    PyThreadState *ts = py_thread();
    py_frame *frame = py_current(ts);
    PyObject *function = ((hook *)self)->function;
    if (function == NULL || frame == NULL || (PyObject *)py_code(frame) != PyFunction_GET_CODE(function)) {
        PyErr_SetString(PyExc_TypeError, "this object belongs to ohwait() and works nowhere else");
        return NULL;
    }
    return ((hook *)self)->enter(ts, frame);
}

static PyNumberMethods hook_as_number = {.nb_invert = hook_invert};
static PyTypeObject hook_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._core.Hook",
    .tp_doc = "The inside of a hidden function.",
    .tp_basicsize = sizeof(hook),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_as_number = &hook_as_number,
};

static PyObject *enter_resume(PyThreadState *ts, py_frame *frame)
{
    PyObject *result = ohw_chain_resume(ts, frame);
    ohw_swallow_return(ts);
    return result;
}

static const char door_source[] =
    "def ohwait(awaitable, /):\n"
    "    \"\"\"Await `awaitable` from a plain function; return its result.\n"
    "\n"
    "    Takes what ``await`` takes.  If the awaitable has to wait, all plain Python functions between the call and\n"
    "    the nearest coroutine below are suspended, the event loop goes on, and they continue when it is done.\n"
    "\n"
    "    Raises what the awaitable raises; TypeError and RuntimeError as ``await`` does for what it refuses;\n"
    "    ohwait.NoCoroutineError, ohwait.CFunctionError or ohwait.BackendError, before the awaitable is started\n"
    "    (it is closed then), where no suspension is possible.\n"
    "    \"\"\"\n";
static const char resume_source[] = "def _resume(chain, /): pass\n";

/* A hidden function after the model of `source`, named `name`.  New reference. */
static PyObject *hidden_function(const char *source, const char *name, PyObject *(*enter)(PyThreadState *, py_frame *))
{
    PyObject *scope = Py_BuildValue("{ss}", "__name__", "ohwait"), *function = NULL;
    hook *inside = PyObject_New(hook, &hook_type);
    PyObject *none = scope == NULL || inside == NULL ? NULL : PyRun_String(source, Py_file_input, scope, scope);
    if (none != NULL) {
        inside->enter = enter;
        inside->function = NULL;
        PyObject *model = PyDict_GetItemString(scope, name);
        function = model == NULL ? NULL : ohw_hidden_function(model, (PyObject *)inside);
        if (function != NULL) {
            inside->function = function;
            PyFunctionObject *made = (PyFunctionObject *)function;
            Py_XSETREF(made->func_doc, Py_XNewRef(((PyFunctionObject *)model)->func_doc));
        }
    }
    Py_XDECREF(none);
    Py_XDECREF(inside);
    Py_XDECREF(scope);
    return function;
}

/* ---- functions ---- */

static PyObject *core_configure(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"refusal", NULL};
    PyObject *refusal;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "$O:configure", names, &refusal)) {
        return NULL;
    }
    ohw_refusal_set(Py_NewRef(refusal));
    Py_RETURN_NONE;
}

static PyObject *core_set_guard(PyObject *module, PyObject *guard)
{
    ohw_door_set_guard(guard == Py_None ? NULL : Py_NewRef(guard));
    Py_RETURN_NONE;
}

static PyObject *core_obstacle(PyObject *module, PyObject *Py_UNUSED(none))
{
    PyThreadState *ts = py_thread();
    ohw_walk walk = ohw_door_look(ts);
    if (walk.obstacle == OHW_CLEAR) {
        Py_RETURN_NONE;
    }
    PyObject *frame = Py_None;
    if (walk.c_caller != NULL) {
        PyFrameObject *object = py_frame_object(ts, walk.c_caller);
        frame = object == NULL ? Py_None : (PyObject *)object;
    }
    const char *name = ohw_obstacle_name(walk.obstacle);
    return walk.reason == NULL ? Py_BuildValue("sO", name, frame) : Py_BuildValue("sOs", name, frame, walk.reason);
}

/* From the current frame down to the frame of `coroutine`, over all that await each other in between. */
static PyObject *core_c_caller(PyObject *module, PyObject *coroutine)
{
    PyThreadState *ts = py_thread();
    py_frame *frame = py_current(ts);
    bool yields = false;        /* the frame is a generator that drives what is above it: it suspends by itself */
    while (frame != NULL && !(ohw_is_host(frame) && (PyObject *)py_generator(frame) == coroutine)) {
        py_frame *called_by = py_caller_beyond_c(frame);
        if (ohw_is_host(frame)) {
            yields = called_by != NULL && !py_on_data_stack(called_by);
        }
        else if (yields) {
            yields = false;
        }
        else if (called_by != NULL && py_caller(frame) == NULL) {
            PyFrameObject *object = py_frame_object(ts, called_by);
            return object == NULL ? NULL : Py_NewRef((PyObject *)object);
        }
        frame = called_by;
    }
    Py_RETURN_NONE;
}

static PyObject *core_inline_next_loop(PyObject *module, PyObject *Py_UNUSED(none))
{
    py_frame *method = py_current(py_thread());
    py_frame *loop = method == NULL || py_caller(method) != NULL ? NULL : py_caller_beyond_c(method);
    return PyBool_FromLong(loop != NULL && py_inline_for_loop(loop));
}

static PyObject *core_counters(PyObject *module, PyObject *Py_UNUSED(none))
{
    return Py_BuildValue("{sn sn sn sn sn sn}", "lifted", ohw_count.lifted, "spliced", ohw_count.spliced, "cleared",
                         ohw_count.cleared, "alive", ohw_count.alive, "chunks", ohw_count.chunks,
                         "chunks_made", ohw_count.chunks_made);
}

static PyObject *core_data_stack(PyObject *module, PyObject *Py_UNUSED(none))
{
    Py_ssize_t chunks, words;
    py_data_stack_height(py_thread(), &chunks, &words);
    return Py_BuildValue("nn", chunks, words);
}

static PyObject *core_recursion_left(PyObject *module, PyObject *Py_UNUSED(none))
{
    return PyLong_FromLong(py_recursion_left(py_thread()));
}

static PyObject *core_free_spares(PyObject *module, PyObject *Py_UNUSED(none))
{
    ohw_chain_free_spares();
    ohw_stack_free_spares();
    ohw_forget_repeats();
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"configure", (PyCFunction)(void (*)(void))core_configure, METH_VARARGS | METH_KEYWORDS,
     "configure(*, refusal): refusal(kind, frame) makes the error for a place where no suspension is possible."},
    {"set_guard", core_set_guard, METH_O, "set_guard(guard): called at each ohwait(), before anything; None for none."},
    {"obstacle", core_obstacle, METH_NOARGS,
     "obstacle(): None if ohwait() could suspend here, otherwise (kind, frame that called C code or None)."},
    {"c_caller", core_c_caller, METH_O,
     "c_caller(coroutine): the innermost frame above the coroutine's that called C code which called back, or None."},
    {"inline_next_loop", core_inline_next_loop, METH_NOARGS,
     "inline_next_loop(): for an __iter__ method: let the calling `for` loop run a generator without C in between."},
    {"counters", core_counters, METH_NOARGS, "counters(): chains lifted, spliced, cleared; Chain objects alive; chunks of the data stack that suspended chains hold, and that were made."},
    {"data_stack", core_data_stack, METH_NOARGS, "data_stack(): (chunks, words in use) of this thread's data stack."},
    {"recursion_left", core_recursion_left, METH_NOARGS, "recursion_left(): Python calls that are still possible."},
    {"free_spares", core_free_spares, METH_NOARGS, "free_spares(): give spare memory back and forget what has been learnt, for leak checks."},
    {NULL},
};

/* ---- initialisation ---- */

static int check_interpreter(void)
{
    const char *mismatch = py_layout_mismatch();
    if (mismatch != NULL) {
        PyErr_Format(PyExc_ImportError,
                     "ohwait was built for CPython %s; the one running, %s, differs in %s: build ohwait for it "
                     "(pip install --no-binary ohwait --force-reinstall ohwait)",
                     PY_VERSION, Py_GetVersion(), mismatch);
        return -1;
    }
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "ohwait works in the main interpreter only, not in subinterpreters yet");
        return -1;
    }
    return 0;
}

static PyObject *build_facts(void)
{
#ifdef OHWAIT_CHECKED
    int checked = 1;
#else
    int checked = 0;
#endif
#ifdef Py_DEBUG
    int debug = 1;
#else
    int debug = 0;
#endif
    return Py_BuildValue("{si sN sN ss sN sN}", "landing_slots", ohw_slots_to_delegate(),
                         "with_calls_methods_inline", PyBool_FromLong(PY_WITH_CALLS_METHODS_INLINE),
                         "cpython", PyUnicode_FromFormat("%d.%d", PY_MAJOR_VERSION, PY_MINOR_VERSION),
                         "version", PY_VERSION, "checked", PyBool_FromLong(checked),
                         "interpreter_debug", PyBool_FromLong(debug));
}

static int execute(PyObject *module)
{
    if (check_interpreter() < 0 || PyType_Ready(&ohw_chain_type) < 0 ||
        PyType_Ready(&ohw_link_type) < 0 || PyType_Ready(&hook_type) < 0 ||
        ohw_landing_init() < 0 || ohw_names_init() < 0 || ohw_stack_add_functions(module) < 0) {
        return -1;
    }
    PyObject *door = hidden_function(door_source, "ohwait", ohw_door_open);
    PyObject *resume = hidden_function(resume_source, "_resume", enter_resume);
    if (door == NULL || resume == NULL) {
        Py_XDECREF(door);
        Py_XDECREF(resume);
        return -1;
    }
    ohw_set_resume_function(resume);
    if (PyModule_AddObjectRef(module, "ohwait", door) < 0 ||
        PyModule_AddObjectRef(module, "Chain", (PyObject *)&ohw_chain_type) < 0 ||
        PyModule_AddObjectRef(module, "Link", (PyObject *)&ohw_link_type) < 0) {
        return -1;      /* the door stays for ever, whatever happens to the module's dictionary */
    }
    PyObject *facts = build_facts();
    int status = facts == NULL ? -1 : PyModule_AddObjectRef(module, "BUILD", facts);
    Py_XDECREF(facts);
    return status;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ohwait._core",
    .m_doc = "The C core of ohwait; its contract is in _core.pyi.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
