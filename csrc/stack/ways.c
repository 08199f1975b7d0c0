#include "stack/ways.h"

#if OHW_ARCH_KNOWN

#include "stack/cfi.h"

#include <assert.h>

/* By distance, as ways that differ mostly differ in that.  Where more than SHARE meet, the oldest one goes. */
enum { SETS = 32, SHARE = 4 };
typedef struct {
    ohw_way ways[SHARE];
    unsigned oldest, latest;    /* kept; found or kept */
} way_set;
static way_set sets[SETS];

static way_set *set_for(uintptr_t distance)
{
    return &sets[distance * UINT64_C(0x9e3779b97f4a7c15) >> 59];
}
_Static_assert(SETS == 1 << (64 - 59), "the hash has as many values");

static inline uintptr_t word_at(uintptr_t address) { return *(const uintptr_t *)address; }

static inline bool same_words(const ohw_way *way, uintptr_t place)
{
    uintptr_t difference = 0;
    for (int i = 0; i < way->returns; i++) {
        difference |= ohw_arch_strip(word_at(place + way->at[i])) ^ way->word[i];
    }
    for (int i = OHW_WAY_WORDS - way->registers; i < OHW_WAY_WORDS; i++) {
        difference |= (word_at(place + way->at[i]) - place) ^ way->word[i];
    }
    return difference == 0;
}

#ifndef NDEBUG
static bool walk_agrees(const ohw_exit *exit, uintptr_t address)
{
    ohw_registers own = ohw_place_registers(exit->place);
    ohw_c_frame frame;
    bool same = ohw_unwind_start(&frame, &own);
    do {
        same = same && ohw_unwind_step(&frame);
    } while (same && frame.cfa <= address);
    for (int i = 0; same && i < OHW_ARCH_SAVED; i++) {
        same = exit->caller.registers[i] == frame.registers[i] &&
               exit->caller.where[i] == (frame.where[i] != 0 ? frame.where[i] : (uintptr_t)&exit->place->saved[i]);
    }
    return same && exit->caller.pc == frame.pc && exit->caller.pc_where == frame.pc_where &&
           exit->caller.pc_signed == frame.pc_signed && exit->caller.cfa == frame.cfa;
}
#endif

static const ohw_way *find_way(uintptr_t place, uintptr_t distance)
{
    way_set *set = set_for(distance);
    for (unsigned i = 0; i < SHARE; i++) {
        unsigned index = (set->latest + i) % SHARE;
        const ohw_way *way = &set->ways[index];
        if (way->distance == distance && same_words(way, place) &&
            (!way->temporary || way->unloaded == ohw_unwind_unloaded())) {
            set->latest = index;
            return way;
        }
    }
    return NULL;
}

bool ohw_way_known(ohw_exit *exit, uintptr_t address)
{
    uintptr_t place = (uintptr_t)exit->place;
    const ohw_way *way = find_way(place, address - place);
    if (way == NULL) {
        return false;
    }
    ohw_c_frame *caller = &exit->caller;
    caller->cfa = place + way->cfa;
    caller->pc_where = place + way->pc_where;
    caller->pc = ohw_arch_strip(word_at(caller->pc_where));
    caller->pc_signed = way->pc_signed;
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        caller->where[i] = place + way->where[i];
        caller->registers[i] = word_at(caller->where[i]);
    }
    exit->contexts = way->contexts;
    exit->c_calls = way->c_calls;
    assert(walk_agrees(exit, address));
    return true;
}

/* ---- finding out ---- */

void ohw_way_begin(ohw_way *way, const ohw_exit *exit)
{
    way->distance = 1;              /* not 0: as yet it can be kept */
    way->at[0] = (uint32_t)offsetof(ohw_place, pc);
    way->word[0] = exit->caller.pc;
    way->returns = 1;
    way->registers = 0;
}

/* The last step has computed a CFA from a register that stood at `where`. */
static void add_register(ohw_way *way, uintptr_t place, uintptr_t where, uintptr_t value)
{
    int i = OHW_WAY_WORDS - ++way->registers;
    way->at[i] = (uint32_t)(where - place);
    way->word[i] = value - place;
}

bool ohw_way_step(ohw_way *way, ohw_exit *exit)
{
    uintptr_t place = (uintptr_t)exit->place;
    ohw_c_frame *frame = &exit->caller, called = *frame;
    if (!ohw_unwind_step(frame)) {
        return false;
    }
    if (frame->relied_on == OHW_BASE_NONE || way->returns + way->registers + 2 > OHW_WAY_WORDS) {
        way->distance = 0;
        return true;
    }
    if (frame->relied_on < OHW_ARCH_SAVED) {
        uintptr_t where = called.where[frame->relied_on];
        where = where == 0 ? (uintptr_t)&exit->place->saved[frame->relied_on] : where;
        add_register(way, place, where, called.registers[frame->relied_on]);
    }
    way->at[way->returns] = (uint32_t)(frame->pc_where - place);
    way->word[way->returns++] = frame->pc;
    return true;
}

void ohw_way_keep(ohw_way *way, const ohw_exit *exit, uintptr_t address)
{
    uintptr_t place = (uintptr_t)exit->place;
    const ohw_c_frame *caller = &exit->caller;
    if (way->distance == 0) {
        return;
    }
    way->returns--;                 /* the last one is where the way ends: it may be any */
    way->distance = address - place;
    way->temporary = caller->temporary;
    way->unloaded = way->temporary ? ohw_unwind_unloaded() : 0;
    way->pc_signed = caller->pc_signed;
    way->contexts = exit->contexts;
    way->c_calls = exit->c_calls;
    way->cfa = (uint32_t)(caller->cfa - place);
    way->pc_where = (uint32_t)(caller->pc_where - place);
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        way->where[i] = (uint32_t)(caller->where[i] - place);
    }
    way_set *set = set_for(way->distance);
    set->latest = set->oldest++ % SHARE;
    set->ways[set->latest] = *way;
}

#endif
