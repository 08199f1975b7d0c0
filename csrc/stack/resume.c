/* Put a slice back where it was, and go on in it: E1 takes over the identity of E3. */
#include "stack/pad.h"

#if OHW_ARCH_KNOWN

#include "stack/greenlets.h"

#include <assert.h>

static const char elsewhere[] =
    "this coroutine was suspended below a C function, whose stack cannot move: it must be resumed on the same thread";

const char *ohw_slice_objection(PyThreadState *ts, const ohw_slice *slice, const char **kind)
{
    py_data_displaced displaced;
    *kind = "thread";
    if (ts != slice->thread || py_thread_number(ts) != slice->thread_number) {
        return elsewhere;
    }
    *kind = "greenlet";
    if (!ohw_in_greenlet(slice->greenlet)) {
        return "this coroutine was suspended below a C function, whose stack cannot move: it must be resumed in the same "
               "greenlet";
    }
    return py_find_room(ts, &slice->data, &displaced);
}

typedef struct {
    PyThreadState *ts;
    ohw_slice *slice;
    ohw_lifted *lifted;
} resumption;

/* The last part, on a part of the stack that nobody uses. */
static void enter_slice(void *argument)
{
    ohw_slice *slice = argument;
    ohw_place *place = slice->place;
    memcpy(place, ohw_slice_stack(slice), ohw_slice_stack_bytes(slice));
    char *copies = ohw_slice_data(slice);
    for (int i = 0; i < slice->data.ranges; i++) {
        py_range range = slice->data.copied[i];
        memcpy(range.start, copies, range.bytes);
        copies += range.bytes;
    }
    for (py_frame *copy = ohw_copy_of(slice, slice->door), *frame, *next; ; copy = next) {
        frame = ohw_original_of(slice, copy);
        next = frame == slice->outermost ? NULL : py_link(copy);
        if (copy != frame && py_on_data_stack(frame)) {
            py_moved(frame, copy);
        }
        if (next == NULL) {
            py_set_caller(frame, slice->below);
            break;
        }
        py_set_caller(frame, ohw_original_of(slice, next));
    }
    ohw_slice_release(slice);
    ohw_arch_return(place, NULL);
}

/* In the copy of the slice: where E1 returns to, and what is found in the registers there. */
static void set_return(ohw_slice *slice, const ohw_c_frame *caller, ohw_resumer *resumer)
{
    ptrdiff_t image = ohw_slice_stack(slice) - (char *)slice->place;
    uintptr_t pc = resumer == NULL ? caller->pc : (uintptr_t)ohw_arch_pad;
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        uintptr_t value = resumer == NULL ? caller->registers[i] : i == OHW_ARCH_CARRIER ? (uintptr_t)resumer : 0;
        *(uintptr_t *)(slice->where[i] + (uintptr_t)image) = value;
    }
    *(uintptr_t *)(slice->pc_where + (uintptr_t)image) = slice->pc_signed ? ohw_arch_sign(pc, slice->end) : pc;
}

static void restore_host(ohw_slice *slice, ohw_lifted *lifted)
{
    py_position at_landing = py_exchange_position(lifted->host, lifted->home);
    py_restore_stack(lifted->host, ohw_slice_host_stack(slice), slice->host_slots, slice->host_depth);
    lifted->home.code = NULL;
    lifted->top = lifted->bottom = NULL;
    lifted->away = false;
    Py_DECREF(at_landing.code);     /* never the last reference: the host's code keeps its landings */
}

/* Cannot fail from here on. */
static _Noreturn void commit(PyThreadState *ts, ohw_slice *slice, ohw_lifted *lifted, ohw_exit *exit,
                             py_data_displaced *displaced, ohw_resumer *resumer)
{
    ptrdiff_t image = ohw_slice_stack(slice) - (char *)slice->place;
    py_frame *caller = py_caller_of_loops(&exit->loops, exit->lowest);
    void *outer = py_outer_loop(ts, &exit->loops);
    set_return(slice, &exit->caller, resumer);
    if (resumer != NULL) {
        ohw_resumer_evict(resumer);
        caller = caller == NULL ? NULL : ohw_evicted(resumer, caller);
        outer = outer == NULL ? NULL : ohw_evicted(resumer, outer);
        py_bring_data_back(ts, &slice->data, &resumer->displaced);
        if (!resumer->displaced.orphan) {
            resumer->data.pinned = false;       /* its frames keep the chunk */
            py_unpin_data(&slice->data);
        }
    }
    else {
        py_bring_data_back(ts, &slice->data, displaced);
        py_unpin_data(&slice->data);
    }
    py_enter_loops(ts, &slice->loops, image, slice->door, exit->lowest, caller, outer);
    py_set_exception_state(ts, lifted->exception_state);
    py_enter_c_calls(ts, slice->c_calls);
    py_add_recursion(ts, -slice->calls);
    py_enter_contexts(ts, slice->contexts);
    restore_host(slice, lifted);
    ohw_arch_call_below((uintptr_t)slice->place, enter_slice, slice);
}

static void *resume(ohw_place *place, void *argument)
{
    resumption *now = argument;
    PyThreadState *ts = now->ts;
    ohw_slice *slice = now->slice;
    ohw_exit exit;
    py_data_displaced displaced;
    ohw_resumer *resumer = NULL;
    assert(now->lifted->away && py_current(ts) == now->lifted->host && !PyErr_Occurred());
    if (!ohw_find_resumer(ts, now->lifted->host, place, &exit)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "ohwait: a suspended call cannot go on: the C code that resumes it has no unwind tables");
        return NULL;
    }
    const char *missing = py_find_room(ts, &slice->data, &displaced);
    if (missing != NULL) {
        PyErr_Format(PyExc_RuntimeError, "ohwait: a suspended call cannot go on: %s", missing);
        return NULL;
    }
    bool in_place = slice->data.copied[0].bytes == 0 || displaced.in_place;
    if (exit.caller.cfa != slice->end || !in_place) {
        py_park_whole_frames(py_caller_of_loops(&exit.loops, exit.lowest), &slice->data, &displaced);
        resumer = ohw_resumer_new(ts, slice, &exit, &displaced);
        if (resumer == NULL) {
            return NULL;
        }
    }
    Py_CLEAR(slice->greenlet);
    commit(ts, slice, now->lifted, &exit, &displaced, resumer);
}

int ohw_bring_back(PyThreadState *ts, ohw_slice *slice, ohw_lifted *lifted)
{
    resumption now = {ts, slice, lifted};
    (void)ohw_arch_save(resume, &now);
    return -1;
}

#endif
