/* CPython 3.11 clears the frame of a generator whose loop has returned an error, suspended or not (gen_send_ex2 in
 * Objects/genobject.c).  An object in the frame notices: it hides what the frame owns, and when it is cleared itself,
 * the last but function and code, everything is put back. */
#ifndef OHWAIT_CPYTHON_SURVIVE_H
#define OHWAIT_CPYTHON_SURVIVE_H

typedef struct {
    PyObject_HEAD
    PyGenObject *generator;     /* Borrowed: it is running; NULL: nothing is hidden */
    PyFrameObject *frame_object;    /* Owned, as all that follows */
    PyObject *locals, *handled;
    int slots;
} py_survival;

extern PyTypeObject ohw_survival_type;      /* survive.c */

static inline PyObject *py_survival_new(void)
{
    py_survival *survival = PyObject_New(py_survival, &ohw_survival_type);
    if (survival != NULL) {
        survival->generator = NULL;
    }
    return (PyObject *)survival;
}

static inline void py_survive(PyGenObject *generator, PyObject *object)
{
    py_survival *survival = (py_survival *)object;
    py_frame *frame = (py_frame *)generator->gi_iframe;
    survival->generator = generator;
    survival->frame_object = frame->frame_obj;
    survival->locals = frame->f_locals;
    survival->handled = generator->gi_exc_state.exc_value;
    survival->slots = frame->stacktop;
    frame->frame_obj = NULL;
    frame->f_locals = object;
    generator->gi_exc_state.exc_value = NULL;
    frame->stacktop = 0;
    Py_INCREF(frame->f_func);       /* these are cleared afterwards */
    Py_INCREF(frame->f_code);
}

static inline bool py_is_suspended(const PyGenObject *generator)
{
    return generator->gi_frame_state == FRAME_SUSPENDED;
}

/* The outermost of the coroutines that await one another, each at its SEND in a loop of its own, from `host` on. */
static inline py_frame *py_outermost_awaiter(py_frame *host)
{
    py_frame *frame = host, *next;
    while ((next = frame->previous) != NULL && next->owner == FRAME_OWNED_BY_GENERATOR && next->is_entry &&
           _Py_OPCODE(*next->prev_instr) == SEND) {
        frame = next;
    }
    return frame;
}

#endif
