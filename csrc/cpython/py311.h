/* CPython 3.11.  Facts only; what each function must do is said in contract.h. */
#ifndef OHWAIT_CPYTHON_PY3_H
#define OHWAIT_CPYTHON_PY3_H

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030C0000
#  error "py311.h describes CPython 3.11"
#endif
#include "internal/pycore_ceval.h"
#include "internal/pycore_code.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_pystate.h"
#include "opcode.h"

#define PY_CURRENT_FRAME(ts) ((ts)->cframe->current_frame)
#define PY_FUNCTION_FIELD f_func
#define PY_CODE_FIELD f_code
#define PY_GENERATOR_CODE(generator) ((generator)->gi_code)
#define PY_INSTRUCTION(frame) ((frame)->prev_instr)
#define PY_INSTRUCTION_IS_BEFORE_NEXT 1             /* prev_instr is the code unit before the next instruction */
#define PY_RETURN_OFFSET(frame) 0                   /* callers save where they continue */
#define PY_SET_RETURN_OFFSET(frame, units) ((void)(units))
#define PY_SET_CODE(frame, new_code) ((frame)->f_code = (new_code))
#define PY_REQUEST_CODE_SLOT _PyEval_RequestCodeExtraIndex
#define PY_GET_CODE_SLOT _PyCode_GetExtra
#define PY_SET_CODE_SLOT _PyCode_SetExtra
#define PY_ITERNEXT_CARRIES_RESULT 1                /* SEND replaces the receiver by the result */
#define PY_HOST_REPORTS_ITSELF 1                    /* at its landing: YIELD_VALUE and RESUME are traced */
#define PY_LANDING_IS_TRACED 1
#define PY_THROW_INTO_HOST_IS_REPORTED 1
#define PY_THROW_HIDES_HOST 1
#define PY_LANDING_ENTRY_UNIT 2
#define PY_WITH_CALLS_METHODS_INLINE 0
#define PY_RAISED_IS_A_TRIPLE 1                     /* type, value and traceback apart */
#define PY_FAILED_MAY_BE_SUSPENDED 0                /* gen_send_ex2 clears the frame */
#define PY_SLOTS_BELOW_SENT 1                       /* of a landing, where a value is sent */
#define PY_CHAINS_COPIED_AT_END 1                   /* references of a landing, beside that which ~ has */
#define PY_THROW_POPS_AWAITED 1                     /* when its throw() has failed */
#define PY_COUNTS_C_CALLS 0                         /* apart from Python calls */
#define PY_HAS_CFRAMES 1
#define PY_TRACES_BY_LOOP 1
#define PY_STACK_PATH_IS_UNFINISHED "ohwait does not suspend through C functions on CPython 3.11 yet"
#define PY_INLINES_AWAIT 0
#define PY_SUSPENDED(delegates) ((void)(delegates), FRAME_SUSPENDED)
#define PY_CACHED_CHUNK_SINCE 0
#define PY_HAS_CACHED_CHUNK 0

#include "cpython/slots_plain.h"

static inline PyCodeObject *py_code(const py_frame *frame) { return frame->f_code; }

static inline size_t py_frame_size(const py_frame *frame)
{
    const PyCodeObject *code = frame->f_code;
    return (size_t)code->co_nlocalsplus + (size_t)code->co_stacksize + FRAME_SPECIALS_SIZE;
}

static inline py_frame *py_caller(const py_frame *frame) { return frame->is_entry ? NULL : frame->previous; }

static inline py_frame *py_caller_beyond_c(const py_frame *frame) { return frame->previous; }

static inline PyGenObject *py_generator(py_frame *frame) { return _PyFrame_GetGenerator(frame); }

static inline const char *py_layout_mismatch(void) { return NULL; }     /* 3.11 does not describe its layout */

/* 3.11 has no monitoring; sys.setprofile and sys.settrace see hidden functions (frames/events.c answers that). */
static inline int py_silence(PyCodeObject *code) { (void)code; return 0; }

static inline void py_pacify_landing(PyThreadState *ts, PyCodeObject *landing) { (void)ts, (void)landing; }

static inline void py_allow_specialised_calls(PyThreadState *ts, PyObject *function)
{
    (void)ts, (void)function;     /* they are, and there is no JIT */
}

static inline void py_prepare_landing(PyCodeObject *landing) { (void)landing; }

static inline int py_refresh_instrumentation(PyThreadState *ts, PyCodeObject *code)
{
    (void)ts, (void)code;
    return 0;
}

static inline void py_forget_sampled_frames(PyThreadState *ts, py_frame *host) { (void)ts, (void)host; }

/* 3.11 runs a generator in an interpreter loop of its own, always. */
static inline bool py_inline_for_loop(py_frame *frame) { (void)frame; return false; }

/* More than 50 calls beyond the limit are a fatal error in 3.11 (_Py_CheckRecursiveCall, Python/ceval.c).  Frames that
 * come back there raise the thread's limit above the interpreter's; it is lowered again as soon as there is room. */
enum { PY_BEYOND_LIMIT = 40 };

static inline void py_raise_limit(PyThreadState *ts, int calls)
{
    ts->recursion_limit += calls;
    ts->recursion_remaining += calls;
}

static inline void py_add_recursion(PyThreadState *ts, int calls)
{
    int raised = ts->recursion_limit - ts->interp->ceval.recursion_limit;
    ts->recursion_remaining += calls;
    if (ts->recursion_remaining < -PY_BEYOND_LIMIT) {
        py_raise_limit(ts, -PY_BEYOND_LIMIT - ts->recursion_remaining);
    }
    else if (raised > 0 && ts->recursion_remaining > raised) {
        py_raise_limit(ts, -raised);
    }
}

static inline int py_recursion_left(PyThreadState *ts)
{
    py_add_recursion(ts, 0);
    return ts->recursion_remaining;
}

#include "cpython/await.h"

#include "cpython/report_tracing.h"

static const py_instruction py_hidden[] = {
    {LOAD_CONST, 0, PY_HOOK, 0}, {UNARY_INVERT, 0, PY_ARG, 0}, {RETURN_VALUE, 0, PY_ARG, 0},
};

static const py_instruction py_landing_code[] = {
    /* 0 */ {RESUME, 0, PY_ARG, 0},                 /* not run: up to one unit after the first RESUME, tracing takes */
    /* 1 */ {NOP, 0, PY_ARG, 0},                    /* whatever it meets for a new line */
    /* 2 */ {LOAD_CONST, 0, PY_NONE, 0},
    /* 3 */ {SEND, 0, PY_FORWARD, 7},
    /* 4 */ {YIELD_VALUE, 0, PY_ARG, 0},
    /* 5 */ {RESUME, 0, PY_ARG, 3},
    /* 6 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 3},
    /* 7 */ {COPY, 0, PY_ARG, 1},                   /* the result of SEND, in the chain's place, is the chain */
    /* 8 */ {UNARY_INVERT, 0, PY_ARG, 0},           /* up to here a trace function may raise */
    /* 9 */ {POP_TOP, 0, PY_ARG, 0},
    /* 10 */ {LOAD_CONST, 0, PY_RESUME_FUNCTION, 0},
    /* 11 */ {SWAP, 0, PY_ARG, 2},
    /* 12 */ {PRECALL, INLINE_CACHE_ENTRIES_PRECALL, PY_ARG, 0},
    /* 13 */ {CALL, INLINE_CACHE_ENTRIES_CALL, PY_ARG, 0},
    /* 14 */ {BINARY_OP, INLINE_CACHE_ENTRIES_BINARY_OP, PY_ARG, NB_REMAINDER},
    /* 15 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 7},
};
static const py_landing py_landings[] = {
    {py_landing_code, sizeof(py_landing_code) / sizeof(*py_landing_code), 2, 9, 14, true, false},
};

#endif
