/* CPython 3.15.  Facts only; what each function must do is said in contract.h. */
#ifndef OHWAIT_CPYTHON_PY3_H
#define OHWAIT_CPYTHON_PY3_H

#if PY_VERSION_HEX < 0x030F0000 || PY_VERSION_HEX >= 0x03100000
#  error "py315.h describes CPython 3.15"
#endif
#include "internal/pycore_ceval.h"
#include "internal/pycore_code.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_function.h"
#include "internal/pycore_genobject.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_interpframe.h"
#include "internal/pycore_opcode_utils.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_stackref.h"
#include "opcode.h"

#define PY_CURRENT_FRAME(ts) ((ts)->current_frame)
#define PY_RECURSION_LEFT(ts) ((ts)->py_recursion_remaining)
#define PY_FUNCTION_FIELD f_funcobj
#define PY_CODE_FIELD f_executable
#define PY_INSTRUCTION(frame) ((frame)->instr_ptr)
#define PY_INSTRUCTION_IS_BEFORE_NEXT 0             /* instr_ptr is the instruction itself */
#define PY_RETURN_OFFSET(frame) ((frame)->return_offset)
#define PY_SET_RETURN_OFFSET(frame, units) ((frame)->return_offset = (units))
#define PY_SET_CODE(frame, new_code) ((frame)->f_executable = PyStackRef_FromPyObjectSteal((PyObject *)(new_code)))
#define PY_REQUEST_CODE_SLOT PyUnstable_Eval_RequestCodeExtraIndex
#define PY_GET_CODE_SLOT PyUnstable_Code_GetExtra
#define PY_SET_CODE_SLOT PyUnstable_Code_SetExtra
#define PY_ITERNEXT_CARRIES_RESULT 0                /* SEND reads NULL without an exception as "returned None" */
#define PY_HOST_REPORTS_ITSELF 0
#define PY_MONITORING_VERSION(interp) ((interp)->ceval.instrumentation_version)
#define PY_LANDING_IS_TRACED 0
#define PY_THROW_INTO_HOST_IS_REPORTED 0
#define PY_THROW_HIDES_HOST 0
#define PY_LANDING_ENTRY_UNIT 0
#define PY_WITH_CALLS_METHODS_INLINE 1
#define PY_RAISED_IS_A_TRIPLE 0
#define PY_ENTRY_OWNER FRAME_OWNED_BY_INTERPRETER
#ifdef Py_DEBUG
#  define PY_FAILED_MAY_BE_SUSPENDED 0              /* gen_send_ex2 asserts that it has finished */
#else
#  define PY_FAILED_MAY_BE_SUSPENDED 1
#endif
#define PY_CLEARS_FAILED_FRAMES 0
#define PY_CHAINS_COPIED_AT_END 0                   /* references of a landing, beside that which ~ has */
#define PY_THROW_POPS_AWAITED 0                     /* when its throw() has failed */
#define PY_COUNTS_C_CALLS 0                         /* apart from Python calls */
#define PY_COUNTS_C_CALLS_TOO 0                     /* by the counter of Python calls */
#define PY_HAS_CFRAMES 0
/* What gen_send_ex2 goes by. */
#define PY_NOTE_YIELD(ts) (((_PyThreadStateImpl *)(ts))->generator_return_kind = GENERATOR_YIELD)
#define PY_NOTE_END(ts) (((_PyThreadStateImpl *)(ts))->generator_return_kind = GENERATOR_RETURN)
#define PY_INLINES_AWAIT 1
#define PY_ABOVE_AWAITED 1                          /* entries of a suspended frame's stack: NULL, or a sequence's index */
#define PY_SEND_TO_YIELD (1 + INLINE_CACHE_ENTRIES_SEND)        /* code units from SEND to the yield behind it */
#define PY_SEND_TO_SUSPENDED (2 + INLINE_CACHE_ENTRIES_SEND)    /* and to where a suspended frame stands */
#define PY_SUSPENDED(delegates) ((delegates) ? FRAME_SUSPENDED_YIELD_FROM : FRAME_SUSPENDED)
#define PY_IS_INSTRUMENTED(opcode) ((opcode) == INSTRUMENTED_LINE || (opcode) == INSTRUMENTED_INSTRUCTION)
#define PY_CACHED_CHUNK_SINCE 0x030F0000
#define PY_HAS_CACHED_CHUNK (PY_VERSION_HEX >= PY_CACHED_CHUNK_SINCE)

#include "cpython/slots_tagged.h"

static inline PyCodeObject *py_code(const py_frame *frame)
{
    return (PyCodeObject *)PyStackRef_AsPyObjectBorrow(frame->f_executable);
}

static inline size_t py_frame_size(const py_frame *frame) { return (size_t)py_code(frame)->co_framesize; }

static inline py_frame *py_caller(const py_frame *frame)
{
    py_frame *caller = frame->previous;
    return caller == NULL || caller->owner >= FRAME_OWNED_BY_INTERPRETER ? NULL : caller;
}

static inline py_frame *py_caller_beyond_c(const py_frame *frame)
{
    py_frame *caller = frame->previous;
    while (caller != NULL && caller->owner >= FRAME_OWNED_BY_INTERPRETER) {
        caller = caller->previous;
    }
    return caller;
}

static inline PyGenObject *py_generator(py_frame *frame) { return _PyGen_GetGeneratorFromFrame(frame); }

static inline const char *py_layout_mismatch(void)
{
    const struct _Py_DebugOffsets *here = &_PyRuntime.debug_offsets;
    return here->interpreter_frame.previous != offsetof(py_frame, previous) ||
                   here->interpreter_frame.executable != offsetof(py_frame, f_executable) ||
                   here->interpreter_frame.instr_ptr != offsetof(py_frame, instr_ptr) ||
                   here->interpreter_frame.localsplus != offsetof(py_frame, localsplus) ||
                   here->interpreter_frame.owner != offsetof(py_frame, owner) ||
                   here->thread_state.current_frame != offsetof(PyThreadState, current_frame)
               ? "the layout of its frames or thread state"
               : NULL;
}

static inline int py_silence(PyCodeObject *code)
{
    code->co_flags |= CO_NO_MONITORING_EVENTS;
    return 0;
}

static inline void py_pacify_landing(PyThreadState *ts, PyCodeObject *landing) { (void)ts, (void)landing; }

static inline void py_allow_specialised_calls(PyThreadState *ts, PyObject *function)
{
    if (!ts->interp->jit) {     /* set at the start of the interpreter, for good */
        _PyFunction_SetVersion((PyFunctionObject *)function, ((PyCodeObject *)PyFunction_GET_CODE(function))->co_version);
    }
}

static inline void py_prepare_landing(PyCodeObject *landing)
{
    landing->co_flags |= CO_NO_MONITORING_EVENTS;
    landing->_co_monitoring = PyMem_Calloc(1, sizeof(_PyCoMonitoringData));     /* nobody listens: monitor_handled asks */
    landing->_co_firsttraceable = 0;        /* without a RESUME, a frame that waits here would count as not begun */
}

PyAPI_FUNC(int) _Py_Instrument(PyCodeObject *, PyInterpreterState *);      /* exported, in no header */

static inline int py_refresh_instrumentation(PyThreadState *ts, PyCodeObject *code)
{
    return code->_co_instrumentation_version == ts->interp->ceval.instrumentation_version
               ? 0 : _Py_Instrument(code, ts->interp);
}

static inline void py_forget_sampled_frames(PyThreadState *ts, py_frame *host)
{
    if (ts->last_profiled_frame != NULL) {
        ts->last_profiled_frame = host;
        ts->last_profiled_frame_seq++;
    }
}

static inline bool py_inline_for_loop(py_frame *frame)
{
    _Py_CODEUNIT *at = frame->instr_ptr;
    int opcode = at->op.code;
    if (opcode != GET_ITER && opcode != GET_ITER_SELF && opcode != GET_ITER_VIRTUAL) {
        return false;
    }
    at += 1 + 1    /* its cache */;
    while (/* a comprehension saves its variables first; a long body makes the jump's argument long */
           at->op.code == LOAD_FAST_AND_CLEAR || at->op.code == SWAP || at->op.code == COPY ||
             at->op.code == BUILD_LIST || at->op.code == BUILD_SET || at->op.code == BUILD_MAP ||
             at->op.code == EXTENDED_ARG) {
        at++;
    }
    opcode = at->op.code;
    if (opcode == FOR_ITER || opcode == FOR_ITER_LIST || opcode == FOR_ITER_TUPLE || opcode == FOR_ITER_RANGE) {
        at->op.code = FOR_ITER_GEN;
    }
    return at->op.code == FOR_ITER_GEN;
}

static inline PyObject *py_awaitable_iterator(PyObject *awaitable) { return _PyCoro_GetAwaitableIter(awaitable); }

#include "cpython/report_monitoring.h"

static inline void py_swallow_return(PyThreadState *ts) { (void)ts; }      /* CO_NO_MONITORING_EVENTS does it */

static const py_instruction py_hidden[] = {
    {LOAD_CONST, 0, PY_HOOK, 0}, {UNARY_INVERT, 0, PY_ARG, 0}, {RETURN_VALUE, 0, PY_ARG, 0},
};

/* No RESUME after YIELD_VALUE: nothing asks for it since 3.14, and it would instrument the landing.
 * SEND takes three slots: receiver, NULL (or an index into a sequence), value. */
static const py_instruction py_prepared_landing_code[] = {
    /* 0 */ {PUSH_NULL, 0, PY_ARG, 0},
    /* 1 */ {LOAD_CONST, 0, PY_NONE, 0},
    /* 2 */ {SEND, INLINE_CACHE_ENTRIES_SEND, PY_FORWARD, 6},
    /* 3 */ {YIELD_VALUE, 0, PY_ARG, 1},
    /* 4 */ {SEND, INLINE_CACHE_ENTRIES_SEND, PY_FORWARD, 6},
    /* 5 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 3},
    /* 6 */ {POP_TOP, 0, PY_ARG, 0},
    /* 7 */ {POP_TOP, 0, PY_ARG, 0},
    /* 8 */ {CALL, INLINE_CACHE_ENTRIES_CALL, PY_ARG, 0},
    /* 9 */ {BINARY_OP, INLINE_CACHE_ENTRIES_BINARY_OP, PY_ARG, NB_REMAINDER},
    /* 10 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 8},
};
static const py_instruction py_landing_code[] = {
    /* 0 */ {PUSH_NULL, 0, PY_ARG, 0},
    /* 1 */ {LOAD_CONST, 0, PY_NONE, 0},
    /* 2 */ {SEND, INLINE_CACHE_ENTRIES_SEND, PY_FORWARD, 5},
    /* 3 */ {YIELD_VALUE, 0, PY_ARG, 1},
    /* 4 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 2},
    /* 5 */ {POP_TOP, 0, PY_ARG, 0},
    /* 6 */ {POP_TOP, 0, PY_ARG, 0},
    /* 7 */ {UNARY_INVERT, 0, PY_ARG, 0},
    /* 8 */ {LOAD_CONST, 0, PY_RESUME_FUNCTION, 0},
    /* 9 */ {SWAP, 0, PY_ARG, 2},
    /* 10 */ {CALL, INLINE_CACHE_ENTRIES_CALL, PY_ARG, 0},
    /* 11 */ {BINARY_OP, INLINE_CACHE_ENTRIES_BINARY_OP, PY_ARG, NB_REMAINDER},
    /* 12 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 7},
};
/* `async def f(): return g()` has two slots only.  Its landing drives the chain by operators, and suspends as a
 * generator's `yield` does: cr_await is None then, and throw() and close() arrive at the handler. */
static const py_instruction py_tight_landing_code[] = {
    /* 0 */ {COPY, 0, PY_ARG, 1},
    /* 1 */ {UNARY_NEGATIVE, 0, PY_ARG, 0},                                         /* [chain, yielded] */
    /* 2 */ {YIELD_VALUE, 0, PY_ARG, 0},                                            /* resumed: [chain, sent] */
    /* 3 */ {BINARY_OP, INLINE_CACHE_ENTRIES_BINARY_OP, PY_ARG, NB_SUBSCR},         /* [chain] */
    /* 4 */ {COPY, 0, PY_ARG, 1},
    /* 5 */ {TO_BOOL, INLINE_CACHE_ENTRIES_TO_BOOL, PY_ARG, 0},
    /* 6 */ {POP_JUMP_IF_FALSE, 1, PY_FORWARD, 8},
    /* 7 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 0},
    /* 8 */ {UNARY_INVERT, 0, PY_ARG, 0},
    /* 9 */ {LOAD_CONST, 0, PY_RESUME_FUNCTION, 0},
    /* 10 */ {SWAP, 0, PY_ARG, 2},
    /* 11 */ {CALL, INLINE_CACHE_ENTRIES_CALL, PY_ARG, 0},
    /* 12 */ {BINARY_OP, INLINE_CACHE_ENTRIES_BINARY_OP, PY_ARG, NB_REMAINDER},     /* [chain, thrown] -> [chain] */
    /* 13 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 4},
};
static const py_landing py_landings[] = {
    {py_prepared_landing_code, sizeof(py_prepared_landing_code) / sizeof(*py_prepared_landing_code), 4, 6, 9, true, true},
    {py_landing_code, sizeof(py_landing_code) / sizeof(*py_landing_code), 3, 5, 11, true, false},
    {py_tight_landing_code, sizeof(py_tight_landing_code) / sizeof(*py_tight_landing_code), 2, 8, 12, false, false},
};

#endif
