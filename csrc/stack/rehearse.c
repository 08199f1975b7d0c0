/* A rehearsal: a few C functions are left, kept, and put back as slices are, by the same assembly and unwinder.  All
 * three that are concerned, who goes on without them, who is in them and who resumes them, have known values in their
 * callee-saved registers (ohw_arch_probe) and look whether they find them again.  In between all registers hold garbage.
 */
#include "stack/rehearse.h"

#if OHW_ARCH_KNOWN

#include <string.h>

enum { ROOM = 2048, RED_ZONE = 512, FALSIFIED = 2 };
/* ohwait/_selftest_c_frames.py knows it by these words. */
#define FAILED "its self-test has failed: "
#define GARBAGE ((uintptr_t)0x6a09e667)

typedef struct {
    ohw_pad_record pad;         /* first: ohw_arch_pad finds it */
    bool falsify;
    const char *reason;         /* why the rehearsal cannot go on; NULL: nothing so far */
    uintptr_t lost;             /* registers, by bit */
    uintptr_t inside;           /* an address in the frame of outermost() */
    uintptr_t back;             /* and where that returns to, as the compiler knows it */
    bool left, came_back, finished;
    ohw_place *place;           /* lower end of what is set aside */
    ohw_c_frame caller;         /* of outermost(), as unwinding finds it */
    ohw_place *resumer;
    char image[ROOM];
} rehearsal;

/* Go on in `function` with garbage in all registers, on the stack below `below`. */
static _Noreturn void scramble(rehearsal *r, uintptr_t below, void (*function)(ohw_pad_record *pad, void *result))
{
    r->pad = (ohw_pad_record){(below - RED_ZONE) & ~(uintptr_t)15, function};
    ohw_registers garbage = {.pc = (uintptr_t)ohw_arch_pad, .sp = r->pad.sp};
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        garbage.saved[i] = GARBAGE + (uintptr_t)i;
    }
    garbage.saved[OHW_ARCH_CARRIER] = (uintptr_t)r;
    ohw_arch_leave(&garbage, NULL);
}

/* ---- away ---- */

static void go_on_without(ohw_pad_record *pad, void *result)
{
    rehearsal *r = (rehearsal *)pad;
    ohw_registers registers = {.pc = r->caller.pc, .sp = r->caller.cfa};
    memcpy(registers.saved, r->caller.registers, sizeof registers.saved);
    ohw_arch_leave(&registers, r);
}

static const char *find_caller(rehearsal *r)
{
    ohw_registers own = ohw_place_registers(r->place);
    if (!ohw_unwind_start(&r->caller, &own)) {
        return FAILED "no memory is left to read unwind tables into";
    }
    do {
        if (!ohw_unwind_step(&r->caller)) {
            return FAILED "ohwait itself was compiled without unwind tables, or with some that it cannot read";
        }
    } while (r->caller.cfa <= r->inside);
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        if (r->caller.where[i] == 0) {
            r->caller.where[i] = (uintptr_t)&r->place->saved[i];
        }
    }
    return r->caller.pc != r->back || r->caller.cfa - (uintptr_t)r->place > ROOM
               ? FAILED "the C stack of this process is not read as its compiler has laid it out" : NULL;
}

static void *leave(ohw_place *place, void *argument)
{
    rehearsal *r = argument;
    r->place = place;
    r->reason = find_caller(r);
    if (r->reason != NULL) {
        return NULL;
    }
    memcpy(r->image, place, r->caller.cfa - (uintptr_t)place);
    scramble(r, (uintptr_t)place, go_on_without);
}

static void *innermost(void *argument) { return ohw_arch_save(leave, argument); }

static __attribute__((noinline)) void *outermost(void *argument)
{
    rehearsal *r = argument;
    r->inside = (uintptr_t)__builtin_frame_address(0);
    r->back = ohw_arch_strip((uintptr_t)__builtin_return_address(0));
    r->lost |= ohw_arch_probe(innermost, r);
    r->came_back = true;
    return NULL;
}

/* Calls that no compiler looks through. */
static void *(*const volatile call_outermost)(void *argument) = outermost;

static void *start(void *argument)
{
    rehearsal *r = argument;
    r->left = call_outermost(r) == r;
    return NULL;
}

/* Far enough down to leave room for those who resume it. */
static __attribute__((noinline)) void start_below(rehearsal *r)
{
    volatile char room[ROOM];
    room[0] = 0;
    r->lost |= ohw_arch_probe(start, r);
    room[ROOM - 1] = room[0];
}

/* ---- and back ---- */

static void finish(ohw_pad_record *pad, void *result)
{
    rehearsal *r = (rehearsal *)pad;
    ohw_registers registers = ohw_place_registers(r->resumer);
    r->finished = result == NULL;
    ohw_arch_leave(&registers, NULL);
}

static void go_on_inside(ohw_pad_record *pad, void *result)
{
    rehearsal *r = (rehearsal *)pad;
    r->pad = (ohw_pad_record){(r->caller.cfa - RED_ZONE) & ~(uintptr_t)15, finish};
    ohw_arch_return(r->place, NULL);
}

static void put_back(void *argument)
{
    rehearsal *r = argument;
    memcpy(r->place, r->image, r->caller.cfa - (uintptr_t)r->place);
    scramble(r, (uintptr_t)r->place, go_on_inside);
}

static void *resume(ohw_place *place, void *argument)
{
    rehearsal *r = argument;
    ptrdiff_t image = r->image - (char *)r->place;
    uintptr_t pad = (uintptr_t)ohw_arch_pad;
    r->resumer = place;
    if ((uintptr_t)place < r->caller.cfa) {
        r->reason = FAILED "compilers make larger frames here than it has been written for";
        return NULL;
    }
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        *(uintptr_t *)(r->caller.where[i] + (uintptr_t)image) = i == OHW_ARCH_CARRIER ? (uintptr_t)r : GARBAGE;
    }
    *(uintptr_t *)(r->caller.pc_where + (uintptr_t)image) =
        r->caller.pc_signed ? ohw_arch_sign(pad, r->caller.cfa) : pad;
    if (r->falsify) {
        ((ohw_place *)r->image)->saved[FALSIFIED] ^= 1;
    }
    ohw_arch_call_below((uintptr_t)r->place, put_back, r);
}

static void *start_resuming(void *argument) { return ohw_arch_save(resume, argument); }

/* What has been left behind on the stack is of no help to those who come back. */
static __attribute__((noinline)) void overwrite_stack(void)
{
    char room[2 * ROOM];
    memset(room, 0x55, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
}

const char *ohw_rehearse(bool falsify)
{
    rehearsal r = {.falsify = falsify};
    start_below(&r);
    if (r.reason == NULL) {
        overwrite_stack();
        r.lost |= ohw_arch_probe(start_resuming, &r);
    }
    if (r.reason == NULL && r.lost != 0) {
        r.reason = FAILED "a C stack that was set aside and put back found other values in its registers";
    }
    if (r.reason == NULL && !(r.left && r.came_back && r.finished)) {
        r.reason = FAILED "a C stack that was set aside and put back did not go on where it had been left";
    }
    return r.reason;
}

#endif
