/* What the stack path needs of a processor; one file each (x86_64.h, aarch64.h) holds all that differs.
 *
 * Such a file defines OHW_ARCH_SAVED, the type ohw_place, the numbers for the unwinder (OHW_DWARF_*), the inline
 * functions ohw_arch_strip, ohw_arch_sign and ohw_arch_objection, and OHW_ARCH_ASSEMBLY, which arch.c emits once:
 * the functions declared below.
 */
#ifndef OHWAIT_STACK_ARCH_H
#define OHWAIT_STACK_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* OHWAIT_WITHOUT_STACK: compile as where no assembly exists. */
#if defined(OHWAIT_WITHOUT_STACK)
#define OHW_ARCH_KNOWN 0
#elif defined(__linux__) && defined(__LP64__) && defined(__x86_64__)
#include "stack/x86_64.h"
#define OHW_ARCH_KNOWN 1
#elif defined(__linux__) && defined(__LP64__) && defined(__aarch64__)
#include "stack/aarch64.h"
#define OHW_ARCH_KNOWN 1
#else
#define OHW_ARCH_KNOWN 0
#endif

#if OHW_ARCH_KNOWN

/* A state in which C code goes on: enough, as the calling convention says, right after a call has returned. */
typedef struct {
    uintptr_t pc;                       /* where to go on: a return address */
    uintptr_t sp;                       /* stack pointer there */
    uintptr_t saved[OHW_ARCH_SAVED];    /* callee-saved registers there */
} ohw_registers;

/* The caller's registers as they are when this call has returned. */
void ohw_arch_capture(ohw_registers *own);

/* Leave what the caller needs to go on, callee-saved registers and floating-point control, on the stack as an ohw_place
 * (lowest address of it: `place`), and call function(place, argument).  Returns what that returns, or what
 * ohw_arch_return(place, result) is given; that may happen much later, and after everything from `place` up to some
 * frame of the stack has been copied away and back. */
void *ohw_arch_save(void *(*function)(ohw_place *place, void *argument), void *argument);
_Noreturn void ohw_arch_return(ohw_place *place, void *result);

/* Go on at `to`, where a call returns `result`. */
_Noreturn void ohw_arch_leave(const ohw_registers *to, void *result);

/* Call function(argument), which never returns, below both `sp` and the stack pointer. */
_Noreturn void ohw_arch_call_below(uintptr_t sp, void (*function)(void *argument), void *argument);

/* A return address for a function whose caller finds a pointer to ohw_pad_record in the callee-saved register number
 * OHW_ARCH_CARRIER: calls function(record, result) with record->sp as stack pointer.  Not to be called. */
void ohw_arch_pad(void);
typedef struct ohw_pad_record {
    uintptr_t sp;                       /* multiple of 16 */
    void (*function)(struct ohw_pad_record *record, void *result);      /* never returns */
} ohw_pad_record;
enum { OHW_ARCH_CARRIER = 0 };

/* For the self-test: call function(argument) with a known value in each callee-saved register.  Bit i: register i had
 * another value afterwards. */
uintptr_t ohw_arch_probe(void *(*function)(void *argument), void *argument);

/* In ohw_place, whatever its layout: */
static inline ohw_registers ohw_place_registers(const ohw_place *place)
{
    ohw_registers registers;
    registers.pc = ohw_arch_strip(place->pc);
    registers.sp = (uintptr_t)(place + 1);
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        registers.saved[i] = place->saved[i];
    }
    return registers;
}

#endif
#endif
