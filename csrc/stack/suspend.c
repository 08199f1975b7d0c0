/* Set a slice aside: E1 returns, without having been asked. */
#include "stack/slice.h"

#if OHW_ARCH_KNOWN

#include "stack/bounds.h"
#include "stack/greenlets.h"

#include <assert.h>

/* Not inline: written into registers first, it would be copied right from where it is being stored, and wait for that. */
__attribute__((noinline)) static void measure(PyThreadState *ts, const py_frame *lowest, py_data_aside *data)
{
    py_measure_data(ts, lowest, data);
}

ohw_slice *ohw_slice_new(PyThreadState *ts, py_frame *door, const ohw_exit *exit, const ohw_walk *walk)
{
    int host_slots = py_code(walk->host)->co_stacksize;
    py_data_aside data;
    PyObject *greenlet;
    measure(ts, exit->lowest_on_data_stack, &data);
    if (data.ranges == 0) {
        PyErr_SetString(PyExc_MemoryError, "too many suspended calls share the data stack of this one");
        return NULL;
    }
    if (ohw_current_greenlet(&greenlet) < 0) {
        return NULL;
    }
    ohw_image image = ohw_image_plan(exit, door);
    ohw_slice *slice = ohw_slice_allocate(exit->place, &image,
                                          ohw_data_bytes(&data) + (size_t)host_slots * sizeof(py_word));
    if (slice == NULL) {
        ohw_image_drop(&image);
        Py_XDECREF(greenlet);
        return NULL;
    }
    slice->thread = ts;
    slice->thread_number = py_thread_number(ts);
    slice->greenlet = greenlet;
    slice->end = exit->caller.cfa;
    memcpy(slice->where, exit->caller.where, sizeof slice->where);
    slice->pc_where = exit->caller.pc_where;
    slice->pc_signed = exit->caller.pc_signed;
    slice->loops = exit->loops;
    slice->data = data;
    slice->host_slots = host_slots;
    slice->host_depth = -1;             /* nothing in it yet that the collector could look at */
    slice->contexts = (py_contexts){NULL, NULL};
    if (py_pin_data(&slice->data) < 0) {
        ohw_slice_discard(slice);
        return NULL;
    }
    return slice;
}

void ohw_slice_discard(ohw_slice *slice)
{
    py_unpin_data(&slice->data);
    Py_XDECREF(slice->greenlet);
    ohw_slice_release(slice);
}

int ohw_report_awaiters(PyThreadState *ts, const ohw_exit *exit, py_frame *host, PyObject *value)
{
    if (PY_HOST_REPORTS_ITSELF && py_report(ts, host, PY_YIELDS, value) < 0) {
        return -1;
    }
    for (py_frame *frame = host; frame != exit->lowest;) {
        frame = py_caller(frame);
        if (py_report(ts, frame, PY_YIELDS, value) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The frames' copies take their place for whoever follows links or holds frame objects. */
static void link_copies(ohw_slice *slice, py_frame *door, const ohw_exit *exit)
{
    slice->door = door;
    slice->outermost = exit->outermost;
    slice->below = py_link(exit->outermost);
    py_frame *copy = ohw_copy_of(slice, door);
    for (py_frame *frame = door, *next, *its_copy; ; frame = next, copy = its_copy) {
        next = py_link(frame);
        if (copy != frame && py_on_data_stack(copy)) {
            py_moved(copy, frame);
        }
        if (frame == exit->outermost) {
            py_set_caller(copy, NULL);
            break;
        }
        its_copy = ohw_copy_of(slice, next);
        py_set_caller(copy, its_copy);
    }
}

static void park_host(ohw_slice *slice, py_frame *host, ohw_lifted *lifted, PyCodeObject *landing, PyObject *chain)
{
    ohw_waiting waiting = ohw_waiting_at(landing);
    py_position at_landing = {(PyCodeObject *)Py_NewRef(landing), py_instruction_at(landing, waiting.unit), 0};
    py_word stack[] = {py_word_of(chain), py_word_of(NULL)};
    slice->host_depth = py_stack_depth(host);
    py_copy_stack(host, ohw_slice_host_stack(slice), slice->host_slots);
    lifted->home = py_exchange_position(host, at_landing);
    py_put_stack(host, stack, waiting.entries);
}

void ohw_park_coroutines(PyThreadState *ts, py_frame *host, const PyCodeObject *landing, const py_frame *lowest)
{
    py_frame *frame = host, *next = py_link(host);
    py_park(ts, host, ohw_waiting_at(landing).delegates);
    while (frame != lowest) {
        frame = next;
        next = py_link(frame);
        py_park_awaiter(ts, frame);
    }
}

/* Bytes of C stack below `address`, towards its start. */
static size_t stack_depth(uintptr_t address)
{
    enum { FALLBACK = 16 * 1024 };      /* where the system does not tell: no /proc */
    ohw_bounds bounds;
    return ohw_stack_bounds(&bounds) && bounds.high > address ? bounds.high - address : FALLBACK;
}

/* I11, I12: nothing is pending, and what will be changed in the slice lies in it. */
static void check(const ohw_slice *slice, const ohw_exit *exit, py_frame *host)
{
    assert(!PyErr_Occurred() && py_generator_executing(py_generator(host)));
    assert(exit->caller.pc != 0 && slice->data.ranges > 0 && slice->end > (uintptr_t)slice->place);
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        assert(slice->where[i] >= (uintptr_t)slice->place && slice->where[i] < slice->end);
    }
    assert(slice->pc_where >= (uintptr_t)slice->place && slice->pc_where < slice->end);
    (void)slice, (void)exit, (void)host;
}

_Noreturn void ohw_set_aside(PyThreadState *ts, py_frame *door, const ohw_walk *walk, const ohw_exit *exit,
                             ohw_slice *slice, ohw_lifted *lifted, PyCodeObject *landing, PyObject *chain,
                             PyObject *yielded)
{
    py_frame *host = walk->host, *caller = py_caller_of_loops(&exit->loops, exit->lowest);
    check(slice, exit, host);
    py_set_current(ts, door);
    ohw_image_take(&slice->image, ohw_slice_stack(slice), (const char *)exit->place, ohw_slice_stack_bytes(slice));
    py_set_data_aside(ts, &slice->data, ohw_slice_data(slice));
    link_copies(slice, door, exit);
    lifted->host = host;
    lifted->thread = NULL;
    lifted->top = walk->bottom == NULL ? NULL : ohw_copy_of(slice, walk->top);
    lifted->bottom = walk->bottom == NULL ? NULL : ohw_copy_of(slice, walk->bottom);
    lifted->reserved = lifted->origin = NULL;
    lifted->has_room = false;
    lifted->chunk = NULL;
    lifted->resting = false;
    lifted->size = lifted->alive = 0;
    lifted->listeners = walk->listeners;
    lifted->frames = walk->frames - 1;
    lifted->parked = 0;
    lifted->exception_state = py_exception_state(ts);
    park_host(slice, host, lifted, landing, chain);
    slice->contexts = py_leave_contexts(ts, exit->contexts);
    slice->deallocations = py_leave_deallocations(ts);
    py_set_exception_state(ts, py_generator_exception_state(py_generator(host)));
    py_leave_loops(ts, &exit->loops);
    ohw_park_coroutines(ts, host, landing, exit->lowest);
    slice->calls = walk->frames;
    py_add_recursion(ts, slice->calls);
    slice->c_calls = py_leave_c_calls(ts, exit->loops.count, exit->c_calls,
                                      PY_COUNTS_C_CALLS ? stack_depth(slice->end) : 0, caller);
    py_forget_sampled_frames(ts, caller);
    py_pacify_landing(ts, landing);
    lifted->away = true;
    ohw_stack_count.by_stack++;
    ohw_registers registers = {.pc = exit->caller.pc, .sp = exit->caller.cfa};
    memcpy(registers.saved, exit->caller.registers, sizeof registers.saved);
    ohw_arch_leave(&registers, yielded);
}

#endif
