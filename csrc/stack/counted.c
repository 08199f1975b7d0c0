/* Are there Py_LeaveRecursiveCall on the way from a call's return to the function's own?  The shortest way decides: all
 * of them give the same back, and the longer ones lead through further calls. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* dl_iterate_phdr */
#endif
#include "stack/counted.h"

#if OHW_ARCH_KNOWN

#include "stack/unwind.h"

#if defined(OHW_ARCH_READS_CODE)

#include <link.h>

typedef struct { uintptr_t start, end; } range;

static int find_segment(struct dl_phdr_info *info, size_t size, void *argument)
{
    range *found = argument;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X && found->start - start < segment->p_memsz) {
            *found = (range){start, start + segment->p_memsz};
            return 1;
        }
    }
    return 0;
}

/* The code segment with `address` in it; an empty range if there is none. */
static range segment_of(uintptr_t address)
{
    range found = {address, address};
    (void)dl_iterate_phdr(find_segment, &found);
    return found;
}

static ohw_code read_in(range segment, uintptr_t at, size_t field)
{
    enum { LONGEST = 32 };      /* two instructions */
    bool inside = at >= segment.start && at < segment.end && segment.end - at >= LONGEST;
    return inside ? ohw_code_at(at, field) : (ohw_code){OHW_CODE_UNKNOWN, false, 0, 0};
}

/* Does a function that is called do nothing but count or give back?  Straight to its end, or to where it branches. */
static ohw_code_kind effect_of(range segment, uintptr_t function, size_t field)
{
    enum { FEW = 16 };
    for (int i = 0; i < FEW; i++) {
        if (function < segment.start || function >= segment.end) {
            segment = segment_of(function);
        }
        ohw_code code = read_in(segment, function, field);
        if (code.kind == OHW_CODE_COUNTS || code.kind == OHW_CODE_GIVES_BACK) {
            return code.kind;
        }
        if ((code.kind == OHW_CODE_JUMP || code.kind == OHW_CODE_CALL) && code.target != 0) {
            function = code.target;         /* the stub of a function in another library, a tail call, a wrapper's call */
        }
        else if (code.kind == OHW_CODE_PLAIN) {
            function = code.next;
        }
        else {
            break;
        }
    }
    return OHW_CODE_PLAIN;
}

/* Instructions that can be reached, the nearest ones first; what is given back on the shortest way there. */
enum { MAX_PLACES = 600 };
typedef struct {
    uintptr_t at[MAX_PLACES];
    int8_t given_back[MAX_PLACES];
    int count;
} places;

static void add(places *p, uintptr_t at, int given_back)
{
    for (int i = p->count; i-- > 0;) {
        if (p->at[i] == at) {
            return;
        }
    }
    if (p->count < MAX_PLACES) {
        p->at[p->count] = at;
        p->given_back[p->count++] = (int8_t)given_back;
    }
}

static int look(uintptr_t pc, size_t field)
{
    range segment = segment_of(pc);
    places p = {.at = {pc}, .count = 1};
    for (int i = 0; i < p.count; i++) {
        int given_back = p.given_back[i];
        ohw_code code = read_in(segment, p.at[i], field);
        ohw_code_kind effect = code.kind;
        if (code.kind == OHW_CODE_CALL && code.target != 0) {
            effect = effect_of(segment, code.target, field);
        }
        given_back += (effect == OHW_CODE_GIVES_BACK) - (effect == OHW_CODE_COUNTS);
        if (code.kind == OHW_CODE_RETURN || (code.kind == OHW_CODE_JUMP && !code.direct)) {
            return given_back > 0 ? given_back : 0;     /* the jump leads to a bytecode instruction's code, say */
        }
        if (code.kind == OHW_CODE_JUMP || code.kind == OHW_CODE_BRANCH) {
            add(&p, code.target, given_back);
        }
        if (code.kind != OHW_CODE_JUMP && code.kind != OHW_CODE_UNKNOWN) {
            add(&p, code.next, given_back);
        }
    }
    return 0;
}

int ohw_calls_counted(uintptr_t pc, size_t field)
{
    int8_t *known = ohw_unwind_note(pc);
    if (known == NULL) {
        return look(pc, field);
    }
    if (*known < 0) {
        *known = (int8_t)look(pc, field);
    }
    return *known;
}

#else

int ohw_calls_counted(uintptr_t pc, size_t field)
{
    (void)pc, (void)field;
    return 0;
}

#endif
#endif
