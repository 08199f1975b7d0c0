/* What the stack path needs of a processor; one file each holds what differs. */
#ifndef OHWAIT_STACK_ARCH_H
#define OHWAIT_STACK_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__linux__) && defined(__LP64__) && defined(__x86_64__)
#include "stack/x86_64.h"
#define OHW_ARCH_KNOWN 1
#elif defined(__linux__) && defined(__LP64__) && defined(__aarch64__)
#include "stack/aarch64.h"
#define OHW_ARCH_KNOWN 1
#else
#define OHW_ARCH_KNOWN 0
#endif

#if OHW_ARCH_KNOWN

typedef struct {
    uintptr_t pc;                       /* where to go on: a return address */
    uintptr_t sp;                       /* stack pointer there */
    uintptr_t saved[OHW_ARCH_SAVED];    /* callee-saved registers there */
} ohw_registers;

/* The caller's registers as they are when this call has returned. */
void ohw_arch_capture(ohw_registers *own);

#endif
#endif
