/* Is the unwinder right?  libgcc's, which throws C++ exceptions with the same tables, judges. */
#ifndef OHWAIT_STACK_JUDGE_H
#define OHWAIT_STACK_JUDGE_H

#include "stack/unwind.h"

#if OHW_ARCH_KNOWN

typedef struct {
    size_t frames;              /* compared */
    size_t differences;
    size_t first;               /* at which frame, counted from the caller of ohw_compare_unwinders */
    uintptr_t first_pc;
    const char *what;           /* what differed there first; NULL: nothing */
} ohw_comparison;

/* Walk the stack from the caller up to `end` (an address on it; 0: to its end) with both.  The GIL is held. */
void ohw_compare_unwinders(ohw_comparison *comparison, uintptr_t end);

#endif
#endif
