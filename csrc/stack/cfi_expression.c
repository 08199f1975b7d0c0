/* DWARF expressions (DWARF 5, 2.5), as far as their value is a register plus a number that is known beforehand.  That
 * holds for those that compilers and linkers emit: frames found through a register saved in the frame (functions that
 * realign the stack), entries of procedure linkage tables (the number depends on the program counter only). */
#include "stack/cfi.h"

#if OHW_ARCH_KNOWN

#define DEPTH 16

enum {
    OP_ADDRESS = 0x03, OP_LOAD = 0x06, OP_CONST_1U = 0x08, OP_CONST_8S = 0x0f, OP_CONST_U = 0x10, OP_CONST_S = 0x11,
    OP_DUP = 0x12, OP_DROP = 0x13, OP_SWAP = 0x16, OP_AND = 0x1a, OP_MINUS = 0x1c, OP_OR = 0x21, OP_PLUS = 0x22,
    OP_PLUS_CONST = 0x23, OP_SHIFT_LEFT = 0x24, OP_EQUAL = 0x29, OP_GREATER_EQUAL = 0x2a, OP_GREATER = 0x2b,
    OP_LESS_EQUAL = 0x2c, OP_LESS = 0x2d, OP_UNEQUAL = 0x2e, OP_LITERAL = 0x30, OP_REGISTER = 0x50,
    OP_REGISTER_PLUS = 0x70, OP_REGISTER_PLUS_END = 0x90, OP_NOTHING = 0x96,
};

typedef struct {
    int64_t number;
    int base;                   /* OHW_BASE_NONE: the number alone */
    bool loaded;                /* what is in memory there */
} value;

typedef struct {
    value entries[DEPTH];
    int used;
    bool failed;
} stack;

static void push(stack *s, value v)
{
    if (s->used == DEPTH) {
        s->failed = true;
        return;
    }
    s->entries[s->used++] = v;
}

static void push_number(stack *s, int64_t number) { push(s, (value){number, OHW_BASE_NONE, false}); }

static value pop(stack *s)
{
    if (s->used == 0) {
        s->failed = true;
        return (value){0, OHW_BASE_NONE, false};
    }
    return s->entries[--s->used];
}

/* One of DW_OP_const1u to DW_OP_const8s: sizes double, unsigned and signed in turn. */
static int64_t read_constant(uint8_t operation, ohw_reader *reader)
{
    size_t size = (size_t)1 << (operation - OP_CONST_1U) / 2;
    uint64_t number = ohw_read_fixed(reader, size);
    if ((operation - OP_CONST_1U) % 2 == 1 && size < 8 && number >> (size * 8 - 1)) {
        number |= UINT64_MAX << size * 8;
    }
    return (int64_t)number;
}

static void push_register(stack *s, uint64_t column, int64_t offset, uintptr_t pc)
{
    int base = ohw_cfi_index(column);
    if (column == OHW_DWARF_PC) {
        push_number(s, (int64_t)pc + offset);
    } else if (base >= 0) {
        push(s, (value){offset, base, false});
    } else {
        s->failed = true;
    }
}

static void add(stack *s, value a, value b, int sign)
{
    if (a.loaded || b.loaded || (b.base != OHW_BASE_NONE && (a.base != OHW_BASE_NONE || sign < 0))) {
        s->failed = true;
    }
    push(s, (value){a.number + sign * b.number, a.base != OHW_BASE_NONE ? a.base : b.base, false});
}

static void combine_numbers(stack *s, uint8_t operation, value a, value b)
{
    if (a.base != OHW_BASE_NONE || b.base != OHW_BASE_NONE || a.loaded || b.loaded) {
        s->failed = true;
        return;
    }
    int64_t x = a.number, y = b.number;
    switch (operation) {
    case OP_AND: push_number(s, x & y); break;
    case OP_OR: push_number(s, x | y); break;
    case OP_SHIFT_LEFT: push_number(s, y < 0 || y > 63 ? 0 : (int64_t)((uint64_t)x << y)); break;
    case OP_EQUAL: push_number(s, x == y); break;
    case OP_GREATER_EQUAL: push_number(s, x >= y); break;
    case OP_GREATER: push_number(s, x > y); break;
    case OP_LESS_EQUAL: push_number(s, x <= y); break;
    case OP_LESS: push_number(s, x < y); break;
    case OP_UNEQUAL: push_number(s, x != y); break;
    default: s->failed = true;
    }
}

static void load(stack *s)
{
    value address = pop(s);
    s->failed |= address.loaded || address.base == OHW_BASE_NONE;
    address.loaded = true;
    push(s, address);
}

static void rearrange(stack *s, uint8_t operation)
{
    value top = pop(s);
    if (operation == OP_DUP) {
        push(s, top);
        push(s, top);
    } else if (operation == OP_SWAP) {
        value below = pop(s);
        push(s, top);
        push(s, below);
    }
}

static void operate(stack *s, uint8_t operation, ohw_reader *reader, uintptr_t pc)
{
    if (operation >= OP_LITERAL && operation < OP_REGISTER) {
        push_number(s, operation - OP_LITERAL);
    } else if (operation >= OP_REGISTER_PLUS && operation < OP_REGISTER_PLUS_END) {
        push_register(s, (uint64_t)(operation - OP_REGISTER_PLUS), ohw_read_signed(reader), pc);
    } else if (operation >= OP_CONST_1U && operation <= OP_CONST_8S) {
        push_number(s, read_constant(operation, reader));
    } else if (operation == OP_CONST_U) {
        push_number(s, (int64_t)ohw_read_unsigned(reader));
    } else if (operation == OP_CONST_S) {
        push_number(s, ohw_read_signed(reader));
    } else if (operation == OP_ADDRESS) {
        push_number(s, (int64_t)ohw_read_fixed(reader, sizeof(uintptr_t)));
    } else if (operation == OP_DUP || operation == OP_DROP || operation == OP_SWAP) {
        rearrange(s, operation);
    } else if (operation == OP_LOAD) {
        load(s);
    } else if (operation == OP_PLUS_CONST) {
        value a = pop(s);
        add(s, a, (value){(int64_t)ohw_read_unsigned(reader), OHW_BASE_NONE, false}, 1);
    } else if (operation != OP_NOTHING) {
        value b = pop(s), a = pop(s);
        if (operation == OP_PLUS || operation == OP_MINUS) {
            add(s, a, b, operation == OP_PLUS ? 1 : -1);
        } else {
            combine_numbers(s, operation, a, b);
        }
    }
}

ohw_rule ohw_cfi_evaluate(ohw_reader expression, uintptr_t pc, bool cfa)
{
    stack s = {.used = 0};
    if (cfa) {
        push(&s, (value){0, OHW_BASE_CFA, false});
    }
    while (!s.failed && expression.at < expression.end) {
        operate(&s, *expression.at++, &expression, pc);
    }
    value result = pop(&s);
    if (s.failed || result.base == OHW_BASE_NONE || result.number != (int32_t)result.number) {
        return (ohw_rule){0, 0, OHW_RULE_UNKNOWN};
    }
    return (ohw_rule){(int32_t)result.number, (int8_t)result.base, result.loaded ? OHW_RULE_AT : OHW_RULE_IS};
}

#endif
