/* Interpreter loops, invocations of the evaluation function, as the stack path sets them aside (csrc/stack/): what each
 * of them keeps in its C frame, and what it has changed in the thread state.  In terms of the facts of py3NN.h. */
#ifndef OHWAIT_CPYTHON_LOOPS_H
#define OHWAIT_CPYTHON_LOOPS_H

#include "internal/pycore_context.h"

static inline py_frame *py_link(const py_frame *frame) { return frame->previous; }

static inline bool py_is_entry(const py_frame *frame)
{
#ifdef PY_ENTRY_OWNER
    return frame->owner >= PY_ENTRY_OWNER;
#else
    (void)frame;
    return false;
#endif
}

static inline py_frame *py_caller_or_entry(const py_frame *frame)
{
#ifdef PY_ENTRY_OWNER
    return frame->previous;
#else
    return py_caller(frame);
#endif
}

/* ---- finding them ---- */

static inline py_loops py_loops_down_to(PyThreadState *ts, py_frame *innermost, const py_frame *host, py_frame *lowest)
{
    py_loops loops = {0};
#ifdef PY_ENTRY_OWNER
    for (py_frame *frame = innermost; frame != host; frame = frame->previous) {
        loops.count += py_is_entry(frame);
    }
    loops.entry = lowest->previous;
#else
    for (py_frame *frame = innermost; frame != host; frame = frame->previous) {
        loops.count += frame->is_entry;
    }
    (void)lowest;
#endif
    loops.count++;
#if PY_HAS_CFRAMES
    _PyCFrame *cframe = ts->cframe;
    loops.innermost = cframe;
    for (int i = 1; i < loops.count; i++) {
        cframe = cframe->previous;
    }
    loops.outermost = cframe;
#else
    (void)ts;
#endif
    return loops;
}

static inline uintptr_t py_loops_address(const py_loops *loops)
{
#ifdef PY_ENTRY_OWNER
    return (uintptr_t)loops->entry;
#else
    return (uintptr_t)loops->outermost;
#endif
}

static inline py_frame *py_caller_of_loops(const py_loops *loops, py_frame *lowest)
{
#ifdef PY_ENTRY_OWNER
    (void)lowest;
    return loops->entry->previous;
#else
    (void)loops;
    return lowest->previous;
#endif
}

/* ---- leaving and entering them without executing anything ---- */

static inline void py_leave_loops(PyThreadState *ts, const py_loops *loops)
{
#if PY_HAS_CFRAMES
    ts->cframe = ((_PyCFrame *)loops->outermost)->previous;
#  ifdef PY_TRACES_BY_LOOP
    ts->cframe->use_tracing = ((_PyCFrame *)loops->outermost)->use_tracing;
#  endif
#else
    ts->current_frame = loops->entry->previous;
#endif
}

static inline void *py_outer_loop(PyThreadState *ts, const py_loops *loops)
{
#if PY_HAS_CFRAMES
    (void)ts;
    return ((_PyCFrame *)loops->outermost)->previous;
#else
    (void)ts, (void)loops;
    return NULL;
#endif
}

static inline void py_enter_loops(PyThreadState *ts, const py_loops *loops, ptrdiff_t image, py_frame *innermost,
                                  py_frame *lowest, py_frame *caller, void *outer)
{
#if PY_HAS_CFRAMES
    ((_PyCFrame *)((char *)loops->outermost + image))->previous = outer;
    ((_PyCFrame *)outer)->current_frame = caller;
    ts->cframe = loops->innermost;      /* its current frame comes with the copy */
    (void)innermost;
#else
    (void)outer;
    ts->current_frame = innermost;
#endif
#ifdef PY_ENTRY_OWNER
    ((py_frame *)((char *)loops->entry + image))->previous = caller;
    lowest->previous = loops->entry;
#else
    lowest->previous = caller;
#endif
}

static inline void py_return_to_loop(PyThreadState *ts, void *outer, py_frame *caller, py_frame *lowest)
{
#if PY_HAS_CFRAMES
    ts->cframe = outer;
    ts->cframe->current_frame = caller;
#else
    (void)outer;
    ts->current_frame = caller;
#endif
#if PY_CLEARS_FAILED_FRAMES
    lowest->previous = caller;      /* gen_send_ex2 compares them, and forgets this then */
#else
    (void)lowest;
#endif
}

/* ---- coroutines ---- */

static inline bool py_is_yield(_Py_CODEUNIT unit)
{
#if PY_INLINES_AWAIT
    return unit.op.code == YIELD_VALUE || unit.op.code == INSTRUMENTED_YIELD_VALUE;
#else
    return _Py_OPCODE(unit) == YIELD_VALUE;
#endif
}

static inline bool py_awaits_callee(const py_frame *frame)
{
#if PY_INLINES_AWAIT
    if (frame->owner != FRAME_OWNED_BY_GENERATOR) {
        return false;
    }
    const _Py_CODEUNIT *yield = (const _Py_CODEUNIT *)PY_INSTRUCTION(frame) + PY_SEND_TO_YIELD;
    int send = yield[-1 - INLINE_CACHE_ENTRIES_SEND].op.code;
    return (send == SEND || send == SEND_GEN || PY_IS_INSTRUMENTED(send)) && py_is_yield(*yield);
#else
    (void)frame;
    return false;
#endif
}

static inline bool py_stands_at_yield(const py_frame *frame)
{
    return py_is_yield(((const _Py_CODEUNIT *)PY_INSTRUCTION(frame))[PY_INSTRUCTION_IS_BEFORE_NEXT - 1]);
}

static inline void py_park(PyThreadState *ts, py_frame *frame, bool delegates)
{
    PyGenObject *generator = py_generator(frame);
#if PY_INLINES_AWAIT
    generator->gi_frame_state = PY_SUSPENDED(delegates);
    ts->exc_info = generator->gi_exc_state.previous_item;
    generator->gi_exc_state.previous_item = NULL;
    frame->previous = NULL;
    PY_NOTE_YIELD(ts);
#else
    generator->gi_frame_state = PY_SUSPENDED(delegates);    /* the rest is done where its loop returns to (gen_send_ex2) */
#endif
    py_add_recursion(ts, 1);
}

static inline void py_park_awaiter(PyThreadState *ts, py_frame *frame)
{
#if PY_INLINES_AWAIT
    PY_INSTRUCTION(frame) += PY_SEND_TO_SUSPENDED;
    PY_SET_RETURN_OFFSET(frame, 0);
#endif
    py_park(ts, frame, true);
}

static inline void py_note_failed(PyThreadState *ts)
{
#ifdef PY_NOTE_END
    PY_NOTE_END(ts);
#else
    (void)ts;
#endif
}

/* 3.12 and later take its word for it (debug builds assert it), 3.11 clears its frame: one that has nothing. */
static inline py_pretence py_seem_finished(PyGenObject *generator)
{
    py_pretence pretence = {.generator = generator, .handled = generator->gi_exc_state.exc_value,
                            .state = generator->gi_frame_state};
    generator->gi_frame_state = FRAME_CLEARED;
    generator->gi_exc_state.exc_value = NULL;
#if !PY_INLINES_AWAIT
    py_frame *frame = (py_frame *)generator->gi_iframe;
    pretence.frame_object = frame->frame_obj;
    pretence.locals = frame->f_locals;
    pretence.slots = frame->stacktop;
    frame->frame_obj = NULL;
    frame->f_locals = NULL;
    frame->stacktop = 0;
    Py_INCREF(frame->f_func);
    Py_INCREF(frame->f_code);
#endif
    return pretence;
}

static inline void py_end_pretence(py_pretence pretence)
{
    PyGenObject *generator = pretence.generator;
    assert(generator->gi_frame_state == FRAME_CLEARED);
    generator->gi_frame_state = (int8_t)pretence.state;
    generator->gi_exc_state.exc_value = pretence.handled;
#if !PY_INLINES_AWAIT
    py_frame *frame = (py_frame *)generator->gi_iframe;
    frame->frame_obj = pretence.frame_object;
    frame->f_locals = pretence.locals;
    frame->stacktop = pretence.slots;
#endif
}

static inline bool py_loops_are_called_directly(PyThreadState *ts) { return ts->interp->eval_frame == NULL; }

static inline void py_expect_yielded(py_frame *caller)
{
#if PY_INLINES_AWAIT
    PY_SET_RETURN_OFFSET(caller, PY_INSTRUCTION_IS_BEFORE_NEXT ? 0 : PY_SEND_TO_YIELD);
#else
    (void)caller;
#endif
}

#ifndef PY_ABOVE_AWAITED
#define PY_ABOVE_AWAITED 0
#endif
typedef struct { PyObject *awaited; py_frame *found; } py_search;

static inline int py_look_for_thrower(PyObject *object, void *argument)
{
    py_search *search = argument;
    if (!PyGen_CheckExact(object) && !PyCoro_CheckExact(object) && !PyAsyncGen_CheckExact(object)) {
        return 1;
    }
    PyGenObject *generator = (PyGenObject *)object;
    py_frame *frame = (py_frame *)&generator->gi_iframe;
    if (py_generator_executing(generator) && py_stands_at_yield(frame)) {
        int depth = py_stack_depth(frame), used = py_slots_used(frame);
        if (depth > PY_ABOVE_AWAITED && depth <= py_code(frame)->co_stacksize &&
            py_word_is(((const py_word *)frame->localsplus)[used - 1 - PY_ABOVE_AWAITED], search->awaited)) {
            search->found = frame;
        }
    }
    return search->found == NULL;
}

static inline py_frame *py_thrower(PyObject *awaited)
{
    py_search search = {awaited, NULL};
#if PY_INLINES_AWAIT
    PyUnstable_GC_VisitObjects(py_look_for_thrower, &search);
#else
    (void)py_look_for_thrower;
#endif
    return search.found;
}

/* ---- calls of C code, counted until 3.13 ---- */

#ifdef PY_C_RECURSION_LEFT
enum { PY_UNITS_A_LOOP = 2 };       /* PY_EVAL_C_STACK_UNITS, Python/ceval.c */

/* How far the counter may be below its limit at `depth` bytes of C stack: what suspended C functions have counted for
 * themselves cannot be told apart, and must not add up. */
static inline int py_fair_c_recursion(PyThreadState *ts, size_t depth)
{
    enum { BYTES_A_UNIT = 32 };     /* at least; a call of C code takes more */
    (void)ts;
    return PY_C_RECURSION_MAXIMUM - (int)(depth / BYTES_A_UNIT);
}

static inline int py_leave_c_calls(PyThreadState *ts, int loops, int counted, size_t depth,
                                   const py_frame *caller)
{
    (void)counted, (void)caller;
    int units = PY_UNITS_A_LOOP * loops, fair = py_fair_c_recursion(ts, depth);
    if (PY_C_RECURSION_LEFT(ts) + units < fair) {
        units = fair - PY_C_RECURSION_LEFT(ts);
    }
    PY_C_RECURSION_LEFT(ts) += units;
    return units - PY_UNITS_A_LOOP;    /* the loop that is resumed has been entered */
}

static inline void py_enter_c_calls(PyThreadState *ts, int units) { PY_C_RECURSION_LEFT(ts) -= units; }

static inline int py_c_recursion_left(PyThreadState *ts) { return PY_C_RECURSION_LEFT(ts); }
#elif PY_COUNTS_C_CALLS_TOO
/* `counted` has been read off the machine code, with good luck: it must not add up if that was wrong. */
enum { PY_BYTES_A_C_CALL = 64 };    /* that is counted: at least */

static inline int py_leave_c_calls(PyThreadState *ts, int loops, int counted, size_t depth,
                                   const py_frame *caller)
{
    (void)loops;
    int highest = ts->recursion_limit, lowest;
    for (const py_frame *frame = caller; frame != NULL; frame = frame->previous) {
        highest--;
    }
    lowest = highest - (int)(depth / PY_BYTES_A_C_CALL);
    if (ts->recursion_remaining + counted > highest) {
        counted = highest - ts->recursion_remaining;
    }
    else if (ts->recursion_remaining + counted < lowest) {
        counted = lowest - ts->recursion_remaining;
    }
    py_add_recursion(ts, counted);
    return counted;
}

static inline void py_enter_c_calls(PyThreadState *ts, int units) { py_add_recursion(ts, -units); }

static inline int py_c_recursion_left(PyThreadState *ts) { (void)ts; return 0; }
#else
static inline int py_leave_c_calls(PyThreadState *ts, int loops, int counted, size_t depth,
                                   const py_frame *caller)
{
    (void)ts, (void)loops, (void)counted, (void)depth, (void)caller;
    return 0;
}

static inline void py_enter_c_calls(PyThreadState *ts, int units) { (void)ts, (void)units; }

static inline int py_c_recursion_left(PyThreadState *ts) { (void)ts; return 0; }
#endif

static inline size_t py_recursion_field(void)
{
#if PY_COUNTS_C_CALLS_TOO
    return offsetof(PyThreadState, recursion_remaining);
#else
    return 0;
#endif
}

static inline void py_leave_one_loop(PyThreadState *ts)
{
#ifdef PY_C_RECURSION_LEFT
    PY_C_RECURSION_LEFT(ts) += PY_UNITS_A_LOOP;
#else
    (void)ts;
#endif
}

/* ---- contexts (Python/context.c) ---- */

static inline py_contexts py_leave_contexts(PyThreadState *ts, int count)
{
    py_contexts contexts = {NULL, NULL};
    if (count > 0) {
        PyContext *bottom = (PyContext *)ts->context;
        while (--count > 0) {
            bottom = bottom->ctx_prev;
        }
        contexts = (py_contexts){ts->context, (PyObject *)bottom};
        ts->context = (PyObject *)bottom->ctx_prev;
        ts->context_ver++;
        bottom->ctx_prev = NULL;
    }
    return contexts;
}

static inline void py_enter_contexts(PyThreadState *ts, py_contexts contexts)
{
    if (contexts.top != NULL) {
        ((PyContext *)contexts.bottom)->ctx_prev = (PyContext *)ts->context;
        ts->context = contexts.top;
        ts->context_ver++;
    }
}

static inline int py_contexts_entered(PyThreadState *ts)
{
    int count = 0;
    for (PyContext *context = (PyContext *)ts->context; context != NULL; context = context->ctx_prev) {
        count++;
    }
    return count;
}

static inline uintptr_t py_context_run_address(void)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)&PyContext_Type, "run");
    uintptr_t address = 0;
    if (method != NULL && Py_IS_TYPE(method, &PyMethodDescr_Type)) {
        address = (uintptr_t)((PyMethodDescrObject *)method)->d_method->ml_meth;
    }
    Py_XDECREF(method);
    PyErr_Clear();
    return address;
}

/* ---- the rest ---- */

static inline bool py_in_delicate_callback(PyThreadState *ts)
{
#if PY_INLINES_AWAIT
    int event = ts->what_event;
    return ts->tracing > 0 && event != PY_MONITORING_EVENT_LINE && event != PY_MONITORING_EVENT_INSTRUCTION &&
           event != PY_MONITORING_EVENT_PY_START && event != PY_MONITORING_EVENT_PY_RETURN;
#else
    int event = ts->tracing_what;
    return ts->tracing > 0 && event != PyTrace_LINE && event != PyTrace_OPCODE && event != PyTrace_CALL &&
           event != PyTrace_RETURN;
#endif
}

static inline bool py_collecting(PyThreadState *ts) { return ts->interp->gc.collecting; }

static inline uint64_t py_thread_number(PyThreadState *ts) { return ts->id; }

static inline const char *py_stack_mismatch(void)
{
#if PY_CACHED_CHUNK_SINCE != 0
    if ((Py_Version >= PY_CACHED_CHUNK_SINCE) != (PY_VERSION_HEX >= PY_CACHED_CHUNK_SINCE)) {
        return "ohwait was compiled for another patch release of this CPython, with another data stack";
    }
#endif
    return NULL;
}

#endif
