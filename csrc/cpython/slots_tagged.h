/* CPython 3.14 and later: a slot of a frame is a tagged reference.  Tag bits tell a reference that is borrowed from a
 * local variable nearby (it is not counted) or a small integer; py_word holds the bits as they are. */
#ifndef OHWAIT_CPYTHON_SLOTS_H
#define OHWAIT_CPYTHON_SLOTS_H

_Static_assert(sizeof(_PyStackRef) == sizeof(py_word), "a slot is one word (Py_STACKREF_DEBUG is not supported)");

/* The collector's note about one walk of the stack, which is not part of the frame's state. */
#define PY_FORGET_VISIT(frame) ((frame)->visited = 0)

static inline int py_slots_used(const py_frame *frame) { return (int)(frame->stackpointer - frame->localsplus); }

static inline void py_set_slots_used(py_frame *frame, int count) { frame->stackpointer = frame->localsplus + count; }

/* A copied frame's stack pointer still points into the old place. */
static inline void py_rebase_slots(py_frame *to, const py_frame *from)
{
    py_set_slots_used(to, (int)(to->stackpointer - from->localsplus));
    PY_FORGET_VISIT(to);
}

static inline void py_make_self_contained(py_frame *frame)
{
    frame->f_executable = PyStackRef_MakeHeapSafe(frame->f_executable);
    frame->f_funcobj = PyStackRef_MakeHeapSafe(frame->f_funcobj);
    for (_PyStackRef *slot = frame->localsplus; slot < frame->stackpointer; slot++) {
        *slot = PyStackRef_MakeHeapSafe(*slot);
    }
}

static inline PyObject *py_take_argument(py_frame *frame)
{
    _PyStackRef argument = frame->localsplus[0];
    frame->localsplus[0] = PyStackRef_NULL;
    return PyStackRef_IsNull(argument) ? NULL : PyStackRef_AsPyObjectSteal(argument);
}

static inline PyObject *py_take_slot(py_frame *frame, int index)
{
    _PyStackRef *slot = &frame->localsplus[py_code(frame)->co_nlocalsplus + index], taken = *slot;
    *slot = PyStackRef_NULL;
    return PyStackRef_IsNull(taken) ? NULL : PyStackRef_AsPyObjectSteal(taken);
}

static inline py_word py_word_of(PyObject *object)
{
    return object == NULL ? PyStackRef_NULL.bits : PyStackRef_FromPyObjectSteal(object).bits;
}

static inline bool py_word_is(py_word word, const PyObject *object)
{
    _PyStackRef slot = {.bits = word};
    return !PyStackRef_IsNullOrInt(slot) && PyStackRef_AsPyObjectBorrow(slot) == object;
}

/* Borrowed references are not counted, so the collector must not meet them here: their owner shows them. */
static inline int py_visit_words(const py_word *words, int count, visitproc visit, void *arg)
{
    for (int i = 0; i < count; i++) {
        _PyStackRef slot = {.bits = words[i]};
        if (!PyStackRef_IsNullOrInt(slot) && PyStackRef_RefcountOnObject(slot)) {
            Py_VISIT(PyStackRef_AsPyObjectBorrow(slot));
        }
    }
    return 0;
}

static inline void py_drop_words(py_word *words, int count)
{
    for (int i = count; i-- > 0;) {
        _PyStackRef slot = {.bits = words[i]};
        PyStackRef_XCLOSE(slot);
    }
}

#endif
