/* See survive.h; only CPython 3.11 needs it. */
#include "cpython/contract.h"

#if PY_CLEARS_FAILED_FRAMES

static void survival_dealloc(PyObject *object)
{
    py_survival *survival = (py_survival *)object;
    PyGenObject *generator = survival->generator;
    if (generator != NULL) {
        py_frame *frame = (py_frame *)generator->gi_iframe;
        frame->frame_obj = survival->frame_object;
        frame->f_locals = survival->locals;
        frame->stacktop = survival->slots;
        generator->gi_exc_state.exc_value = survival->handled;
        generator->gi_frame_state = FRAME_SUSPENDED;
    }
    PyObject_Free(object);
}

PyTypeObject ohw_survival_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._core.Survival",
    .tp_basicsize = sizeof(py_survival),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = survival_dealloc,
};

#endif
