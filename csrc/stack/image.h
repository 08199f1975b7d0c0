/* What is kept of the C stack of a slice.
 *
 * A few slices are kept as they are.  Many that are away at once mostly wait in the same C functions, and a large part of
 * each is the same in all of them, variables that nobody has set yet not the least: `list.sort` has 4 KiB of those.  Of
 * further slices only the blocks are kept that differ from a pattern, an earlier one of the same size.
 */
#ifndef OHWAIT_STACK_IMAGE_H
#define OHWAIT_STACK_IMAGE_H

#include "stack/stack.h"

#if OHW_ARCH_KNOWN

#ifdef OHWAIT_CHECKED
enum { OHW_WHOLE_IMAGES = 1 };
#else
enum { OHW_WHOLE_IMAGES = 64 };
#endif

typedef struct {
    size_t images;              /* that have it */
    bool listed;                /* for further ones */
    size_t bytes;
    char stack[];
} ohw_pattern;

typedef struct {
    ohw_pattern *pattern;       /* Owned: has the blocks that are not kept; NULL: all are */
    uint64_t kept;              /* bit i: block i is */
    int shift;                  /* a block has 1 << shift bytes, the last one may have fewer, and is always kept */
    size_t bytes;               /* kept */
} ohw_image;

/* How to keep [exit->place, exit->caller.cfa): as a whole, or all that will be changed in the copy before it is put back
 * (frames from `door` down, what is saved for E1's caller, and E1 from its entry frame up) and what differs. */
ohw_image ohw_image_plan(const ohw_exit *exit, const py_frame *door);
void ohw_image_drop(ohw_image *image);
/* Copies `bytes` of stack from `place` to `copies`, and back. */
void ohw_image_take(const ohw_image *image, char *copies, const char *place, size_t bytes);
void ohw_image_put(const ohw_image *image, char *place, const char *copies, size_t bytes);
void ohw_image_forget_patterns(void);

/* Where among the copies that is which was at `offset` in the stack, if it is kept; and the other way round. */
static inline size_t ohw_image_offset(const ohw_image *image, size_t offset)
{
    if (image->pattern == NULL) {
        return offset;
    }
    size_t block = offset >> image->shift, within = offset & (((size_t)1 << image->shift) - 1);
    uint64_t below = image->kept & (((uint64_t)1 << block) - 1);
    return ((size_t)__builtin_popcountll(below) << image->shift) + within;
}

static inline size_t ohw_image_origin(const ohw_image *image, size_t offset)
{
    if (image->pattern == NULL) {
        return offset;
    }
    size_t number = offset >> image->shift, within = offset & (((size_t)1 << image->shift) - 1);
    uint64_t kept = image->kept;
    while (number-- > 0) {
        kept &= kept - 1;
    }
    return ((size_t)__builtin_ctzll(kept) << image->shift) + within;
}

#endif
#endif
