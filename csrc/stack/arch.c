/* The assembly of the processor that this is compiled for. */
#include "stack/arch.h"

#ifdef OHW_ARCH_ASSEMBLY
__asm__(OHW_ARCH_ASSEMBLY);
#endif
