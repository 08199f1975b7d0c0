/* The exchange of C stacks, tried once on functions of our own before anything depends on it. */
#ifndef OHWAIT_STACK_REHEARSE_H
#define OHWAIT_STACK_REHEARSE_H

#include "stack/unwind.h"

#if OHW_ARCH_KNOWN

/* NULL, or what went wrong (static text).  `falsify`: something must go wrong, as a register is given another value
 * while it is away: is that noticed?  Needs the GIL, runs no Python code, and keeps nothing. */
const char *ohw_rehearse(bool falsify);

#endif
#endif
