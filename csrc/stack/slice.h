/* A slice of the C stack that has been set aside. */
#ifndef OHWAIT_STACK_SLICE_H
#define OHWAIT_STACK_SLICE_H

#include "stack/image.h"

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

    ohw_image image;                    /* which parts of the C stack are among the copies */
    size_t skew;                        /* of the copies in bytes[]: as aligned as the C stack itself */
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
    int calls, c_calls, deallocations;  /* given back to the thread */
    int host_depth;                     /* as the host's frame says; negative: only E1 knows */
    int host_slots;                     /* copied of its value stack: all */
    ohw_disguise disguise;

    py_word bytes[];                    /* copies: C stack, data stack, host's value stack */
};

/* To copy between places that differ in this takes more than twice the time. */
enum { OHW_SLICE_ALIGNMENT = 64 };

static inline size_t ohw_slice_stack_bytes(const ohw_slice *slice) { return slice->end - (uintptr_t)slice->place; }

static inline char *ohw_slice_stack(const ohw_slice *slice) { return (char *)slice->bytes + slice->skew; }

static inline char *ohw_slice_data(const ohw_slice *slice)
{
    return ohw_slice_stack(slice) + slice->image.bytes;
}

/* From where E1's frame was, entry frame and above, to its copy. */
static inline ptrdiff_t ohw_slice_distance(const ohw_slice *slice)
{
    return ohw_slice_data(slice) - (char *)slice->end;
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
        return (py_frame *)(ohw_slice_stack(slice) + ohw_image_offset(&slice->image, offset));
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
    if (offset < slice->image.bytes) {
        return (py_frame *)((char *)slice->place + ohw_image_origin(&slice->image, offset));
    }
    offset -= slice->image.bytes;
    for (int i = 0; i < slice->data.ranges; i++) {
        py_range range = slice->data.copied[i];
        if (offset < range.bytes) {
            return (py_frame *)(range.start + offset);
        }
        offset -= range.bytes;
    }
    return copy;
}

/* For `image` (stolen on success), of the stack from `place` on, and `further` bytes.  NULL with MemoryError. */
ohw_slice *ohw_slice_allocate(ohw_place *place, const ohw_image *image, size_t further);
void ohw_slice_release(ohw_slice *slice);           /* its memory; runs no Python code */

#endif
#endif
