/* What all supported CPythons have in common, in terms of the facts that py3NN.h states.  Included by contract.h. */
#ifndef OHWAIT_CPYTHON_SHARED_H
#define OHWAIT_CPYTHON_SHARED_H

_Static_assert(offsetof(py_frame, localsplus) == (size_t)FRAME_SPECIALS_SIZE * sizeof(py_word), "slots follow the specials");
_Static_assert(offsetof(py_frame, localsplus) % sizeof(py_word) == 0, "frames are whole words");

static inline PyThreadState *py_thread(void) { return PyThreadState_Get(); }

static inline py_frame *py_current(PyThreadState *ts) { return PY_CURRENT_FRAME(ts); }

static inline void py_set_current(PyThreadState *ts, py_frame *frame) { PY_CURRENT_FRAME(ts) = frame; }

static inline void py_set_caller(py_frame *frame, py_frame *caller) { frame->previous = caller; }

static inline py_frame *py_noted_caller(const py_frame *frame) { return frame->previous; }

static inline bool py_on_data_stack(const py_frame *frame) { return frame->owner == FRAME_OWNED_BY_THREAD; }

static inline bool py_is_complete(py_frame *frame) { return !_PyFrame_IsIncomplete(frame); }

static inline py_quiet py_enter_quiet(PyThreadState *ts)
{
    py_quiet quiet = {(void *)(uintptr_t)ts->interp->eval_frame};
    ts->interp->eval_frame = NULL;
    if (PY_LANDING_IS_TRACED) {
        PyThreadState_EnterTracing(ts);
    }
    return quiet;
}

static inline void py_leave_quiet(PyThreadState *ts, py_quiet quiet)
{
    ts->interp->eval_frame = (_PyFrameEvalFunction)(uintptr_t)quiet.eval;
    if (PY_LANDING_IS_TRACED) {
        PyThreadState_LeaveTracing(ts);
    }
}

static inline bool py_generator_executing(PyGenObject *generator)
{
    return generator->gi_frame_state == FRAME_EXECUTING;
}

static inline bool py_throws_into(const py_frame *frame, PyObject *awaited)
{
    int used = py_slots_used(frame);
    return py_generator_executing(py_generator((py_frame *)frame)) && frame->previous == NULL &&
           used > py_code(frame)->co_nlocalsplus &&
           ((const py_word *)frame->localsplus)[used - 1] == (py_word)awaited;
}

static inline bool py_is_new(PyObject *coroutine)
{
    return ((PyGenObject *)coroutine)->gi_frame_state == FRAME_CREATED;
}

static inline PyFrameObject *py_frame_object(PyThreadState *ts, py_frame *frame)
{
    if (frame->frame_obj == NULL) {
        py_frame *current = py_current(ts);
        py_set_current(ts, frame);
        Py_XDECREF((PyObject *)PyThreadState_GetFrame(ts));     /* the frame keeps the other reference */
        py_set_current(ts, current);
    }
    return frame->frame_obj;
}

/* ---- moving and dropping ---- */

static inline size_t py_frame_used(const py_frame *frame)
{
    return FRAME_SPECIALS_SIZE + (size_t)py_slots_used(frame);
}

static inline void py_moved(py_frame *to, const py_frame *from)
{
    py_rebase_slots(to, from);
    if (to->frame_obj != NULL) {
        to->frame_obj->f_frame = to;
    }
}

static inline bool py_is_unknown(py_frame *frame)
{
    PY_FORGET_VISIT(frame);
    return frame->frame_obj == NULL && py_on_data_stack(frame);
}

static inline int py_visit_frame(py_frame *frame, visitproc visit, void *arg)
{
    Py_VISIT(frame->frame_obj);
    Py_VISIT(frame->f_locals);
    int stop = py_visit_words((const py_word *)&frame->PY_FUNCTION_FIELD, 1, visit, arg);
    if (stop == 0) {
        stop = py_visit_words((const py_word *)&frame->PY_CODE_FIELD, 1, visit, arg);
    }
    int used = py_slots_used(frame);
    if (used < 0) {
        used = py_code(frame)->co_nlocalsplus;      /* it runs: only its loop knows how many there are */
    }
    return stop != 0 ? stop : py_visit_words((const py_word *)frame->localsplus, used, visit, arg);
}

/* Mirrors _PyFrame_Clear (Python/frame.c, 3.11 to 3.15), which is not exported: a frame object that somebody else
 * holds takes the frame over. */
static inline void py_drop_frame(py_frame *frame)
{
    PyFrameObject *object = frame->frame_obj;
    bool in_generator = frame->owner == FRAME_OWNED_BY_GENERATOR;
    frame->frame_obj = NULL;
    frame->previous = NULL;
    if (in_generator) {
        PyGenObject *generator = py_generator(frame);
        generator->gi_frame_state = FRAME_CLEARED;
        generator->gi_exc_state.previous_item = NULL;
        Py_CLEAR(generator->gi_exc_state.exc_value);
        Py_INCREF(py_code(frame));      /* stays with the generator */
    }
    if (object != NULL && Py_REFCNT(object) > 1) {
        py_frame *own = (py_frame *)object->_f_frame_data;
        py_make_self_contained(frame);
        memcpy(own, frame, py_frame_used(frame) * sizeof(py_word));
        py_moved(own, frame);
        own->frame_obj = NULL;
        own->owner = FRAME_OWNED_BY_FRAME_OBJECT;
        object->f_frame = own;
        if (!PyObject_GC_IsTracked((PyObject *)object)) {
            PyObject_GC_Track(object);
        }
        Py_DECREF(object);
        return;
    }
    Py_XDECREF(object);
    py_drop_words((py_word *)frame->localsplus, py_slots_used(frame));
    Py_XDECREF(frame->f_locals);
    py_drop_words((py_word *)&frame->PY_FUNCTION_FIELD, 1);
    py_drop_words((py_word *)&frame->PY_CODE_FIELD, 1);
}

/* ---- positions and the value stack ---- */

static inline py_position py_get_position(const py_frame *frame)
{
    py_position position = {py_code(frame), (void *)PY_INSTRUCTION(frame), PY_RETURN_OFFSET(frame)};
    return position;
}

static inline py_position py_exchange_position(py_frame *frame, py_position next)
{
    py_position old = py_get_position(frame);
    PY_SET_CODE(frame, next.code);
    PY_INSTRUCTION(frame) = next.instruction;
    PY_SET_RETURN_OFFSET(frame, next.return_offset);
    return old;
}

static inline void *py_instruction_at(PyCodeObject *code, int unit)
{
    return _PyCode_CODE(code) + unit - PY_INSTRUCTION_IS_BEFORE_NEXT;
}

static inline int py_call_site(const py_frame *frame)
{
    return (int)((_Py_CODEUNIT *)PY_INSTRUCTION(frame) - _PyCode_CODE(py_code(frame)));
}

static inline int py_stack_depth(const py_frame *frame)
{
    return py_slots_used(frame) - py_code(frame)->co_nlocalsplus;
}

static inline void py_take_stack(py_frame *frame, py_word *words, int count)
{
    int base = py_code(frame)->co_nlocalsplus;
    memcpy(words, &frame->localsplus[base], (size_t)count * sizeof(py_word));
    py_set_slots_used(frame, base);
}

static inline void py_put_stack(py_frame *frame, const py_word *words, int count)
{
    int base = py_code(frame)->co_nlocalsplus;
    memcpy(&frame->localsplus[base], words, (size_t)count * sizeof(py_word));
    py_set_slots_used(frame, base + count);
}

static inline void py_copy_stack(const py_frame *frame, py_word *words, int slots)
{
    memcpy(words, &frame->localsplus[py_code(frame)->co_nlocalsplus], (size_t)slots * sizeof(py_word));
}

static inline void py_restore_stack(py_frame *frame, const py_word *words, int slots, int depth)
{
    int base = py_code(frame)->co_nlocalsplus;
    memcpy(&frame->localsplus[base], words, (size_t)slots * sizeof(py_word));
    py_set_slots_used(frame, base + depth);
}

/* ---- thread state ---- */

static inline _PyErr_StackItem *py_exception_state(PyThreadState *ts) { return ts->exc_info; }

static inline void py_set_exception_state(PyThreadState *ts, _PyErr_StackItem *item) { ts->exc_info = item; }

static inline _PyErr_StackItem *py_generator_exception_state(PyGenObject *generator)
{
    return &generator->gi_exc_state;
}

#ifdef PY_RECURSION_LEFT
static inline void py_add_recursion(PyThreadState *ts, int calls) { PY_RECURSION_LEFT(ts) += calls; }

static inline int py_recursion_left(PyThreadState *ts) { return PY_RECURSION_LEFT(ts); }
#endif

#if PY_RAISED_IS_A_TRIPLE
static inline PyObject *py_take_raised(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        (void)PyException_SetTraceback(value, traceback);
    }
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
}

static inline void py_raise(PyObject *exception)
{
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
}
#else
static inline PyObject *py_take_raised(void) { return PyErr_GetRaisedException(); }

static inline void py_raise(PyObject *exception) { PyErr_SetRaisedException(exception); }
#endif

/* ---- the data stack (Python/pystate.c: push_chunk, _PyThreadState_PopFrame) ---- */

enum { PY_CHUNK_BYTES = 16 * 1024, PY_CHUNK_SLACK_WORDS = 1000 };      /* as CPython's own constants */

static inline bool py_chunk_contains(const py_chunk *chunk, const void *address)
{
    return (const char *)address >= (const char *)chunk->data &&
           (const char *)address < (const char *)chunk + py_chunk_size(chunk);
}

/* CPython's own have sizes that are multiples of PY_CHUNK_BYTES. */
enum { PY_OWN_CHUNK_MARK = 1024 };

static inline py_chunk *py_chunk_new(size_t words)
{
    PyObjectArenaAllocator arena;
    size_t bytes = 2 * words * sizeof(py_word) + PY_CHUNK_BYTES;
    bytes = (bytes & ~(size_t)(PY_CHUNK_BYTES - 1)) + PY_OWN_CHUNK_MARK;
    PyObject_GetArenaAllocator(&arena);
    py_chunk *chunk = arena.alloc(arena.ctx, bytes);
    if (chunk != NULL) {
        chunk->previous = NULL;
        chunk->size = bytes;
        chunk->top = 0;
    }
    return chunk;
}

static inline void py_chunk_free(py_chunk *chunk)
{
    PyObjectArenaAllocator arena;
    PyObject_GetArenaAllocator(&arena);
    arena.free(arena.ctx, chunk, py_chunk_size(chunk));
}

static inline py_frame *py_chunk_start(py_chunk *chunk) { return (py_frame *)&chunk->data[0]; }

static inline py_chunk *py_own_chunk(PyThreadState *ts, const py_frame *start, size_t words)
{
    py_chunk *chunk = ts->datastack_chunk;
    return chunk->size % PY_CHUNK_BYTES == PY_OWN_CHUNK_MARK && py_chunk_start(chunk) == start &&
                   ts->datastack_limit - ts->datastack_top > (ptrdiff_t)words && py_find_pinned(chunk) == NULL
               ? chunk : NULL;
}

static inline void py_detach_chunk(PyThreadState *ts)
{
    py_chunk *previous = ts->datastack_chunk->previous;
    ts->datastack_chunk = previous;
    ts->datastack_top = &previous->data[previous->top];
    ts->datastack_limit = (PyObject **)((char *)previous + py_chunk_size(previous));
}

static inline bool py_attach_chunk(PyThreadState *ts, py_chunk *chunk, size_t used)
{
    if (ts->datastack_chunk == NULL && py_data_stack_push(ts, 0, 0) == NULL) {
        return false;       /* no Python function has ever been called on this thread, and there is no memory */
    }
    py_chunk *previous = ts->datastack_chunk;
    previous->top = (size_t)(ts->datastack_top - &previous->data[0]);
    chunk->previous = previous;
    ts->datastack_chunk = chunk;
    ts->datastack_top = &chunk->data[used];
    ts->datastack_limit = (PyObject **)((char *)chunk + chunk->size);
    return true;
}

static inline void py_leave_chunk(PyThreadState *ts)
{
    py_chunk *chunk = ts->datastack_chunk;
    assert(chunk->previous != NULL);
    py_detach_chunk(ts);
    py_chunk_free(chunk);
}

static inline void py_data_stack_pop(PyThreadState *ts, py_frame *frame)
{
    while (!py_chunk_contains(ts->datastack_chunk, frame)) {
        py_leave_chunk(ts);
    }
    if ((PyObject **)frame == &ts->datastack_chunk->data[0]) {
        py_leave_chunk(ts);     /* an empty chunk never stays on top */
    }
    else {
        assert(ts->datastack_top >= (PyObject **)frame);
        ts->datastack_top = (PyObject **)frame;
    }
}

static inline bool py_enter_chunk(PyThreadState *ts, size_t words)
{
    PyObjectArenaAllocator arena;
    size_t bytes = PY_CHUNK_BYTES;
    while (bytes < (words + PY_CHUNK_SLACK_WORDS) * sizeof(py_word)) {
        bytes *= 2;
    }
    PyObject_GetArenaAllocator(&arena);
    py_chunk *chunk = arena.alloc(arena.ctx, bytes);
    if (chunk == NULL) {
        return false;
    }
    chunk->previous = ts->datastack_chunk;
    chunk->size = bytes;
    chunk->top = 0;
    if (ts->datastack_chunk != NULL) {
        ts->datastack_chunk->top = (size_t)(ts->datastack_top - &ts->datastack_chunk->data[0]);
    }
    ts->datastack_chunk = chunk;
    ts->datastack_limit = (PyObject **)((char *)chunk + bytes);
    ts->datastack_top = &chunk->data[chunk->previous == NULL];      /* the first chunk of a thread stays for ever */
    return true;
}

static inline py_frame *py_data_stack_push(PyThreadState *ts, size_t words, size_t reserve)
{
    /* The limit may lie below the top: pinned chunks look small (cpython/chunks.h). */
    if ((ts->datastack_top == NULL || ts->datastack_limit - ts->datastack_top <= (ptrdiff_t)(words + reserve)) &&
        !py_enter_chunk(ts, words + reserve)) {
        return NULL;
    }
    py_frame *room = (py_frame *)ts->datastack_top;
    ts->datastack_top += words;
    return room;
}

static inline void py_data_stack_height(PyThreadState *ts, Py_ssize_t *chunks, Py_ssize_t *words)
{
    *chunks = *words = 0;
    for (py_chunk *chunk = ts->datastack_chunk; chunk != NULL; chunk = chunk->previous) {
        *chunks += 1;
        *words += chunk == ts->datastack_chunk ? ts->datastack_top - &chunk->data[0] : (Py_ssize_t)chunk->top;
    }
}

static inline bool py_in_top_chunk(PyThreadState *ts, const py_frame *frame)
{
    return py_chunk_contains(ts->datastack_chunk, frame);
}

static inline bool py_on_top_of_data_stack(PyThreadState *ts, const py_frame *frame)
{
    return ts->datastack_top == (PyObject **)frame + py_frame_size(frame);
}

/* ---- code objects ---- */

static inline Py_ssize_t py_request_code_slot(freefunc destroy) { return PY_REQUEST_CODE_SLOT(destroy); }

static inline void *py_get_code_slot(PyCodeObject *code, Py_ssize_t slot)
{
    void *value = NULL;
    return PY_GET_CODE_SLOT((PyObject *)code, slot, &value) < 0 ? NULL : value;
}

static inline int py_set_code_slot(PyCodeObject *code, Py_ssize_t slot, void *value)
{
    return PY_SET_CODE_SLOT((PyObject *)code, slot, value);
}

#endif
