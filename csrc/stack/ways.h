/* Ways from a call over C functions out of the loop below them that were found before.
 *
 * A way is what the unwinder makes of the words that it reads: return addresses, and saved registers where a function
 * keeps its frame in one.  When all of these words stand again at the same distances from the start, it would find the
 * same way again: to compare them takes a tenth of the time.
 */
#ifndef OHWAIT_STACK_WAYS_H
#define OHWAIT_STACK_WAYS_H

#include "stack/stack.h"

#if OHW_ARCH_KNOWN

enum { OHW_WAY_WORDS = 48 };

typedef struct {
    uintptr_t distance;             /* from the place to the address in the last loop's C frame; 0: no way */
    unsigned long long unloaded;    /* ohw_unwind_unloaded() when it was found; only looked at if it is temporary */
    bool temporary;
    bool pc_signed;
    int contexts, c_calls;
    uint32_t cfa, pc_where, where[OHW_ARCH_SAVED];      /* as in ohw_c_frame, from the place on */
    /* Words read, from the place on: return addresses from the start of the table, registers, relative to the place,
     * from its end. */
    int returns, registers;
    uint32_t at[OHW_WAY_WORDS];
    uintptr_t word[OHW_WAY_WORDS];
} ohw_way;

/* From exit->place to the caller of the function whose C frame `address` is in, if that way is known and still right:
 * fills in exit->caller, contexts and c_calls. */
bool ohw_way_known(ohw_exit *exit, uintptr_t address);

/* To walk one that is not known: */
void ohw_way_begin(ohw_way *way, const ohw_exit *exit);
bool ohw_way_step(ohw_way *way, ohw_exit *exit);        /* as ohw_unwind_step(&exit->caller) */
void ohw_way_keep(ohw_way *way, const ohw_exit *exit, uintptr_t address);

#endif
#endif
