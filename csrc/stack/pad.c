/* The landing pad: E1 has returned to us, who stand for E3's caller; that is put back and goes on. */
#include "stack/pad.h"

#if OHW_ARCH_KNOWN

#include "stack/rings.h"

_Static_assert(OHW_EVICTED_MARGIN >= sizeof(py_frame), "the interpreter's own frames fit");
enum { RED_ZONE = 512 };

static void come_back(ohw_pad_record *pad, void *result);

ohw_resumer *ohw_resumer_new(PyThreadState *ts, const ohw_slice *slice, const ohw_exit *exit,
                             const py_data_displaced *displaced)
{
    uintptr_t start = exit->caller.cfa, end = slice->end;
    size_t evicted = start < end ? end - start : 0;
    ohw_resumer *resumer = PyMem_RawMalloc(sizeof(ohw_resumer) + evicted + OHW_EVICTED_MARGIN + displaced->bytes);
    if (resumer == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    uintptr_t lower = start < end ? start : end;
    resumer->pad = (ohw_pad_record){(lower - RED_ZONE) & ~(uintptr_t)15, come_back};
    resumer->thread = ts;
    resumer->caller = (ohw_registers){.pc = exit->caller.pc, .sp = start};
    memcpy(resumer->caller.saved, exit->caller.registers, sizeof resumer->caller.saved);
    resumer->lowest = exit->lowest;
    resumer->below = py_caller_of_loops(&exit->loops, exit->lowest);
    resumer->outer = py_outer_loop(ts, &exit->loops);
    resumer->evicted = (char *)start;
    resumer->evicted_bytes = evicted;
    resumer->rings = py_collecting(ts);
    resumer->displaced = *displaced;
    resumer->data = slice->data;
    return resumer;
}

void ohw_resumer_evict(ohw_resumer *resumer)
{
    py_data_displaced *displaced = &resumer->displaced;
    memcpy(resumer->bytes, resumer->evicted, (size_t)(ohw_parked(resumer) - resumer->bytes));
    memcpy(ohw_parked(resumer), displaced->parked, displaced->bytes);
    if (resumer->evicted_bytes == 0 && displaced->bytes == 0) {
        return;
    }
    if (resumer->rings) {
        ohw_move_rings(resumer->evicted, resumer->bytes, resumer->evicted_bytes);
    }
    for (py_frame *frame = resumer->below, *next; frame != NULL; frame = next) {
        py_frame *now = ohw_evicted(resumer, frame);
        next = py_link(frame);
        if (now != frame && py_on_data_stack(now)) {
            py_moved(now, frame);
        }
        if (next != NULL && ohw_evicted(resumer, next) != next) {
            py_set_caller(now, ohw_evicted(resumer, next));
        }
    }
}

/* The other way round; the copies may have been changed meanwhile (frame objects made, variables set). */
static void put_back(ohw_resumer *resumer)
{
    py_data_displaced *displaced = &resumer->displaced;
    memcpy(resumer->evicted, resumer->bytes, resumer->evicted_bytes);
    memcpy(displaced->parked, ohw_parked(resumer), displaced->bytes);
    if (resumer->evicted_bytes == 0 && displaced->bytes == 0) {
        return;
    }
    if (resumer->rings) {
        ohw_move_rings(resumer->bytes, resumer->evicted, resumer->evicted_bytes);
    }
    for (py_frame *frame = resumer->below, *next; frame != NULL; frame = next) {
        py_frame *copy = ohw_evicted(resumer, frame);
        if (copy != frame && py_on_data_stack(frame)) {
            py_moved(frame, copy);
        }
        next = py_link(frame);
        if (next != NULL) {
            size_t evicted = (size_t)((char *)next - resumer->bytes);
            size_t parked = (size_t)((char *)next - ohw_parked(resumer));
            if (evicted < resumer->evicted_bytes) {
                next = (py_frame *)(resumer->evicted + evicted);
            }
            else if (parked < displaced->bytes) {
                next = (py_frame *)(displaced->parked + parked);
            }
            py_set_caller(frame, next);
        }
    }
}

static void come_back(ohw_pad_record *pad, void *result)
{
    ohw_resumer *resumer = (ohw_resumer *)pad;
    PyThreadState *ts = resumer->thread;
    ohw_registers caller = resumer->caller;
    put_back(resumer);
    py_undo_bring_back(ts, &resumer->displaced, resumer->data.copied[0].bytes > 0 ? resumer->data.shared : NULL);
    py_return_to_loop(ts, resumer->outer, resumer->below, resumer->lowest);
    py_unpin_data(&resumer->data);
    PyMem_RawFree(resumer);
    ohw_arch_leave(&caller, result);
}

#endif
