/* The module's functions about the stack path; their contract is in ohwait/_core.pyi. */
#include "stack_functions.h"
#include "check.h"
#include "stack/judge.h"
#include "stack/rehearse.h"

static PyObject *core_stats(PyObject *module, PyObject *Py_UNUSED(none))
{
    return Py_BuildValue("{sn sn sn sn sn}", "suspensions_by_frames", ohw_count.lifted, "suspensions_by_stack",
                         ohw_stack_count.by_stack, "slices_alive", ohw_stack_count.alive, "slice_bytes",
                         ohw_stack_count.bytes, "slices_lost", ohw_stack_count.lost);
}

static PyObject *core_allow_c_frames(PyObject *module, PyObject *allowed)
{
    int yes = PyObject_IsTrue(allowed);
    if (yes < 0) {
        return NULL;
    }
    ohw_stack_allow(yes);
    Py_RETURN_NONE;
}

static PyObject *core_share_thread(PyObject *module, PyObject *begins)
{
    ohw_stack_share_thread(begins == Py_True);
    Py_RETURN_NONE;
}

static PyObject *core_c_frames_status(PyObject *module, PyObject *Py_UNUSED(none))
{
    const char *reason = ohw_stack_status();
    if (reason == NULL) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(reason);
}

#if OHW_ARCH_KNOWN
static PyObject *core_compare_unwinders(PyObject *module, PyObject *Py_UNUSED(none))
{
    ohw_comparison found;
    ohw_compare_unwinders(&found, 0);
    PyObject *first = NULL;
    if (found.what != NULL) {
        first = PyUnicode_FromFormat("%s, at frame %zu, which returns to %p", found.what, found.first,
                                     (void *)found.first_pc);
        if (first == NULL) {
            return NULL;
        }
    }
    return Py_BuildValue("nnN", (Py_ssize_t)found.frames, (Py_ssize_t)found.differences,
                         first == NULL ? Py_NewRef(Py_None) : first);
}

static PyObject *core_rehearse(PyObject *module, PyObject *falsify)
{
    const char *reason = ohw_rehearse(falsify == Py_True);
    if (reason == NULL) {
        Py_RETURN_NONE;
    }
    ohw_stack_give_up(reason);
    return PyUnicode_FromString(reason);
}

static PyObject *core_unwind_counts(PyObject *module, PyObject *Py_UNUSED(none))
{
    size_t decoded, kept;
    ohw_unwind_counts(&decoded, &kept);
    return Py_BuildValue("nn", (Py_ssize_t)decoded, (Py_ssize_t)kept);
}
#endif

static PyMethodDef functions[] = {
    {"stats", core_stats, METH_NOARGS, "stats(): suspensions by path; slices of C stack alive, their bytes, and lost ones."},
    {"allow_c_frames", core_allow_c_frames, METH_O, "allow_c_frames(allowed): may C functions be suspended?"},
    {"share_thread", core_share_thread, METH_O,
     "share_thread(begins): this thread runs what others may go on with: no C functions are suspended in it."},
    {"c_frames_status", core_c_frames_status, METH_NOARGS,
     "c_frames_status(): None if C functions can be suspended in this process, otherwise why not."},
#if OHW_ARCH_KNOWN
    {"compare_unwinders", core_compare_unwinders, METH_NOARGS,
     "compare_unwinders(): (C frames walked, differences between our unwinder and libgcc's, the first one or None)."},
    {"rehearse", core_rehearse, METH_O,
     "rehearse(falsify): set C functions of our own aside and put them back: None, or what went wrong, and then C frames "
     "are never set aside in this process.  falsify: change a register meanwhile."},
    {"unwind_counts", core_unwind_counts, METH_NOARGS,
     "unwind_counts(): return addresses (decoded in the unwind tables since import, known now)."},
#endif
    {NULL},
};

int ohw_stack_add_functions(PyObject *module)
{
#if OHW_ARCH_KNOWN
    if (ohw_find_init() < 0 || ohw_shelter_init() < 0) {
        return -1;
    }
#endif
    return PyModule_AddFunctions(module, functions);
}
