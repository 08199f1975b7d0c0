/* A slice cannot be resumed here: nobody is harmed, and whoever tried gets the error. */
#include "stack/decline.h"

#if OHW_ARCH_KNOWN

enum { RED_ZONE = 512, WRAPPER = 128 };

/* The C function that has called E3 has returned: what it took for finished waits on. */
static void reveal(ohw_pad_record *pad, void *result)
{
    ohw_disguise *disguise = (ohw_disguise *)pad;
    ohw_registers caller = disguise->caller;
    py_end_pretence(disguise->pretence);
    Py_XDECREF(disguise->owner);        /* last: it may lie in it */
    ohw_arch_leave(&caller, result);
}

/* To the caller of the C function that drives the generator which E3 runs, gen_send_ex2.  In debug builds a small one
 * stands between, which an optimiser would have inlined. */
static bool step_over_driver(ohw_c_frame *frame)
{
    uintptr_t start = ohw_unwind_function_start(frame->pc);
    bool wrapped = start != 0 && ohw_unwind_function_start(start + WRAPPER) != start;
    return ohw_unwind_step(frame) && (!wrapped || ohw_unwind_step(frame));
}

/* gen_send_ex2 relies on it that a generator that fails has finished (debug builds of CPython assert it).  So the one
 * that it drives seems to be, until it returns: its return address is exchanged for the landing pad's.  `from`: where E3
 * returns to; `beyond`: gen_send_ex2's caller. */
static void disguise(ohw_disguise *disguise, PyGenObject *driven, ohw_c_frame *from, const ohw_c_frame *beyond)
{
    uintptr_t record = (uintptr_t)disguise, pad = (uintptr_t)ohw_arch_pad;
    disguise->pad = (ohw_pad_record){(beyond->cfa - RED_ZONE) & ~(uintptr_t)15, reveal};
    disguise->caller = (ohw_registers){.pc = beyond->pc, .sp = beyond->cfa};
    memcpy(disguise->caller.saved, beyond->registers, sizeof disguise->caller.saved);
    disguise->pretence = py_seem_finished(driven);
    if (beyond->where[OHW_ARCH_CARRIER] != from->where[OHW_ARCH_CARRIER]) {
        *(uintptr_t *)beyond->where[OHW_ARCH_CARRIER] = record;     /* restored from there */
    }
    else {
        from->registers[OHW_ARCH_CARRIER] = record;                 /* not touched there */
    }
    *(uintptr_t *)beyond->pc_where = beyond->pc_signed ? ohw_arch_sign(pad, beyond->cfa) : pad;
}

/* The host, and all that await it in its loop, wait as before; `chain` (stolen) is all there is on its value stack. */
static void wait_again(PyThreadState *ts, py_frame *host, PyObject *chain, const py_frame *lowest)
{
    PyCodeObject *landing = py_code(host);
    ohw_waiting waiting = ohw_waiting_at(landing);
    py_word stack[] = {py_word_of(chain), py_word_of(NULL)};
    py_position at = {landing, py_instruction_at(landing, waiting.unit), 0};
    (void)py_exchange_position(host, at);
    py_put_stack(host, stack, waiting.entries);
    py_set_exception_state(ts, py_generator_exception_state(py_generator(host)));
    ohw_park_coroutines(ts, host, landing, lowest);
}

static void host_waits(PyThreadState *ts, py_frame *host, PyObject *chain)
{
    wait_again(ts, host, chain, ohw_lowest(host));
}

static void *leave(ohw_place *place, void *argument)
{
    const ohw_departure *now = argument;
    PyThreadState *ts = now->ts;
    ohw_exit exit;
    if (!ohw_find_resumer(ts, now->at, place, &exit)) {
        return NULL;
    }
    ohw_c_frame beyond = exit.caller;
    if (!PY_FAILED_MAY_BE_SUSPENDED && (!py_loops_are_called_directly(ts) || !step_over_driver(&beyond))) {
        return NULL;
    }
    ohw_disguise *pretend = now->disguise;
    py_frame *caller = py_caller_of_loops(&exit.loops, exit.lowest);
    PyObject *error = py_take_raised(), *kept = py_take_slot(now->at, 0);
    PyObject *dropped = now->extra < 0 ? NULL : py_take_slot(now->at, now->extra);
    Py_XDECREF(dropped);
    py_leave_loops(ts, &exit.loops);
    now->wait(ts, now->at, kept);
    py_leave_one_loop(ts);
    py_note_failed(ts);
    py_forget_sampled_frames(ts, caller);
    py_raise(error);
    if (!PY_FAILED_MAY_BE_SUSPENDED) {
        disguise(pretend, py_generator(exit.lowest), &exit.caller, &beyond);
    }
    else if (pretend->owner != NULL) {
        Py_DECREF(pretend->owner);
    }
    ohw_registers registers = {.pc = exit.caller.pc, .sp = exit.caller.cfa};
    memcpy(registers.saved, exit.caller.registers, sizeof registers.saved);
    ohw_arch_leave(&registers, NULL);
}

void ohw_leave_landing(const ohw_departure *departure) { (void)ohw_arch_save(leave, (void *)departure); }

void ohw_decline(PyThreadState *ts, ohw_slice *slice, py_frame *host, int extra)
{
    slice->disguise.owner = NULL;
    ohw_leave_landing(&(ohw_departure){ts, host, &slice->disguise, extra, host_waits});
}

PyObject *ohw_leave_caller(PyThreadState *ts, py_frame *host, PyObject *chain)
{
    py_frame *lowest = ohw_lowest(host);
    PyObject *driven = Py_NewRef((PyObject *)py_generator(lowest));
    wait_again(ts, host, chain, lowest);
    return driven;
}

#endif
