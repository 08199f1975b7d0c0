/* A slice cannot be resumed here, in CPython 3.11, where each coroutine has an interpreter loop of its own and ends when
 * that returns an error (decline.c cannot help).
 *
 * So the landing yields, and the coroutines that await its host do, by themselves.  Where the outermost one's loop returns
 * to, the value that was yielded is exchanged for the error.
 */
#include "stack/pad.h"

#if OHW_ARCH_KNOWN

#if PY_CLEARS_FAILED_FRAMES

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
    enum { RED_ZONE = 512 };
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

PyObject *ohw_yield_refusal(PyThreadState *ts, py_frame *host)
{
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

PyObject *ohw_yield_refusal(PyThreadState *ts, py_frame *host)
{
    (void)ts, (void)host;
    return NULL;
}

#endif
#endif
