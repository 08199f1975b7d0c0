/* Where a C function will return to, and which callee-saved registers its caller gets back: read off the unwind tables
 * (.eh_frame) that C compilers put beside the code for C++ exceptions and debuggers.
 *
 * Like libgcc's _Unwind_Backtrace, but what a return address means is decoded once: a walk of five frames takes some
 * 100 ns instead of some microseconds.  judge.c compares the two.
 */
#ifndef OHWAIT_STACK_UNWIND_H
#define OHWAIT_STACK_UNWIND_H

#include "stack/arch.h"

#if OHW_ARCH_KNOWN

typedef struct {
    uintptr_t pc;                           /* return address in this function, without signature */
    uintptr_t cfa;                          /* stack pointer there: the canonical frame address of what it called */
    uintptr_t registers[OHW_ARCH_SAVED];    /* what this function finds in the callee-saved registers there */
    /* The address on the stack from which that will be restored, by whichever function saved it last; 0: it is in the
     * register still.  What is written there is what this function will find. */
    uintptr_t where[OHW_ARCH_SAVED];
    uintptr_t pc_where;                     /* the address on the stack that holds pc; 0 before the first step */
    bool pc_signed;                         /* it does so signed, with cfa as modifier (AArch64) */
    bool compared;                          /* in this walk: no object has been unloaded since rows were decoded */
    bool temporary;                         /* the walk has met code that may be unloaded one day */
    int8_t relied_on;                       /* by the last step, besides the return address: ohw_row.relied_on */
} ohw_c_frame;

/* The frame that captured `own`.  False: no walk is possible (out of memory).  The caller holds the GIL until its last
 * step. */
bool ohw_unwind_start(ohw_c_frame *frame, const ohw_registers *own);

/* To the caller.  False, with nothing changed, where the tables do not say: code that has none, code made at run
 * time, a signal handler's caller, the thread's outermost function, rules that no compiler is known to emit. */
bool ohw_unwind_step(ohw_c_frame *frame);

/* Does a return address lie in a program or library?  Otherwise the code was made at run time.  That may be freed while
 * a call in it is suspended, and CPython's JIT (3.15) registers tables that tell return addresses but no registers. */
bool ohw_unwind_is_loaded(uintptr_t pc);

/* How many objects the dynamic linker has unloaded.  Forgets all rows if that has changed since it was last asked. */
unsigned long long ohw_unwind_unloaded(void);

/* Start of the function that a return address is in (of the part of it, where a compiler has split one); 0: unknown. */
uintptr_t ohw_unwind_function_start(uintptr_t pc);

/* Where something can be noted with a return address that a step has started from, until that code is unloaded; negative
 * at first.  Valid until the next step; NULL: nowhere. */
int8_t *ohw_unwind_note(uintptr_t pc);

/* Rows decoded since import, and rows kept now. */
void ohw_unwind_counts(size_t *decoded, size_t *kept);

#endif
#endif
