#include "stack/judge.h"

#if OHW_ARCH_KNOWN

#include <unwind.h>

typedef struct {
    ohw_comparison *comparison;
    uintptr_t end;
    ohw_c_frame here;
    bool outside;               /* beyond the function that called _Unwind_Backtrace */
} judge;

static void note(judge *j, const char *what)
{
    ohw_comparison *comparison = j->comparison;
    if (comparison->differences++ == 0) {
        comparison->what = what;
        comparison->first = comparison->frames;
        comparison->first_pc = j->here.pc;
    }
}

static void compare_registers(judge *j, struct _Unwind_Context *context)
{
    static const uint8_t columns[OHW_ARCH_SAVED] = OHW_DWARF_SAVED;
    const ohw_c_frame *frame = &j->here;
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        if (i == OHW_ARCH_LINK) {
            continue;           /* the program counter, but for its signature */
        }
        if (frame->registers[i] != _Unwind_GetGR(context, columns[i])) {
            note(j, "a callee-saved register");
        } else if (frame->where[i] != 0 && *(const uintptr_t *)frame->where[i] != frame->registers[i]) {
            note(j, "the place of a callee-saved register");
        }
    }
}

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument)
{
    judge *j = argument;
    if (!j->outside) {
        j->outside = true;
        return _URC_NO_REASON;
    }
    uintptr_t pc = (uintptr_t)_Unwind_GetIP(context);
    if (pc == 0 || (j->end != 0 && j->here.cfa > j->end)) {
        return _URC_END_OF_STACK;
    }
    if (!ohw_unwind_step(&j->here)) {
        if (ohw_unwind_is_loaded(j->here.pc)) {
            note(j, "where the walk ends");
        }
        return _URC_END_OF_STACK;
    }
    j->comparison->frames++;
    if (j->here.pc != pc) {
        note(j, "a return address");
    } else if (j->here.cfa != (uintptr_t)_Unwind_GetCFA(context)) {
        note(j, "a canonical frame address");
    } else {
        compare_registers(j, context);
    }
    return _URC_NO_REASON;
}

__attribute__((noinline)) void ohw_compare_unwinders(ohw_comparison *comparison, uintptr_t end)
{
    judge j = {.comparison = comparison, .end = end};
    ohw_registers own;
    *comparison = (ohw_comparison){0};
    ohw_arch_capture(&own);
    if (ohw_unwind_start(&j.here, &own)) {
        _Unwind_Backtrace(visit, &j);
    } else {
        note(&j, "memory for the rows");
    }
}

#endif
