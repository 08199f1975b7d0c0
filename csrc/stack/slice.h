/* A slice of the C stack that has been set aside. */
#ifndef OHWAIT_STACK_SLICE_H
#define OHWAIT_STACK_SLICE_H

#include "stack/stack.h"

#if OHW_ARCH_KNOWN

/* What stands in for the return address of E3's caller when E3 has declined (decline.c). */
typedef struct {
    ohw_pad_record pad;                 /* first: ohw_arch_pad finds it */
    ohw_registers caller;               /* of E3's caller */
    py_pretence pretence;
    PyObject *owner;                    /* Owned: what this lies in; NULL: a slice */
} ohw_disguise;

struct ohw_slice {
    size_t size;                        /* bytes allocated, this struct included */
    PyThreadState *thread;              /* Borrowed: compared only */
    uint64_t thread_number;
    PyObject *greenlet;                 /* Owned: weak reference to the one that was running; NULL: no greenlets then */

    ohw_place *place;                   /* the C stack: [place, end), where it was */
    uintptr_t end;
    uintptr_t where[OHW_ARCH_SAVED];    /* in it: what E1's caller will find in the callee-saved registers */
    uintptr_t pc_where;                 /* in it: where E1 returns to */
    bool pc_signed;
    py_loops loops;

    py_frame *door, *outermost;         /* innermost and outermost frame, where they were */
    py_frame *below;                    /* what the outermost one is linked to */
    py_data_aside data;

    py_contexts contexts;               /* Owned */
    int calls, c_calls;                 /* given back to the thread */
    int host_depth;                     /* as the host's frame says; negative: only E1 knows */
    int host_slots;                     /* copied of its value stack: all */
    ohw_disguise disguise;

    py_word bytes[];                    /* copies: C stack, data stack, host's value stack */
};

static inline size_t ohw_slice_stack_bytes(const ohw_slice *slice) { return slice->end - (uintptr_t)slice->place; }

static inline char *ohw_slice_stack(const ohw_slice *slice) { return (char *)slice->bytes; }

static inline char *ohw_slice_data(const ohw_slice *slice)
{
    return (char *)slice->bytes + ohw_slice_stack_bytes(slice);
}

static inline size_t ohw_data_bytes(const py_data_aside *data)
{
    size_t bytes = 0;
    for (int i = 0; i < data->ranges; i++) {
        bytes += data->copied[i].bytes;
    }
    return bytes;
}

static inline py_word *ohw_slice_host_stack(const ohw_slice *slice)
{
    return (py_word *)(ohw_slice_data(slice) + ohw_data_bytes(&slice->data));
}

/* Where the copy of a frame is, or the frame itself if it has stayed where it was. */
static inline py_frame *ohw_copy_of(const ohw_slice *slice, py_frame *frame)
{
    size_t offset = (size_t)((char *)frame - (char *)slice->place);
    char *copies = ohw_slice_data(slice);
    if (offset < ohw_slice_stack_bytes(slice)) {
        return (py_frame *)(ohw_slice_stack(slice) + offset);
    }
    for (int i = 0; i < slice->data.ranges; i++) {
        py_range range = slice->data.copied[i];
        offset = (size_t)((char *)frame - range.start);
        if (offset < range.bytes) {
            return (py_frame *)(copies + offset);
        }
        copies += range.bytes;
    }
    return frame;
}

/* And the other way round. */
static inline py_frame *ohw_original_of(const ohw_slice *slice, py_frame *copy)
{
    size_t offset = (size_t)((char *)copy - ohw_slice_stack(slice));
    if (offset < ohw_slice_stack_bytes(slice)) {
        return (py_frame *)((char *)slice->place + offset);
    }
    offset -= ohw_slice_stack_bytes(slice);
    for (int i = 0; i < slice->data.ranges; i++) {
        py_range range = slice->data.copied[i];
        if (offset < range.bytes) {
            return (py_frame *)(range.start + offset);
        }
        offset -= range.bytes;
    }
    return copy;
}

ohw_slice *ohw_slice_allocate(size_t bytes);        /* NULL with MemoryError */
void ohw_slice_release(ohw_slice *slice);           /* its memory; runs no Python code */

#endif
#endif
