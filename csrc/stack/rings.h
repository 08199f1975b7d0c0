/* Lists of the collector whose heads lie on a part of the C stack that is moved out of the way. */
#ifndef OHWAIT_STACK_RINGS_H
#define OHWAIT_STACK_RINGS_H

#include "cpython/contract.h"
#include "stack/arch.h"

#if OHW_ARCH_KNOWN

/* `to` is a copy of `bytes` at `from`, both aligned as pointers are: lists whose heads were there lead to the copy from
 * now on.  The last head may reach beyond by one word.  Finds heads by what leads to them, hence reads any address. */
void ohw_move_rings(const char *from, char *to, size_t bytes);
/* Does the system say which addresses can be read? */
bool ohw_can_find_rings(void);

#endif
#endif
