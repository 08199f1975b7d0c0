/* A slice cannot be resumed here: nobody is harmed, and whoever tried gets the error. */
#include "stack/decline.h"

#if OHW_ARCH_KNOWN

enum { RED_ZONE = 512, WRAPPER = 128 };

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

#if PY_CLEARS_FAILED_FRAMES

/* The landing yields, and so do the coroutines that await its host, by themselves.  Where the outermost one's loop
 * returns to, the value that was yielded is exchanged for the error. */
typedef struct {
    ohw_pad_record pad;                 /* first: ohw_arch_pad finds it in a register of the loop's caller */
    ohw_registers caller;               /* of that loop */
    PyGenObject *outermost;             /* Borrowed: its caller has it */
    PyObject *sign, *error, *survival;  /* Owned: what is yielded, what is raised, what keeps the coroutine alive */
} refusal;

typedef struct {
    PyThreadState *ts;
    py_frame *host;
    refusal *made;
} attempt;

/* A tool's callback may have raised instead, or C code may have wrapped what was yielded. */
static bool is_sign(const refusal *made, const PyObject *result)
{
    return py_is_suspended(made->outermost) && (result == made->sign || (result != NULL && Py_REFCNT(made->sign) > 1));
}

static void come_back(ohw_pad_record *pad, void *result)
{
    refusal *made = (refusal *)pad;
    ohw_registers caller = made->caller;
    if (is_sign(made, result)) {
        Py_DECREF((PyObject *)result);
        py_raise(made->error);
        py_survive(made->outermost, made->survival);
        result = NULL;
    }
    else {
        Py_DECREF(made->error);
        Py_DECREF(made->survival);
    }
    Py_DECREF(made->sign);
    PyMem_RawFree(made);
    ohw_arch_leave(&caller, result);
}

static void *set_trap(ohw_place *place, void *argument)
{
    attempt *now = argument;
    refusal *made = now->made;
    ohw_exit exit;
    if (!ohw_find_outermost(now->ts, now->host, place, &exit)) {
        return NULL;
    }
    made->pad = (ohw_pad_record){(exit.caller.cfa - RED_ZONE) & ~(uintptr_t)15, come_back};
    made->caller = (ohw_registers){.pc = exit.caller.pc, .sp = exit.caller.cfa};
    memcpy(made->caller.saved, exit.caller.registers, sizeof made->caller.saved);
    made->outermost = py_generator(exit.lowest);
    uintptr_t pc = (uintptr_t)ohw_arch_pad;
    *(uintptr_t *)exit.caller.where[OHW_ARCH_CARRIER] = (uintptr_t)made;
    *(uintptr_t *)exit.caller.pc_where = exit.caller.pc_signed ? ohw_arch_sign(pc, exit.caller.cfa) : pc;
    return made;
}

PyObject *ohw_decline(PyThreadState *ts, ohw_slice *slice, py_frame *host, int extra)
{
    (void)slice, (void)extra;
    PyObject *error = py_take_raised(), *sign = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    PyObject *survival = py_survival_new();
    refusal *made = PyMem_RawMalloc(sizeof(refusal));
    if (sign != NULL && survival != NULL && made != NULL) {
        made->sign = sign;
        made->error = error;
        made->survival = survival;
        attempt now = {ts, host, made};
        if (ohw_arch_save(set_trap, &now) != NULL) {
            return Py_NewRef(sign);
        }
    }
    PyMem_RawFree(made);
    Py_XDECREF(sign);
    Py_XDECREF(survival);
    py_raise(error);
    return NULL;
}

#else

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

static void host_waits(PyThreadState *ts, py_frame *host, PyObject *chain)
{
    wait_again(ts, host, chain, ohw_lowest(host));
}

static void *leave(ohw_place *place, void *argument)
{
    const ohw_departure *now = argument;
    PyThreadState *ts = now->ts;
    ohw_exit exit;
    if (!ohw_find_resumer(ts, now->frame, place, &exit)) {
        return NULL;
    }
    ohw_c_frame beyond = exit.caller;
    if (!PY_FAILED_MAY_BE_SUSPENDED && (!py_loops_are_called_directly(ts) || !step_over_driver(&beyond))) {
        return NULL;
    }
    ohw_disguise *pretend = now->disguise;
    py_frame *caller = py_caller_of_loops(&exit.loops, exit.lowest);
    PyObject *error = py_take_raised(), *kept = py_take_slot(now->frame, 0);
    PyObject *dropped = now->extra < 0 ? NULL : py_take_slot(now->frame, now->extra);
    Py_XDECREF(dropped);
    py_leave_loops(ts, &exit.loops);
    now->wait(ts, now->frame, kept);
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

PyObject *ohw_decline(PyThreadState *ts, ohw_slice *slice, py_frame *host, int extra)
{
    slice->disguise.owner = NULL;
    ohw_leave_landing(&(ohw_departure){ts, host, &slice->disguise, extra, host_waits});
    return NULL;
}

#endif

PyObject *ohw_leave_caller(PyThreadState *ts, py_frame *host, PyObject *chain)
{
    py_frame *lowest = ohw_lowest(host);
    PyObject *driven = Py_NewRef((PyObject *)py_generator(lowest));
    wait_again(ts, host, chain, lowest);
    return driven;
}

#endif
