/* Instructions of x86-64 as far as counted.c needs them: how long they are, where they lead, and whether they add one to
 * or subtract one from a 32-bit field of some struct.  (Intel's manual, volume 2, chapter 2 and appendix A.) */
#include "stack/counted.h"

#if OHW_ARCH_KNOWN && defined(OHW_ARCH_READS_CODE)

#include <string.h>

enum { ONE_BYTE, TWO_BYTES, MAP_38, MAP_3A };       /* opcode maps: none, 0F, 0F 38, 0F 3A */
enum { NO_MODRM = -1, STACK_POINTER = 4 };

typedef struct {
    const uint8_t *start, *end;
    int map;
    uint8_t opcode;
    bool wide, half;            /* operands of 64, of 16 bits */
    int mod, reg, base;         /* mod: NO_MODRM if there are none; reg and base: 4 bits with REX */
    bool rip_relative, indexed;
    int64_t displacement, immediate;
    bool known;
} instruction;

static int64_t number(const uint8_t *at, int bytes)
{
    int8_t one;
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (bytes) {
    case 1: memcpy(&one, at, 1); return one;
    case 2: memcpy(&two, at, 2); return two;
    case 4: memcpy(&four, at, 4); return four;
    case 8: memcpy(&eight, at, 8); return eight;
    default: return 0;
    }
}

/* ---- which opcodes have what behind them ---- */

static bool has_modrm(int map, uint8_t op)
{
    if (map >= MAP_38) {
        return true;
    }
    if (map == TWO_BYTES) {
        return !((op >= 0x05 && op <= 0x0b) || op == 0x0e || (op >= 0x30 && op <= 0x37) || op == 0x77 ||
                 (op >= 0x80 && op <= 0x8f) || (op >= 0xa0 && op <= 0xa2) || (op >= 0xa8 && op <= 0xaa) ||
                 (op >= 0xc8 && op <= 0xcf));
    }
    return (op < 0x40 && (op & 7) < 4) || op == 0x63 || op == 0x69 || op == 0x6b || (op >= 0x80 && op <= 0x8f) ||
           op == 0xc0 || op == 0xc1 || op == 0xc6 || op == 0xc7 || (op >= 0xd0 && op <= 0xd3) ||
           (op >= 0xd8 && op <= 0xdf) || op == 0xf6 || op == 0xf7 || op == 0xfe || op == 0xff;
}

/* Bytes of the immediate operand; `full`: those of one that is as wide as the operands, but for 64 bits. */
static int immediate_bytes(const instruction *in, int full)
{
    uint8_t op = in->opcode;
    if (in->map == MAP_3A) {
        return 1;
    }
    if (in->map == MAP_38) {
        return 0;
    }
    if (in->map == TWO_BYTES) {
        bool one = (op >= 0x70 && op <= 0x73) || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
                   (op >= 0xc4 && op <= 0xc6);
        return op >= 0x80 && op <= 0x8f ? 4 : one;
    }
    if (op < 0x40) {
        return (op & 7) == 4 ? 1 : (op & 7) == 5 ? full : 0;
    }
    switch (op) {
    case 0x68: case 0x69: case 0x81: case 0xa9: case 0xc7: return full;
    case 0x6a: case 0x6b: case 0x80: case 0x83: case 0xa8: case 0xc0: case 0xc1: case 0xc6: case 0xcd: case 0xeb: return 1;
    case 0xc2: return 2;
    case 0xc8: return 3;
    case 0xe8: case 0xe9: return 4;
    case 0xa0: case 0xa1: case 0xa2: case 0xa3: return 8;
    case 0xf6: return (in->reg & 7) < 2 ? 1 : 0;
    case 0xf7: return (in->reg & 7) < 2 ? full : 0;
    default: break;
    }
    if ((op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe7) || (op >= 0xb0 && op <= 0xb7)) {
        return 1;
    }
    return op >= 0xb8 && op <= 0xbf ? (in->wide ? 8 : full) : 0;
}

/* ---- reading one ---- */

static const uint8_t *read_modrm(instruction *in, const uint8_t *at, int rex)
{
    int rm = *at & 7;
    in->mod = *at >> 6;
    in->reg = (*at >> 3 & 7) | (rex & 4) << 1;
    at++;
    in->base = rm | (rex & 1) << 3;
    int bytes = in->mod == 1 ? 1 : in->mod == 2 ? 4 : 0;
    if (in->mod != 3 && rm == 4) {
        in->indexed = ((*at >> 3 & 7) | (rex & 2) << 2) != 4;
        in->base = (*at & 7) | (rex & 1) << 3;
        bytes = in->mod == 0 && (*at & 7) == 5 ? 4 : bytes;
        at++;
    }
    else if (in->mod == 0 && rm == 5) {
        in->rip_relative = true;
        bytes = 4;
    }
    in->displacement = number(at, bytes);
    return at + bytes;
}

/* Behind C4, C5 (AVX) or 62 (AVX-512), which say map and operands themselves. */
static const uint8_t *read_vector_prefix(instruction *in, const uint8_t *at)
{
    uint8_t kind = at[-1];
    in->map = kind == 0xc5 ? TWO_BYTES : (at[0] & (kind == 0x62 ? 7 : 31));
    in->known = in->map >= TWO_BYTES && in->map <= MAP_3A;
    at += kind == 0xc5 ? 1 : kind == 0xc4 ? 2 : 3;
    in->opcode = *at++;
    return at;
}

static instruction read_instruction(uintptr_t address)
{
    const uint8_t *at = (const uint8_t *)address;
    instruction in = {.start = at, .mod = NO_MODRM, .known = true};
    int rex = 0;
    while (*at == 0x66 || *at == 0x67 || *at == 0xf2 || *at == 0xf3 || *at == 0x2e || *at == 0x36 || *at == 0x3e ||
           *at == 0x26 || *at == 0x64 || *at == 0x65) {
        in.half |= *at++ == 0x66;
        if (at - in.start > 8) {
            in.known = false;
            return in;
        }
    }
    if ((*at & 0xf0) == 0x40) {
        rex = *at++ & 15;
        in.wide = rex & 8;
    }
    in.opcode = *at++;
    if (in.opcode == 0xc4 || in.opcode == 0xc5 || in.opcode == 0x62) {
        at = read_vector_prefix(&in, at);
    }
    else if (in.opcode == 0x0f) {
        in.map = TWO_BYTES;
        in.opcode = *at++;
        if (in.opcode == 0x38 || in.opcode == 0x3a) {
            in.map = in.opcode == 0x38 ? MAP_38 : MAP_3A;
            in.opcode = *at++;
        }
    }
    if (has_modrm(in.map, in.opcode)) {
        at = read_modrm(&in, at, rex);
    }
    int bytes = immediate_bytes(&in, in.half ? 2 : 4);
    in.immediate = number(at, bytes);
    in.end = at + bytes;
    return in;
}

/* ---- what it does ---- */

static bool is_field(const instruction *in, size_t field)
{
    return in->mod == 1 && !in->indexed && in->base != STACK_POINTER && !in->wide && !in->half &&
           in->displacement == (int64_t)field;
}

/* What is added to a 32-bit register, which is in->reg or in->base then; 0: something else happens. */
static int64_t added(const instruction *in, int *target)
{
    if (in->map != ONE_BYTE || in->wide || in->half || in->mod == NO_MODRM) {
        return 0;
    }
    if (in->opcode == 0x8d && in->mod == 1 && !in->indexed) {       /* lea */
        *target = in->reg;
        return in->displacement;
    }
    *target = in->base;
    int operation = in->reg & 7;
    if (in->opcode == 0x83 && in->mod == 3) {
        return operation == 0 ? in->immediate : operation == 5 ? -in->immediate : 0;
    }
    return in->opcode == 0xff && in->mod == 3 ? (operation == 0) - (operation == 1) : 0;
}

/* What is added to the field itself. */
static int64_t added_in_memory(const instruction *in, size_t field)
{
    if (in->map != ONE_BYTE || !is_field(in, field)) {
        return 0;
    }
    int operation = in->reg & 7;
    if (in->opcode == 0x83) {
        return operation == 0 ? in->immediate : operation == 5 ? -in->immediate : 0;
    }
    return in->opcode == 0xff ? (operation == 0) - (operation == 1) : 0;
}

static uintptr_t in_memory(const instruction *in)
{
    return in->rip_relative ? *(const uintptr_t *)(in->end + in->displacement) : 0;
}

static void set_flow(const instruction *in, ohw_code *code)
{
    uint8_t op = in->opcode;
    uintptr_t relative = code->next + (uintptr_t)in->immediate;
    code->kind = OHW_CODE_PLAIN;
    if (in->map == TWO_BYTES) {
        bool branch = op >= 0x80 && op <= 0x8f;
        code->kind = branch ? OHW_CODE_BRANCH : op == 0x0b ? OHW_CODE_UNKNOWN : OHW_CODE_PLAIN;     /* ud2 */
        code->target = branch ? relative : 0;
    }
    else if (in->map != ONE_BYTE) {
        return;
    }
    else if (op == 0xe8 || op == 0xe9 || op == 0xeb || (op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3)) {
        code->kind = op == 0xe8 ? OHW_CODE_CALL : op == 0xe9 || op == 0xeb ? OHW_CODE_JUMP : OHW_CODE_BRANCH;
        code->target = relative;
        code->direct = true;
    }
    else if (op == 0xc3 || op == 0xc2) {
        code->kind = OHW_CODE_RETURN;
    }
    else if (op == 0xcc || op == 0xf4) {
        code->kind = OHW_CODE_UNKNOWN;
    }
    else if (op == 0xff && ((in->reg & 7) == 2 || (in->reg & 7) == 4)) {
        code->kind = (in->reg & 7) == 2 ? OHW_CODE_CALL : OHW_CODE_JUMP;
        code->target = in_memory(in);
    }
}

ohw_code ohw_code_at(uintptr_t at, size_t field)
{
    ohw_code code = {OHW_CODE_UNKNOWN, false, 0, 0};
    instruction in = read_instruction(at);
    if (!in.known) {
        return code;
    }
    code.next = (uintptr_t)in.end;
    int target = 0;
    int64_t change = added_in_memory(&in, field);
    if (change == 0 && (change = added(&in, &target)) != 0) {
        instruction store = read_instruction(code.next);
        bool stored = store.known && store.map == ONE_BYTE && store.opcode == 0x89 && is_field(&store, field) &&
                      store.reg == target;
        change = stored ? change : 0;
    }
    if (change == 1 || change == -1) {
        code.kind = change == 1 ? OHW_CODE_GIVES_BACK : OHW_CODE_COUNTS;
    }
    else {
        set_flow(&in, &code);
    }
    return code;
}

#endif
