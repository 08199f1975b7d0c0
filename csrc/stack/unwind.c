/* From frame to frame of the C stack, by rows that are decoded once for each return address. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* dl_iterate_phdr */
#endif
#include <Python.h>
#include "stack/unwind.h"

#if OHW_ARCH_KNOWN

#include "stack/cfi.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

/* Open addressing, linear probing; never more than half full.  pc 0: free.
 *
 * When is a row that was kept still right?  As long as the code at its address is the same.  There are rows for code of
 * loaded objects only, and the dynamic linker counts the objects that it has unloaded (dlpi_subs): once a walk, where it
 * meets code that may be unloaded (not CPython's and this module's own), the count is compared, and all rows are
 * forgotten when it has changed.  An object of which the walk meets a frame cannot be unloaded before that frame has
 * returned: nothing can change between start and last step. */
static struct {
    ohw_row *rows;
    size_t size;                /* a power of two; 0 at first */
    size_t used;
    size_t decoded;
    unsigned long long unloaded;
} cache;

#define FIRST_SIZE 256

static inline ohw_row *place_of(uintptr_t pc)
{
    size_t i = (size_t)((pc * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
    for (;; i++) {
        ohw_row *row = &cache.rows[i & (cache.size - 1)];
        if (row->pc == pc || row->pc == 0) {
            return row;
        }
    }
}

static bool enlarge(void)
{
    ohw_row *old = cache.rows;
    size_t size = cache.size;
    ohw_row *rows = calloc(size == 0 ? FIRST_SIZE : 2 * size, sizeof *rows);
    if (rows == NULL) {
        return false;
    }
    cache.rows = rows;
    cache.size = size == 0 ? FIRST_SIZE : 2 * size;
    for (size_t i = 0; i < size; i++) {
        if (old[i].pc != 0) {
            *place_of(old[i].pc) = old[i];
        }
    }
    free(old);
    return true;
}

static int read_unloaded(struct dl_phdr_info *info, size_t size, void *unloaded)
{
    *(unsigned long long *)unloaded = info->dlpi_subs;
    return 1;                   /* all objects say the same */
}

unsigned long long ohw_unwind_unloaded(void)
{
    unsigned long long unloaded = cache.unloaded;
    dl_iterate_phdr(read_unloaded, &unloaded);
    if (unloaded != cache.unloaded) {
        cache.unloaded = unloaded;
        cache.used = 0;
        memset(cache.rows, 0, cache.size * sizeof *cache.rows);
    }
    return unloaded;
}

static bool holds(const struct dl_phdr_info *info, uintptr_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && address - info->dlpi_addr - segment->p_vaddr < segment->p_memsz) {
            return true;
        }
    }
    return false;
}

typedef struct {
    uintptr_t address;
    bool permanent;             /* in an object without which this code would not run */
} search;

static int find_object(struct dl_phdr_info *info, size_t size, void *argument)
{
    search *wanted = argument;
    if (!holds(info, wanted->address)) {
        return 0;
    }
    wanted->permanent = holds(info, (uintptr_t)ohw_unwind_step) || holds(info, (uintptr_t)PyObject_Call);
    return 1;
}

bool ohw_unwind_is_loaded(uintptr_t pc)
{
    search wanted = {.address = pc - 1};
    return dl_iterate_phdr(find_object, &wanted) != 0;
}

/* The row for `pc`, valid until the next call; NULL if it is not known. */
static const ohw_row *decode(uintptr_t pc)
{
    static ohw_row unkept;
    search wanted = {.address = pc - 1};
    if (dl_iterate_phdr(find_object, &wanted) == 0) {
        return NULL;
    }
    cache.decoded++;
    unkept = ohw_cfi_row(pc);
    unkept.permanent = wanted.permanent;
    if (cache.used < cache.size / 2 || enlarge()) {
        ohw_row *row = place_of(pc);
        *row = unkept;
        cache.used++;
    }
    return unkept.known ? &unkept : NULL;
}

static inline const ohw_row *row_of(ohw_c_frame *frame)
{
    uintptr_t pc = frame->pc;
    if (pc == 0) {
        return NULL;
    }
    const ohw_row *row = place_of(pc);
    if (row->pc == pc && !row->permanent && !frame->compared) {
        frame->compared = true;
        (void)ohw_unwind_unloaded();
        row = place_of(pc);
    }
    if (row->pc == pc) {
        return row->known ? row : NULL;
    }
    return decode(pc);
}

bool ohw_unwind_start(ohw_c_frame *frame, const ohw_registers *own)
{
    if (cache.size == 0 && !enlarge()) {
        return false;
    }
    frame->pc = own->pc;
    frame->cfa = own->sp;
    memcpy(frame->registers, own->saved, sizeof own->saved);
    memset(frame->where, 0, sizeof frame->where);
    frame->pc_where = 0;
    frame->pc_signed = frame->compared = frame->temporary = false;
    frame->relied_on = OHW_BASE_SP;
    return true;
}

static inline uintptr_t base_of(ohw_rule rule, const ohw_c_frame *frame, uintptr_t cfa)
{
    if (rule.base >= OHW_BASE_SP) {
        return rule.base == OHW_BASE_SP ? frame->cfa : cfa;
    }
    return frame->registers[rule.base];
}

static inline uintptr_t cfa_of(const ohw_row *row, const ohw_c_frame *frame)
{
    uintptr_t cfa = base_of(row->cfa, frame, 0) + (uintptr_t)(intptr_t)row->cfa.offset;
    return row->cfa.kind == OHW_RULE_AT ? *(const uintptr_t *)cfa : cfa;
}

bool ohw_unwind_step(ohw_c_frame *frame)
{
    const ohw_row *row = row_of(frame);
    if (row == NULL) {
        return false;
    }
    uintptr_t cfa = cfa_of(row, frame);
    if (cfa <= frame->cfa || cfa % sizeof(uintptr_t) != 0) {
        return false;           /* each call takes room: these are not the tables of what runs here */
    }
    uintptr_t places[OHW_ARCH_SAVED];
    for (uint32_t left = row->saved; left != 0; left &= left - 1) {
        int i = __builtin_ctz(left);
        places[i] = base_of(row->registers[i], frame, cfa) + (uintptr_t)(intptr_t)row->registers[i].offset;
    }
    ohw_rule back = row->return_address;
    frame->pc_where = base_of(back, frame, cfa) + (uintptr_t)(intptr_t)back.offset;
    for (uint32_t left = row->saved; left != 0; left &= left - 1) {
        int i = __builtin_ctz(left);
        frame->where[i] = places[i];
        frame->registers[i] = *(const uintptr_t *)places[i];
    }
    frame->pc = ohw_arch_strip(*(const uintptr_t *)frame->pc_where);
    frame->pc_signed = row->return_signed;
    frame->temporary |= !row->permanent;
    frame->relied_on = row->relied_on;
    frame->cfa = cfa;
    return true;
}

uintptr_t ohw_unwind_function_start(uintptr_t pc)
{
    if (pc == 0 || (cache.size == 0 && !enlarge())) {
        return 0;
    }
    const ohw_row *row = place_of(pc);
    return row->pc == pc ? row->function : ohw_unwind_is_loaded(pc) ? ohw_cfi_row(pc).function : 0;
}

int8_t *ohw_unwind_note(uintptr_t pc)
{
    ohw_row *row = cache.size == 0 ? NULL : place_of(pc);
    return row != NULL && row->pc == pc ? &row->note : NULL;
}

void ohw_unwind_counts(size_t *decoded, size_t *kept)
{
    *decoded = cache.decoded;
    *kept = cache.used;
}

#endif
