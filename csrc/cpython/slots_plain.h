/* CPython 3.11 to 3.13: a slot of a frame is a plain reference or NULL. */
#ifndef OHWAIT_CPYTHON_SLOTS_H
#define OHWAIT_CPYTHON_SLOTS_H

_Static_assert(sizeof(((py_frame *)NULL)->localsplus[0]) == sizeof(py_word), "a slot is one word");

#define PY_FORGET_VISIT(frame) ((void)(frame))

static inline int py_slots_used(const py_frame *frame) { return frame->stacktop; }

static inline void py_set_slots_used(py_frame *frame, int count) { frame->stacktop = count; }

static inline void py_rebase_slots(py_frame *to, const py_frame *from) { (void)to, (void)from; }

static inline void py_make_self_contained(py_frame *frame) { (void)frame; }

static inline PyObject *py_take_argument(py_frame *frame)
{
    PyObject *argument = frame->localsplus[0];
    frame->localsplus[0] = NULL;
    return argument;
}

static inline PyObject *py_take_slot(py_frame *frame, int index)
{
    PyObject **slot = &frame->localsplus[py_code(frame)->co_nlocalsplus + index], *object = *slot;
    *slot = NULL;
    return object;
}

static inline py_word py_word_of(PyObject *object) { return (py_word)object; }

static inline bool py_word_is(py_word word, const PyObject *object) { return word == (py_word)object; }

static inline int py_visit_words(const py_word *words, int count, visitproc visit, void *arg)
{
    for (int i = 0; i < count; i++) {
        Py_VISIT((PyObject *)words[i]);
    }
    return 0;
}

static inline void py_drop_words(py_word *words, int count)
{
    for (int i = count; i-- > 0;) {
        Py_XDECREF((PyObject *)words[i]);
    }
}

#endif
