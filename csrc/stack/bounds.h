/* The C stack that the system made for a thread: is the code that runs now on it, and where does it begin? */
#ifndef OHWAIT_STACK_BOUNDS_H
#define OHWAIT_STACK_BOUNDS_H

#include "stack/arch.h"

#if OHW_ARCH_KNOWN

typedef struct {
    uintptr_t low, high;        /* the stack grows from high down, at most to low */
} ohw_bounds;

/* Of the calling thread.  False: the system does not say. */
bool ohw_stack_bounds(ohw_bounds *bounds);

/* Is the stack of the calling thread in use from `address` up?  False on stacks that a library made (coroutines of C
 * libraries, alternative stacks for signals), above which nothing is known.  Greenlets share the thread's stack: they
 * are on it. */
bool ohw_on_thread_stack(uintptr_t address);

#endif
#endif
