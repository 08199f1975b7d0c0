/* What C functions on the way have counted towards the recursion limit (CPython 3.11 counts calls of Python and of C by
 * one counter, and C functions keep no record of what they have counted: Py_EnterRecursiveCall). */
#ifndef OHWAIT_STACK_COUNTED_H
#define OHWAIT_STACK_COUNTED_H

#include "stack/arch.h"

#if OHW_ARCH_KNOWN

/* Read in the code behind a return address: will the function there give a call back before it returns?  `field`: offset
 * of the counter in the thread state.  0: no, or that cannot be told.  Remembered with the unwinder's row. */
int ohw_calls_counted(uintptr_t pc, size_t field);

/* ---- x86_64_code.c; no such thing for the other processors yet ---- */

typedef enum {
    OHW_CODE_UNKNOWN,
    OHW_CODE_PLAIN,
    OHW_CODE_BRANCH,            /* to `target`, or on */
    OHW_CODE_JUMP,              /* to `target`; 0: it is not in the instruction */
    OHW_CODE_CALL,              /* of `target`; 0: as above */
    OHW_CODE_RETURN,
    OHW_CODE_COUNTS,            /* subtracts one from the field */
    OHW_CODE_GIVES_BACK,        /* adds one */
} ohw_code_kind;
typedef struct {
    ohw_code_kind kind;
    bool direct;                /* `target` was in the instruction itself, not in memory */
    uintptr_t next, target;
} ohw_code;
/* The instruction at `at`, or two of them where they do one thing together. */
ohw_code ohw_code_at(uintptr_t at, size_t field);

#endif
#endif
