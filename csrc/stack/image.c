#include "stack/image.h"

#if OHW_ARCH_KNOWN

#include <assert.h>

enum { BLOCKS = 64, LEAST_SHIFT = 6, PATTERNS = 16 };
static ohw_pattern *patterns[PATTERNS];     /* Owned; by size */

static void free_unused(ohw_pattern *pattern)
{
    if (pattern->images == 0 && !pattern->listed) {
        PyMem_RawFree(pattern);
    }
}

static void list(ohw_pattern **known, ohw_pattern *pattern)
{
    ohw_pattern *old = *known;
    *known = pattern;
    if (old != NULL) {
        old->listed = false;
        free_unused(old);
    }
}

void ohw_image_drop(ohw_image *image)
{
    ohw_pattern *pattern = image->pattern;
    if (pattern != NULL) {
        image->pattern = NULL;
        if (--pattern->images == 0) {
            ohw_stack_count.bytes -= (Py_ssize_t)pattern->bytes;
        }
        free_unused(pattern);
    }
}

void ohw_image_forget_patterns(void)
{
    for (int i = 0; i < PATTERNS; i++) {
        list(&patterns[i], NULL);
    }
}

/* ---- planning ---- */

typedef struct {
    const char *place;
    size_t bytes;
    int shift, blocks;
    uint64_t needed;            /* blocks that must be kept */
} outline;

static uint64_t blocks_up_to(int last) { return last == BLOCKS - 1 ? UINT64_MAX : ((uint64_t)1 << (last + 1)) - 1; }

/* What is at `address`, if that is in the stack. */
static void need(outline *o, const void *address, size_t bytes)
{
    size_t start = (size_t)((const char *)address - o->place);
    if (start >= o->bytes) {
        return;
    }
    size_t end = start + bytes > o->bytes ? o->bytes : start + bytes;
    uint64_t before = ((uint64_t)1 << (start >> o->shift)) - 1;
    o->needed |= blocks_up_to((int)((end - 1) >> o->shift)) & ~before;
}

static outline outline_of(const ohw_exit *exit, const py_frame *door)
{
    enum { BEHIND_FRAME = 2 * sizeof(py_word), LISTED_LOOP = 4 * sizeof(py_word) };
    outline o = {.place = (const char *)exit->place, .bytes = exit->caller.cfa - (uintptr_t)exit->place};
    for (o.shift = LEAST_SHIFT; ((o.bytes - 1) >> o.shift) >= BLOCKS; o.shift++) {
    }
    o.blocks = (int)((o.bytes - 1) >> o.shift) + 1;
    for (const py_frame *frame = door; ; frame = py_link(frame)) {
        need(&o, frame, sizeof(py_frame) + BEHIND_FRAME);
        if (frame == exit->outermost) {
            break;
        }
    }
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        need(&o, (const void *)exit->caller.where[i], sizeof(uintptr_t));
    }
    need(&o, (const void *)exit->caller.pc_where, o.bytes);
    need(&o, exit->loops.innermost, LISTED_LOOP);   /* its current frame will be the door */
    if (exit->loops.entry != NULL) {
        need(&o, exit->loops.entry, o.bytes);
    }
    if (exit->loops.outermost != NULL) {
        need(&o, exit->loops.outermost, o.bytes);
    }
    need(&o, o.place + o.bytes - 1, 1);
    return o;
}

static size_t bytes_of_block(const outline *o, int block)
{
    size_t start = (size_t)block << o->shift, whole = (size_t)1 << o->shift;
    return o->bytes - start < whole ? o->bytes - start : whole;
}

static uint64_t differing(const outline *o, const ohw_pattern *pattern)
{
    uint64_t kept = o->needed;
    for (int i = 0; i < o->blocks; i++) {
        size_t start = (size_t)i << o->shift;
        if (!(kept >> i & 1) && memcmp(pattern->stack + start, o->place + start, bytes_of_block(o, i)) != 0) {
            kept |= (uint64_t)1 << i;
        }
    }
    return kept;
}

static bool worth_it(const outline *o, uint64_t kept) { return 4 * __builtin_popcountll(kept) <= 3 * o->blocks; }

static ohw_pattern *new_pattern(const outline *o)
{
    ohw_pattern *pattern = PyMem_RawMalloc(sizeof(ohw_pattern) + o->bytes);
    if (pattern != NULL) {
        pattern->images = 0;
        pattern->listed = true;
        pattern->bytes = o->bytes;
        memcpy(pattern->stack, o->place, o->bytes);
    }
    return pattern;
}

ohw_image ohw_image_plan(const ohw_exit *exit, const py_frame *door)
{
    ohw_image image = {.bytes = exit->caller.cfa - (uintptr_t)exit->place};
    if (ohw_stack_count.alive < OHW_WHOLE_IMAGES) {
        return image;
    }
    outline o = outline_of(exit, door);
    ohw_pattern **known = &patterns[o.bytes / sizeof(py_word) % PATTERNS];
    uint64_t kept = *known != NULL && (*known)->bytes == o.bytes ? differing(&o, *known) : UINT64_MAX;
    if (!worth_it(&o, kept) && worth_it(&o, o.needed)) {
        ohw_pattern *pattern = new_pattern(&o);
        if (pattern == NULL) {
            return image;
        }
        list(known, pattern);
        kept = o.needed;
    }
    if (worth_it(&o, kept)) {
        image.pattern = *known;
        if (image.pattern->images++ == 0) {
            ohw_stack_count.bytes += (Py_ssize_t)image.pattern->bytes;
        }
        image.kept = kept;
        image.shift = o.shift;
        size_t whole = (size_t)__builtin_popcountll(kept) << o.shift;
        image.bytes = whole - (((size_t)o.blocks << o.shift) - o.bytes);
    }
    return image;
}

/* ---- copying ---- */

void ohw_image_take(const ohw_image *image, char *copies, const char *place, size_t bytes)
{
    if (image->pattern == NULL) {
        memcpy(copies, place, bytes);
        return;
    }
    size_t whole = (size_t)1 << image->shift;
    for (size_t start = 0; start < bytes; start += whole) {
        size_t part = bytes - start < whole ? bytes - start : whole;
        if (image->kept >> (start >> image->shift) & 1) {
            memcpy(copies, place + start, part);
            copies += part;
        }
        else {
            assert(memcmp(image->pattern->stack + start, place + start, part) == 0);
        }
    }
}

void ohw_image_put(const ohw_image *image, char *place, const char *copies, size_t bytes)
{
    if (image->pattern == NULL) {
        memcpy(place, copies, bytes);
        return;
    }
    size_t whole = (size_t)1 << image->shift;
    memcpy(place, image->pattern->stack, bytes);
    for (uint64_t left = image->kept; left != 0; left &= left - 1) {
        size_t start = (size_t)__builtin_ctzll(left) << image->shift;
        size_t part = bytes - start < whole ? bytes - start : whole;
        memcpy(place + start, copies, part);
        copies += part;
    }
}

#endif
