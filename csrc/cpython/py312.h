/* CPython 3.12.  Facts only; what each function must do is said in contract.h. */
#ifndef OHWAIT_CPYTHON_PY3_H
#define OHWAIT_CPYTHON_PY3_H

#if PY_VERSION_HEX < 0x030C0000 || PY_VERSION_HEX >= 0x030D0000
#  error "py312.h describes CPython 3.12"
#endif
#include "internal/pycore_ceval.h"
#include "internal/pycore_code.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_genobject.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_pystate.h"
#include "opcode.h"

#define PY_CURRENT_FRAME(ts) ((ts)->cframe->current_frame)
#define PY_RECURSION_LEFT(ts) ((ts)->py_recursion_remaining)
#define PY_FUNCTION_FIELD f_funcobj
#define PY_CODE_FIELD f_code
#define PY_GENERATOR_CODE(generator) (((py_frame *)(generator)->gi_iframe)->f_code)
#define PY_INSTRUCTION(frame) ((frame)->prev_instr)
#define PY_INSTRUCTION_IS_BEFORE_NEXT 1             /* prev_instr is the code unit before the next instruction */
#define PY_RETURN_OFFSET(frame) ((frame)->return_offset)
#define PY_SET_RETURN_OFFSET(frame, units) ((frame)->return_offset = (units))
#define PY_SET_CODE(frame, new_code) ((frame)->f_code = (new_code))
#define PY_REQUEST_CODE_SLOT PyUnstable_Eval_RequestCodeExtraIndex
#define PY_GET_CODE_SLOT PyUnstable_Code_GetExtra
#define PY_SET_CODE_SLOT PyUnstable_Code_SetExtra
#define PY_ITERNEXT_CARRIES_RESULT 0                /* SEND reads NULL without an exception as "returned None" */
#define PY_HOST_REPORTS_ITSELF 0
#define PY_MONITORING_VERSION(interp) ((interp)->monitoring_version)
#define PY_LANDING_IS_TRACED 1                      /* its CALL */
#define PY_THROW_INTO_HOST_IS_REPORTED 1
#define PY_THROW_HIDES_HOST 1
#define PY_LANDING_RESUME_UNIT 4                    /* of py_landing_code below */
#define PY_LANDING_ENTRY_UNIT 0
#define PY_WITH_CALLS_METHODS_INLINE 0
#define PY_RAISED_IS_A_TRIPLE 0
#define PY_ENTRY_OWNER FRAME_OWNED_BY_CSTACK
#define PY_FAILED_MAY_BE_SUSPENDED 0                /* gen_send_ex2 drops what it handles; debug builds assert its end */
#define PY_CLEARS_FAILED_FRAMES 0
#define PY_CHAINS_COPIED_AT_END 0                   /* references of a landing, beside that which ~ has */
#define PY_THROW_POPS_AWAITED 0                     /* when its throw() has failed */
#define PY_COUNTS_C_CALLS 1                         /* apart from Python calls */
#define PY_COUNTS_C_CALLS_TOO 0                     /* by the counter of Python calls */
#define PY_HAS_CFRAMES 1
#define PY_NOTE_YIELD(ts) ((void)(ts))
#define PY_INLINES_AWAIT 1
#define PY_SEND_TO_YIELD INLINE_CACHE_ENTRIES_SEND              /* code units from SEND's last cache to the yield behind */
#define PY_SEND_TO_SUSPENDED INLINE_CACHE_ENTRIES_SEND          /* and to where a suspended frame stands */
#define PY_SUSPENDED(delegates) ((void)(delegates), FRAME_SUSPENDED)
#define PY_IS_INSTRUMENTED(opcode) ((opcode) == INSTRUMENTED_LINE || (opcode) == INSTRUMENTED_INSTRUCTION)
#define PY_DEALLOCATIONS(ts) ((ts)->trash.delete_nesting)
#define PY_CACHED_CHUNK_SINCE 0
#define PY_HAS_CACHED_CHUNK 0
#define PY_C_RECURSION_LEFT(ts) ((ts)->c_recursion_remaining)
#define PY_C_RECURSION_MAXIMUM C_RECURSION_LIMIT

#include "cpython/slots_plain.h"

static inline PyCodeObject *py_code(const py_frame *frame) { return frame->f_code; }

static inline size_t py_frame_size(const py_frame *frame) { return (size_t)py_code(frame)->co_framesize; }

static inline py_frame *py_caller(const py_frame *frame)
{
    py_frame *caller = frame->previous;
    return caller == NULL || caller->owner == FRAME_OWNED_BY_CSTACK ? NULL : caller;
}

static inline py_frame *py_caller_beyond_c(const py_frame *frame)
{
    py_frame *caller = frame->previous;
    while (caller != NULL && caller->owner == FRAME_OWNED_BY_CSTACK) {
        caller = caller->previous;
    }
    return caller;
}

static inline PyGenObject *py_generator(py_frame *frame) { return _PyFrame_GetGenerator(frame); }

static inline const char *py_layout_mismatch(void) { return NULL; }     /* 3.12 does not describe its layout */

/* Monitoring data of its own, in which no tool listens to anything, is what 3.12 asks first (no_tools_for_event in
 * Python/ceval.c); freed with the code object. */
static inline int py_silence(PyCodeObject *code)
{
    code->_co_monitoring = PyMem_Calloc(1, sizeof(_PyCoMonitoringData));
    return code->_co_monitoring == NULL ? -1 : 0;
}

static inline void py_allow_specialised_calls(PyThreadState *ts, PyObject *function)
{
    (void)ts, (void)function;     /* they are, and there is no JIT */
}

static inline void py_prepare_landing(PyCodeObject *landing)
{
    (void)py_silence(landing);
    landing->_co_firsttraceable = (int)Py_SIZE(landing) - 3;    /* lines and instructions are looked at from here on */
}

/* 3.12 wants a RESUME after the YIELD_VALUE, and that instruments the landing when tools have been switched while a host
 * waited.  Its instructions are put back, and count as instrumented with nothing. */
static inline void py_pacify_landing(PyThreadState *ts, PyCodeObject *landing)
{
    landing->_co_instrumentation_version = ts->interp->monitoring_version;
    if (landing->_co_monitoring == NULL || _PyCode_CODE(landing)[PY_LANDING_RESUME_UNIT].op.code == RESUME) {
        return;
    }
    PyObject *code = PyCode_GetCode(landing);
    if (code == NULL) {
        PyErr_Clear();
        return;
    }
    memcpy(_PyCode_CODE(landing), PyBytes_AS_STRING(code), (size_t)PyBytes_GET_SIZE(code));
    memset(&landing->_co_monitoring->active_monitors, 0, sizeof(landing->_co_monitoring->active_monitors));
    Py_DECREF(code);
}

#include "cpython/refresh.h"

static inline void py_forget_sampled_frames(PyThreadState *ts, py_frame *host) { (void)ts, (void)host; }

static inline bool py_inline_for_loop(py_frame *frame)
{
    _Py_CODEUNIT *at = frame->prev_instr;
    int opcode = at->op.code;
    if (opcode != GET_ITER) {
        return false;
    }
    at += 1;
    while (/* a comprehension saves its variables first; a long body makes the jump's argument long */
           at->op.code == LOAD_FAST_AND_CLEAR || at->op.code == GET_ITER || at->op.code == SWAP || at->op.code == COPY ||
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

#include "cpython/await.h"

#include "cpython/report_monitoring.h"
#include "cpython/swallow_unwind.h"

static const py_instruction py_hidden[] = {
    {LOAD_CONST, 0, PY_HOOK, 0}, {UNARY_INVERT, 0, PY_ARG, 0}, {RETURN_VALUE, 0, PY_ARG, 0},
};

static const py_instruction py_prepared_landing_code[] = {
    /* 0 */ {LOAD_CONST, 0, PY_NONE, 0},
    /* 1 */ {SEND, INLINE_CACHE_ENTRIES_SEND, PY_FORWARD, 6},
    /* 2 */ {YIELD_VALUE, 0, PY_ARG, 2},
    /* 3 */ {RESUME, 0, PY_ARG, 3},
    /* 4 */ {SEND, INLINE_CACHE_ENTRIES_SEND, PY_FORWARD, 6},
    /* 5 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 2},
    /* 6 */ {POP_TOP, 0, PY_ARG, 0},
    /* 7 */ {CALL, INLINE_CACHE_ENTRIES_CALL, PY_ARG, 0},
    /* 8 */ {BINARY_OP, INLINE_CACHE_ENTRIES_BINARY_OP, PY_ARG, NB_REMAINDER},
    /* 9 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 7},
};
static const py_instruction py_landing_code[] = {
    /* 0 */ {LOAD_CONST, 0, PY_NONE, 0},
    /* 1 */ {SEND, INLINE_CACHE_ENTRIES_SEND, PY_FORWARD, 5},
    /* 2 */ {YIELD_VALUE, 0, PY_ARG, 2},
    /* 3 */ {RESUME, 0, PY_ARG, 3},
    /* 4 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 1},
    /* 5 */ {POP_TOP, 0, PY_ARG, 0},
    /* 6 */ {UNARY_INVERT, 0, PY_ARG, 0},
    /* 7 */ {LOAD_CONST, 0, PY_RESUME_FUNCTION, 0},
    /* 8 */ {SWAP, 0, PY_ARG, 2},
    /* 9 */ {CALL, INLINE_CACHE_ENTRIES_CALL, PY_ARG, 0},
    /* 10 */ {BINARY_OP, INLINE_CACHE_ENTRIES_BINARY_OP, PY_ARG, NB_REMAINDER},
    /* 11 */ {JUMP_BACKWARD_NO_INTERRUPT, 0, PY_BACKWARD, 6},
};
static const py_landing py_landings[] = {
    {py_prepared_landing_code, sizeof(py_prepared_landing_code) / sizeof(*py_prepared_landing_code), 3, 6, 8, true, true},
    {py_landing_code, sizeof(py_landing_code) / sizeof(*py_landing_code), 2, 5, 10, true, false},
};

#endif
