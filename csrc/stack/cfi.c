/* Call frame instructions (DWARF 5, 6.4.2, with GNU's and Arm's extensions) as they stand in .eh_frame (Linux Standard
 * Base, core, 10.6), executed up to one return address. */
#include "stack/cfi.h"

#if OHW_ARCH_KNOWN

#include <string.h>

#define REMEMBERED 8
#define RETURN_ADDRESS OHW_ARCH_SAVED       /* where a table keeps the rule for a column of its own */

enum {
    ADVANCE_SMALL = 0x40, OFFSET_SMALL = 0x80, RESTORE_SMALL = 0xc0, SMALL = 0xc0,
    NOTHING = 0x00, ADVANCE_1 = 0x02, ADVANCE_2 = 0x03, ADVANCE_4 = 0x04, OFFSET = 0x05, RESTORE = 0x06,
    UNDEFINED = 0x07, SAME_VALUE = 0x08, REMEMBER_STATE = 0x0a, RESTORE_STATE = 0x0b, CFA = 0x0c, CFA_REGISTER = 0x0d,
    CFA_OFFSET = 0x0e, CFA_EXPRESSION = 0x0f, EXPRESSION = 0x10, OFFSET_SIGNED = 0x11, CFA_SIGNED = 0x12,
    CFA_OFFSET_SIGNED = 0x13, VALUE_OFFSET = 0x14, VALUE_OFFSET_SIGNED = 0x15, VALUE_EXPRESSION = 0x16,
    NEGATE_RETURN_SIGNED = 0x2d, ARGUMENTS_SIZE = 0x2e, OFFSET_NEGATIVE = 0x2f,
};

typedef struct {
    ohw_rule cfa;
    ohw_rule rules[OHW_ARCH_SAVED + 1];
    bool return_signed;
    bool odd_stack_pointer;     /* a rule of its own: the caller's is not the CFA */
} table;

typedef struct {
    ohw_reader reader;
    uintptr_t location, pc;     /* rows hold from location on; pc: the return address asked for */
    uint64_t code_unit;
    int64_t data_unit;
    const table *initial;       /* as the common part leaves it; NULL while that is executed */
    table now, remembered[REMEMBERED];
    int depth;
    bool failed;
} machine;

/* What stands before the instructions, in the entry of a function (FDE) and the one it shares with others (CIE). */
typedef struct {
    ohw_reader common, own;     /* instructions */
    uint64_t code_unit;
    int64_t data_unit;
} entry;

uint64_t ohw_read_fixed(ohw_reader *reader, size_t size)
{
    uint8_t byte = 0;
    uint16_t two = 0;
    uint32_t four = 0;
    uint64_t eight = 0;
    void *target = size == 1 ? (void *)&byte : size == 2 ? (void *)&two : size == 4 ? (void *)&four : (void *)&eight;
    memcpy(target, reader->at, size);
    reader->at += size;
    return byte | two | four | eight;
}

uint64_t ohw_read_unsigned(ohw_reader *reader)
{
    uint64_t number = 0;
    uint8_t byte;
    unsigned shift = 0;
    do {
        byte = *reader->at++;
        number |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        shift += 7;
    } while (byte & 0x80);
    return number;
}

int64_t ohw_read_signed(ohw_reader *reader)
{
    const uint8_t *start = reader->at;
    uint64_t number = ohw_read_unsigned(reader);
    unsigned bits = 7 * (unsigned)(reader->at - start);
    if (bits < 64 && number >> (bits - 1)) {
        number |= UINT64_MAX << bits;
    }
    return (int64_t)number;
}

int ohw_cfi_index(uint64_t column)
{
    static const uint8_t columns[OHW_ARCH_SAVED] = OHW_DWARF_SAVED;
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        if (columns[i] == column) {
            return i;
        }
    }
    return column == OHW_DWARF_SP ? OHW_BASE_SP : -1;
}

/* ---- rules ---- */

/* Columns that are not kept are of no interest: what is in caller-saved registers is lost at a call anyway. */
static void set_rule(machine *m, uint64_t column, ohw_rule rule)
{
    int index = ohw_cfi_index(column);
    if (index == OHW_BASE_SP) {
        m->now.odd_stack_pointer = rule.kind != OHW_RULE_IS || rule.base != OHW_BASE_CFA || rule.offset != 0;
    } else if (index >= 0) {
        m->now.rules[index] = rule;
    } else if (column == OHW_DWARF_RETURN) {
        m->now.rules[RETURN_ADDRESS] = rule;
    }
}

static void restore_rule(machine *m, uint64_t column)
{
    int index = ohw_cfi_index(column);
    if (index == OHW_BASE_SP) {
        m->now.odd_stack_pointer = m->initial != NULL && m->initial->odd_stack_pointer;
    } else if (index >= 0 || column == OHW_DWARF_RETURN) {
        int place = index >= 0 ? index : RETURN_ADDRESS;
        m->now.rules[place] = m->initial == NULL ? (ohw_rule){0, 0, OHW_RULE_SAME} : m->initial->rules[place];
    }
}

static ohw_rule relative_to_cfa(int64_t offset, ohw_rule_kind kind)
{
    bool fits = offset == (int32_t)offset;
    return (ohw_rule){(int32_t)offset, OHW_BASE_CFA, (uint8_t)(fits ? kind : OHW_RULE_UNKNOWN)};
}

static void set_cfa_register(machine *m, uint64_t column)
{
    int base = ohw_cfi_index(column);
    m->now.cfa.base = (int8_t)base;
    m->now.cfa.kind = base < 0 ? OHW_RULE_UNKNOWN : OHW_RULE_IS;
}

static void set_cfa_offset(machine *m, int64_t offset)
{
    m->now.cfa.offset = (int32_t)offset;
    if (offset != (int32_t)offset) {
        m->now.cfa.kind = OHW_RULE_UNKNOWN;
    }
}

static ohw_reader take_block(ohw_reader *reader)
{
    uint64_t size = ohw_read_unsigned(reader);
    ohw_reader block = {reader->at, reader->at + size};
    reader->at += size;
    return block;
}

static void set_by_expression(machine *m, uint8_t instruction)
{
    uint64_t column = ohw_read_unsigned(&m->reader);
    ohw_rule rule = ohw_cfi_evaluate(take_block(&m->reader), m->pc, true);
    if (instruction == EXPRESSION) {        /* it yields where the value is, not the value */
        rule.kind = rule.kind == OHW_RULE_IS ? OHW_RULE_AT : OHW_RULE_UNKNOWN;
    }
    set_rule(m, column, rule);
}

/* ---- instructions ---- */

static void advance(machine *m, uint64_t units) { m->location += units * m->code_unit; }

static void remember(machine *m)
{
    if (m->depth == REMEMBERED) {
        m->failed = true;
    } else {
        m->remembered[m->depth++] = m->now;
    }
}

static void recall(machine *m)
{
    if (m->depth == 0) {
        m->failed = true;
    } else {
        m->now = m->remembered[--m->depth];
    }
}

static void execute_cfa(machine *m, uint8_t instruction)
{
    ohw_reader *reader = &m->reader;
    switch (instruction) {
    case CFA:
        set_cfa_register(m, ohw_read_unsigned(reader));
        set_cfa_offset(m, (int64_t)ohw_read_unsigned(reader));
        break;
    case CFA_SIGNED:
        set_cfa_register(m, ohw_read_unsigned(reader));
        set_cfa_offset(m, ohw_read_signed(reader) * m->data_unit);
        break;
    case CFA_REGISTER: set_cfa_register(m, ohw_read_unsigned(reader)); break;
    case CFA_OFFSET: set_cfa_offset(m, (int64_t)ohw_read_unsigned(reader)); break;
    case CFA_OFFSET_SIGNED: set_cfa_offset(m, ohw_read_signed(reader) * m->data_unit); break;
    case CFA_EXPRESSION: m->now.cfa = ohw_cfi_evaluate(take_block(reader), m->pc, false); break;
    default: m->failed = true;
    }
}

/* Instructions that begin with a column. */
static void execute_rule(machine *m, uint8_t instruction)
{
    ohw_reader *reader = &m->reader;
    uint64_t column = ohw_read_unsigned(reader);
    int64_t offset = 0;
    ohw_rule_kind kind = OHW_RULE_AT;
    switch (instruction) {
    case OFFSET: offset = (int64_t)ohw_read_unsigned(reader) * m->data_unit; break;
    case OFFSET_SIGNED: offset = ohw_read_signed(reader) * m->data_unit; break;
    case OFFSET_NEGATIVE: offset = -(int64_t)ohw_read_unsigned(reader) * m->data_unit; break;
    case VALUE_OFFSET: offset = (int64_t)ohw_read_unsigned(reader) * m->data_unit; kind = OHW_RULE_IS; break;
    case VALUE_OFFSET_SIGNED: offset = ohw_read_signed(reader) * m->data_unit; kind = OHW_RULE_IS; break;
    case RESTORE: restore_rule(m, column); return;
    case SAME_VALUE: set_rule(m, column, (ohw_rule){0, 0, OHW_RULE_SAME}); return;
    /* The caller expects nothing there; for the return address: there is no caller. */
    case UNDEFINED: set_rule(m, column, (ohw_rule){0, 0, OHW_RULE_SAME}); return;
    default: m->failed = true; return;      /* in another register: kept by no compiler across calls */
    }
    set_rule(m, column, relative_to_cfa(offset, kind));
}

static void negate_return_signed(machine *m)
{
#ifdef OHW_ARCH_SIGNS
    m->now.return_signed = !m->now.return_signed;
#else
    m->failed = true;           /* the same number is something of SPARC's elsewhere */
#endif
}

static void execute(machine *m)
{
    uint8_t instruction = *m->reader.at++;
    uint64_t operand = instruction & ~SMALL & 0xff;
    switch (instruction & SMALL) {
    case ADVANCE_SMALL: advance(m, operand); return;
    case RESTORE_SMALL: restore_rule(m, operand); return;
    case OFFSET_SMALL: {
        int64_t offset = (int64_t)ohw_read_unsigned(&m->reader) * m->data_unit;
        set_rule(m, operand, relative_to_cfa(offset, OHW_RULE_AT));
        return;
    }
    default: break;
    }
    switch (instruction) {
    case NOTHING: break;
    case ADVANCE_1: advance(m, ohw_read_fixed(&m->reader, 1)); break;
    case ADVANCE_2: advance(m, ohw_read_fixed(&m->reader, 2)); break;
    case ADVANCE_4: advance(m, ohw_read_fixed(&m->reader, 4)); break;
    case REMEMBER_STATE: remember(m); break;
    case RESTORE_STATE: recall(m); break;   /* the CFA's rule too, as compilers mean it */
    case ARGUMENTS_SIZE: ohw_read_unsigned(&m->reader); break;
    case NEGATE_RETURN_SIGNED: negate_return_signed(m); break;
    case EXPRESSION:
    case VALUE_EXPRESSION: set_by_expression(m, instruction); break;
    default:
        if (instruction >= CFA && instruction <= CFA_OFFSET_SIGNED && instruction != OFFSET_SIGNED) {
            execute_cfa(m, instruction);
        } else {
            execute_rule(m, instruction);
        }
    }
}

/* A row holds for the call, which ends where the return address is. */
static void run(machine *m, ohw_reader instructions)
{
    m->reader = instructions;
    while (!m->failed && m->reader.at < m->reader.end && m->location < m->pc) {
        execute(m);
    }
}

/* ---- entries ---- */

static bool skip_pointer(ohw_reader *reader, uint8_t encoding)
{
    enum { OMITTED = 0xff, ALIGNED = 0x50, FORMAT = 0x0f };
    if (encoding == OMITTED) {
        return true;
    }
    if ((encoding & 0x70) == ALIGNED) {
        return false;
    }
    switch (encoding & FORMAT) {
    case 0x00: case 0x04: case 0x0c: reader->at += 8; return true;
    case 0x02: case 0x0a: reader->at += 2; return true;
    case 0x03: case 0x0b: reader->at += 4; return true;
    case 0x01: case 0x09: ohw_read_unsigned(reader); return true;
    default: return false;
    }
}

/* After the length, which is 32 bits in .eh_frame except in theory. */
static bool open_entry(const uint8_t *start, ohw_reader *reader)
{
    ohw_reader whole = {start, start + 4};
    uint64_t length = ohw_read_fixed(&whole, 4);
    *reader = (ohw_reader){start + 4, start + 4 + length};
    return length != 0 && length != UINT32_MAX;
}

/* The letters of an augmentation string say what its data hold. */
static bool read_augmentation(const char *letters, ohw_reader *reader, uint8_t *pointer_encoding)
{
    ohw_reader data = take_block(reader);
    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'R': *pointer_encoding = (uint8_t)ohw_read_fixed(&data, 1); break;
        case 'L': data.at++; break;
        case 'P':
            if (!skip_pointer(&data, (uint8_t)ohw_read_fixed(&data, 1))) {
                return false;
            }
            break;
        default: return false;  /* 'S': a signal handler's caller, whose registers are not those of a call */
        }
    }
    return true;
}

static bool read_entry(const uint8_t *start, entry *e)
{
    ohw_reader *own = &e->own, *common = &e->common;
    if (!open_entry(start, own)) {
        return false;
    }
    const uint8_t *here = own->at;
    if (!open_entry(here - (int32_t)ohw_read_fixed(own, 4), common)) {
        return false;
    }
    common->at += 4;            /* what tells a common part from the others */
    uint8_t version = (uint8_t)ohw_read_fixed(common, 1), pointer_encoding = 0;
    const char *letters = (const char *)common->at;
    common->at += strlen(letters) + 1;
    e->code_unit = ohw_read_unsigned(common);
    e->data_unit = ohw_read_signed(common);
    uint64_t return_column = version == 1 ? ohw_read_fixed(common, 1) : ohw_read_unsigned(common);
    bool augmented = *letters == 'z';
    if ((version != 1 && version != 3) || return_column != OHW_DWARF_RETURN || (*letters != '\0' && !augmented) ||
        (augmented && !read_augmentation(letters + 1, common, &pointer_encoding))) {
        return false;
    }
    if (!skip_pointer(own, pointer_encoding) || !skip_pointer(own, pointer_encoding & 0x0f)) {
        return false;           /* start and length of the function */
    }
    if (augmented) {
        take_block(own);
    }
    return true;
}

/* ---- rows ---- */

/* libgcc's: finds the table's entry for a program counter, in loaded objects and among those that were registered by
 * compilers at run time.  Its header does not declare it. */
struct ohw_bases {
    void *text, *data, *function;
};
extern const void *_Unwind_Find_FDE(void *pc, struct ohw_bases *bases);

/* The part of the table that the walk needs, if it has the shape that walks rely on. */
static void keep(const table *t, ohw_row *row)
{
    const ohw_rule *back = &t->rules[OHW_ARCH_LINK < 0 ? RETURN_ADDRESS : OHW_ARCH_LINK];
    bool known = (t->cfa.kind == OHW_RULE_IS || t->cfa.kind == OHW_RULE_AT) && t->cfa.base <= OHW_BASE_SP &&
                 back->kind == OHW_RULE_AT && !t->odd_stack_pointer;
    row->cfa = t->cfa;
    row->return_address = *back;
    row->return_signed = t->return_signed;
    row->saved = 0;
    row->relied_on = t->cfa.kind == OHW_RULE_IS && back->base == OHW_BASE_CFA ? t->cfa.base : OHW_BASE_NONE;
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        row->registers[i] = t->rules[i];
        if (t->rules[i].kind == OHW_RULE_AT && t->rules[i].base != OHW_BASE_CFA) {
            row->relied_on = OHW_BASE_NONE;
        }
        known = known && (t->rules[i].kind == OHW_RULE_SAME || t->rules[i].kind == OHW_RULE_AT);
        row->saved |= (uint32_t)(t->rules[i].kind == OHW_RULE_AT) << i;
    }
    row->known = known;
}

ohw_row ohw_cfi_row(uintptr_t pc)
{
    ohw_row row = {.pc = pc, .note = -1};
    struct ohw_bases bases = {NULL, NULL, NULL};
    /* The call's last byte: after a call of a function that never returns, the next function may begin. */
    const void *start = _Unwind_Find_FDE((void *)(pc - 1), &bases);
    entry e;
    if (start == NULL || !read_entry(start, &e)) {
        return row;
    }
    row.function = (uintptr_t)bases.function;
    machine m = {.pc = pc, .code_unit = e.code_unit, .data_unit = e.data_unit};
    m.now.cfa.kind = OHW_RULE_UNKNOWN;
    run(&m, e.common);
    table initial = m.now;
    m.initial = &initial;
    m.location = row.function;
    m.depth = 0;
    run(&m, e.own);
    if (!m.failed) {
        keep(&m.now, &row);
    }
    return row;
}

#endif
