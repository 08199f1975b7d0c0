/* One row of an unwind table: how to get from a return address in a function to its caller. */
#ifndef OHWAIT_STACK_CFI_H
#define OHWAIT_STACK_CFI_H

#include "stack/arch.h"

#if OHW_ARCH_KNOWN

typedef enum {
    OHW_RULE_SAME,              /* not changed by this function (so far) */
    OHW_RULE_AT,                /* what is in memory at base + offset */
    OHW_RULE_IS,                /* base + offset itself */
    OHW_RULE_UNKNOWN,
} ohw_rule_kind;

#define OHW_BASE_SP OHW_ARCH_SAVED
#define OHW_BASE_CFA (OHW_ARCH_SAVED + 1)
#define OHW_BASE_NONE (-1)      /* a plain number; only while expressions are evaluated */

typedef struct {
    int32_t offset;
    int8_t base;                /* index of a callee-saved register, or OHW_BASE_... */
    uint8_t kind;
} ohw_rule;

typedef struct {
    uintptr_t pc;               /* return address */
    uintptr_t function;         /* where the function starts; 0 unknown */
    bool known;                 /* all that follows holds */
    bool return_signed;
    int8_t note;                /* the walker's own (counted.c); negative: nothing yet */
    bool permanent;             /* set by whoever keeps rows: this code is never unloaded */
    int8_t relied_on;           /* besides the stack pointer: index of the register that the CFA is computed from; */
                                /* OHW_BASE_SP: nothing; OHW_BASE_NONE: something else */
    uint32_t saved;             /* bit i: registers[i] is OHW_RULE_AT, otherwise it is OHW_RULE_SAME */
    ohw_rule cfa;               /* OHW_RULE_IS or OHW_RULE_AT */
    ohw_rule return_address;    /* OHW_RULE_AT */
    ohw_rule registers[OHW_ARCH_SAVED];
} ohw_row;

/* The row for a return address; not known where there is no table, or it says what this does not understand. */
ohw_row ohw_cfi_row(uintptr_t pc);

/* ---- reading ---- */

typedef struct {
    const uint8_t *at, *end;
} ohw_reader;

uint64_t ohw_read_unsigned(ohw_reader *reader);     /* ULEB128 */
int64_t ohw_read_signed(ohw_reader *reader);        /* SLEB128 */
/* The next `size` bytes as a number: 1, 2, 4 or 8. */
uint64_t ohw_read_fixed(ohw_reader *reader, size_t size);

/* Index of a DWARF column among the callee-saved registers, or OHW_BASE_SP; -1: none of them. */
int ohw_cfi_index(uint64_t column);

/* ---- cfi_expression.c ---- */

/* What a DWARF expression yields at `pc`, as a rule: OHW_RULE_IS or, if its last step loads, OHW_RULE_AT.  With `cfa`,
 * evaluation starts with the CFA on the stack.  OHW_RULE_UNKNOWN where it is not a register and an offset. */
ohw_rule ohw_cfi_evaluate(ohw_reader expression, uintptr_t pc, bool cfa);

#endif
#endif
