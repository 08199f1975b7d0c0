/* Memory of slices, and what the collector sees of them. */
#include "stack/slice.h"

ohw_stack_counters ohw_stack_count;

#if OHW_ARCH_KNOWN

/* Slices are as large as the C code in them needs, mostly 1 to 6 KiB: a few are kept for the next ones. */
enum { GRAIN = 64, SPARES = 16 };
static ohw_slice *spares[SPARES];
static int spare_count;

ohw_slice *ohw_slice_allocate(ohw_place *place, const ohw_image *image, size_t further)
{
    size_t size = (sizeof(ohw_slice) + OHW_SLICE_ALIGNMENT + image->bytes + further + GRAIN - 1) / GRAIN * GRAIN;
    ohw_slice *slice = NULL;
    for (int i = spare_count; i-- > 0;) {
        if (spares[i]->size >= size && spares[i]->size <= size + size / 2) {
            slice = spares[i];
            spares[i] = spares[--spare_count];
            break;
        }
    }
    if (slice == NULL) {
        slice = PyMem_RawMalloc(size);
        if (slice == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        slice->size = size;
    }
    slice->place = place;
    slice->image = *image;
    slice->skew = ((uintptr_t)place - (uintptr_t)slice->bytes) % OHW_SLICE_ALIGNMENT;
    ohw_stack_count.alive++;
    ohw_stack_count.bytes += (Py_ssize_t)slice->size;
    return slice;
}

void ohw_slice_release(ohw_slice *slice)
{
    ohw_image_drop(&slice->image);
    ohw_stack_count.alive--;
    ohw_stack_count.bytes -= (Py_ssize_t)slice->size;
    if (spare_count < SPARES) {
        spares[spare_count++] = slice;
    }
    else {
        PyMem_RawFree(slice);
    }
}

void ohw_stack_free_spares(void)
{
    while (spare_count > 0) {
        PyMem_RawFree(spares[--spare_count]);
    }
    ohw_image_forget_patterns();
}

/* The frames themselves are shown by ohw_visit_lifted.  What C code holds is not known, nor how much of the host's value
 * stack is in use where only its loop knows: the collector takes such objects for used. */
int ohw_visit_slice(const ohw_slice *slice, visitproc visit, void *arg)
{
    int known = slice->host_depth < 0 || slice->host_depth > slice->host_slots ? 0 : slice->host_depth;
    Py_VISIT(slice->contexts.top);
    return py_visit_words(ohw_slice_host_stack(slice), known, visit, arg);
}

void ohw_slice_lose(ohw_slice *slice, ohw_lifted *lifted)
{
    lifted->away = false;       /* the copies of its frames stay where they are */
    (void)slice;
    ohw_stack_count.lost++;
}

#else

int ohw_visit_slice(const ohw_slice *slice, visitproc visit, void *arg) { (void)slice, (void)visit, (void)arg; return 0; }

void ohw_slice_lose(ohw_slice *slice, ohw_lifted *lifted) { (void)slice, (void)lifted; }

void ohw_stack_free_spares(void) {}

int ohw_report_awaiters(PyThreadState *ts, const ohw_exit *exit, py_frame *host, PyObject *value)
{
    (void)ts, (void)exit, (void)host, (void)value;
    return 0;
}

#endif
