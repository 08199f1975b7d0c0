/* What the resuming code has at the addresses that a slice needs, moved out of the way while the slice runs there. */
#ifndef OHWAIT_STACK_PAD_H
#define OHWAIT_STACK_PAD_H

#include "stack/slice.h"

#if OHW_ARCH_KNOWN

typedef struct {
    ohw_pad_record pad;                 /* first: ohw_arch_pad finds it in a register of E1's caller */
    PyThreadState *thread;
    ohw_registers caller;               /* E3's */
    py_frame *lowest;                   /* the frame in E3 */
    py_frame *below;                    /* Python frame of E3's caller, where it belongs */
    void *outer;                        /* and its loop, where the interpreter lists them */
    char *evicted;                      /* C stack from here on, `evicted_bytes` of it in bytes[], and a margin: what */
    size_t evicted_bytes;               /* begins in it may reach beyond, into what stays where it is */
    bool rings;                         /* the collector's lists may begin in it (rings.c) */
    py_data_displaced displaced;        /* the data stack; its parked part follows in bytes[] */
    py_data_aside data;                 /* the slice's; pinned while the slice runs on a chunk that is nobody else's */
    char bytes[];
} ohw_resumer;

enum { OHW_EVICTED_MARGIN = 256 };

static inline char *ohw_parked(ohw_resumer *resumer)
{
    return resumer->bytes + (resumer->evicted_bytes == 0 ? 0 : resumer->evicted_bytes + OHW_EVICTED_MARGIN);
}

/* Where an object of the resuming code is now. */
static inline void *ohw_evicted(ohw_resumer *resumer, void *object)
{
    size_t offset = (size_t)((char *)object - resumer->evicted);
    if (offset < resumer->evicted_bytes) {
        return resumer->bytes + offset;
    }
    offset = (size_t)((char *)object - resumer->displaced.parked);
    if (offset < resumer->displaced.bytes) {
        return ohw_parked(resumer) + offset;
    }
    return object;
}

/* NULL with MemoryError.  `slice_end`: upper end of the slice. */
ohw_resumer *ohw_resumer_new(PyThreadState *ts, const ohw_slice *slice, const ohw_exit *exit,
                             const py_data_displaced *displaced);
/* Copies what is in the way and leads all links to the copies.  Cannot fail. */
void ohw_resumer_evict(ohw_resumer *resumer);

#endif
#endif
