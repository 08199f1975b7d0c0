/* A slice cannot be resumed here: nobody is harmed, and whoever tried gets the error. */
#include "stack/stack.h"

#if OHW_ARCH_KNOWN

typedef struct {
    PyThreadState *ts;
    py_frame *host;
    int extra;
} attempt;

static void *leave(ohw_place *place, void *argument)
{
    attempt *now = argument;
    ohw_exit exit;
    if (!ohw_find_resumer(now->ts, now->host, place, &exit)) {
        return NULL;
    }
    PyCodeObject *landing = py_code(now->host);
    ohw_waiting waiting = ohw_waiting_at(landing);
    py_frame *caller = py_caller_of_loops(&exit.loops, exit.lowest);
    PyObject *error = py_take_raised(), *dropped = py_take_slot(now->host, now->extra);
    Py_XDECREF(dropped);
    py_position at = {landing, py_instruction_at(landing, waiting.unit), 0};
    (void)py_exchange_position(now->host, at);
    py_set_stack_depth(now->host, waiting.entries);     /* the chain, and NULL */
    py_set_exception_state(now->ts, py_generator_exception_state(py_generator(now->host)));
    py_leave_loops(now->ts, &exit.loops);
    ohw_park_coroutines(now->ts, now->host, landing, &exit);
    py_leave_one_loop(now->ts);
    py_forget_sampled_frames(now->ts, caller);
    py_raise(error);
    ohw_registers registers = {.pc = exit.caller.pc, .sp = exit.caller.cfa};
    memcpy(registers.saved, exit.caller.registers, sizeof registers.saved);
    ohw_arch_leave(&registers, NULL);
}

void ohw_decline(PyThreadState *ts, py_frame *host, int extra)
{
    attempt now = {ts, host, extra};
    if (PY_FAILED_MAY_BE_SUSPENDED) {
        (void)ohw_arch_save(leave, &now);
    }
}

#endif
