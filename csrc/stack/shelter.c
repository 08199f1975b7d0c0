/* throw() and close() pass through all coroutines that await each other, from the outermost to the host's Chain.  When
 * that refuses, CPython raises the refusal in each of them on the way back (_gen_throw, gen_close), and they would end.
 * So each stands at a landing of its own until the refusal has come to it there; then it goes back to where it was, and
 * waits on.
 */
#include "stack/decline.h"

#if OHW_ARCH_KNOWN

typedef struct {
    PyObject_VAR_HEAD           /* ob_size: entries of words */
    py_frame *at;               /* Borrowed: it has the shelter on its stack; NULL: it has gone back */
    py_position home;           /* Owned: code */
    ohw_disguise disguise;
    py_word words[];            /* Owned: its value stack */
} shelter;

static void shelter_dealloc(shelter *self)
{
    if (self->at != NULL) {
        py_drop_words(self->words, (int)Py_SIZE(self));
        Py_DECREF(self->home.code);
    }
    PyObject_Free(self);
}

static void go_home(PyThreadState *ts, py_frame *frame, PyObject *kept)
{
    shelter *self = (shelter *)kept;
    py_position at_landing = py_exchange_position(frame, self->home);
    int depth = (int)Py_SIZE(self);
    py_restore_stack(frame, self->words, depth, depth);
    self->at = NULL;
    self->disguise.owner = kept;
    Py_DECREF(at_landing.code);     /* never the last reference: the frame's own code keeps its landings */
    py_set_exception_state(ts, py_generator_exception_state(py_generator(frame)));
    py_park(ts, frame, true);
}

static PyTypeObject shelter_type;

/* The refusal has come. */
static PyObject *shelter_thrown(PyObject *self, PyObject *exception)
{
    PyThreadState *ts = py_thread();
    shelter *here = (shelter *)self;
    if (Py_TYPE(self) != &shelter_type || !PyExceptionInstance_Check(exception) || py_current(ts) != here->at) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    py_raise(Py_NewRef(exception));
    ohw_leave_landing(&(ohw_departure){ts, here->at, &here->disguise, 1, go_home});
    return NULL;
}

static PyNumberMethods shelter_as_number = {.nb_remainder = shelter_thrown};
static PyTypeObject shelter_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ohwait._core.Shelter",
    .tp_doc = "Where a coroutine is while a refusal passes through it.",
    .tp_basicsize = offsetof(shelter, words),
    .tp_itemsize = sizeof(py_word),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)shelter_dealloc,
    .tp_as_number = &shelter_as_number,
};

/* False, with nothing changed: no memory. */
static bool take_in(py_frame *frame)
{
    PyCodeObject *landing = ohw_landing_for(frame, true);
    int depth = py_stack_depth(frame);
    shelter *self = landing == NULL ? NULL : PyObject_NewVar(shelter, &shelter_type, depth);
    if (self == NULL) {
        return false;
    }
    ohw_waiting waiting = ohw_waiting_at(landing);
    py_position at = {(PyCodeObject *)Py_NewRef(landing), py_instruction_at(landing, waiting.unit), 0};
    py_word stack[] = {py_word_of((PyObject *)self), py_word_of(NULL)};
    py_take_stack(frame, self->words, depth);
    self->at = frame;
    self->home = py_exchange_position(frame, at);
    py_put_stack(frame, stack, waiting.entries);
    return true;
}

int ohw_shelter_init(void) { return PyType_Ready(&shelter_type); }

void ohw_shelter_throwers(py_frame *host)
{
    PyObject *refusal = py_take_raised();
    bool taken_in = true;
    for (py_frame *frame = host; taken_in && (frame = py_thrower((PyObject *)py_generator(frame))) != NULL;) {
        taken_in = take_in(frame);
    }
    PyErr_Clear();              /* those that found no room get the refusal */
    py_raise(refusal);
}

#endif
