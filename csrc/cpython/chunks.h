/* The data stack's part of setting a C stack aside: frames on it must come back to the very same addresses, as C code
 * that waits with them points at them.
 *
 * From the lowest of the frames up, the data stack is theirs.  Chunks that they have to themselves are taken off the
 * thread as they are; what they have of a chunk that is shared with frames below is copied, and that chunk is pinned: it
 * is kept where it is even when the thread gives it back meanwhile.  (Python/pystate.c, push_chunk and PopFrame.)
 */
#ifndef OHWAIT_CPYTHON_CHUNKS_H
#define OHWAIT_CPYTHON_CHUNKS_H

/* ---- pinned chunks ---- */

typedef struct {
    _PyStackChunk *chunk;
    size_t size;                /* its true size: while pinned it looks too small to be used again */
    int pins;
    bool given_back;            /* by the thread; it is ours to free */
} py_pinned;

typedef struct {
    py_pinned *chunks;
    size_t count, capacity;
    PyObjectArenaAllocator below;       /* CPython's own, which ours asks */
    bool installed;
} py_pin_table;

extern py_pin_table ohw_pins;           /* pins.c */
void *ohw_pins_alloc(void *table, size_t bytes);
void ohw_pins_free(void *table, void *memory, size_t bytes);

static inline py_pinned *py_find_pinned(const void *chunk)
{
    for (size_t i = 0; i < ohw_pins.count; i++) {
        if (ohw_pins.chunks[i].chunk == chunk) {
            return &ohw_pins.chunks[i];
        }
    }
    return NULL;
}

static inline size_t py_chunk_size(const _PyStackChunk *chunk)
{
    const py_pinned *pinned = PY_HAS_CACHED_CHUNK ? py_find_pinned(chunk) : NULL;
    return pinned != NULL ? pinned->size : chunk->size;
}

/* Gives `memory` back later if it is pinned. */
static inline bool py_defer_free(void *memory)
{
    py_pinned *pinned = py_find_pinned(memory);
    if (pinned != NULL) {
        pinned->given_back = true;
    }
    return pinned != NULL;
}

static inline int py_pin(_PyStackChunk *chunk)
{
    enum { LEAST = 64 };
    py_pinned *pinned = py_find_pinned(chunk);
    if (pinned != NULL) {
        pinned->pins++;
        return 0;
    }
    if (ohw_pins.count == ohw_pins.capacity) {
        size_t capacity = 2 * ohw_pins.capacity + 16;
        py_pinned *chunks = PyMem_RawRealloc(ohw_pins.chunks, capacity * sizeof(py_pinned));
        if (chunks == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        ohw_pins.chunks = chunks;
        ohw_pins.capacity = capacity;
    }
    if (!ohw_pins.installed) {
        PyObjectArenaAllocator ours = {&ohw_pins, ohw_pins_alloc, ohw_pins_free};
        PyObject_GetArenaAllocator(&ohw_pins.below);
        PyObject_SetArenaAllocator(&ours);
        ohw_pins.installed = true;
    }
    ohw_pins.chunks[ohw_pins.count++] = (py_pinned){chunk, chunk->size, 1, false};
    if (PY_HAS_CACHED_CHUNK) {
        chunk->size = LEAST;    /* the thread keeps one free chunk and hands it out again: not this one */
    }
    return 0;
}

static inline void py_unpin(_PyStackChunk *chunk)
{
    py_pinned *pinned = py_find_pinned(chunk);
    if (--pinned->pins > 0) {
        return;
    }
    py_pinned last = *pinned;
    *pinned = ohw_pins.chunks[--ohw_pins.count];
    chunk->size = last.size;
    if (last.given_back) {
        ohw_pins.below.free(ohw_pins.below.ctx, chunk, last.size);
    }
}

/* ---- setting aside ---- */

/* Of `chunk`, which ends at `top`: others have their place in it too. */
static inline void py_add_range(py_data_aside *aside, _PyStackChunk *chunk, PyObject **top)
{
    if (py_find_pinned(chunk) == NULL) {
        return;
    }
    if (aside->ranges == 0 || aside->ranges == PY_MAX_RANGES) {
        aside->ranges = 0;
        return;
    }
    char *start = (char *)&chunk->data[0];
    aside->copied[aside->ranges++] = (py_range){start, (size_t)((char *)top - start)};
}

static inline void py_measure_data(PyThreadState *ts, const py_frame *lowest, py_data_aside *aside)
{
    *aside = (py_data_aside){.ranges = 1, .top = ts->datastack_top};
    _PyStackChunk *chunk = ts->datastack_chunk;
    PyObject **top = ts->datastack_top;
    bool inside = false;
    while (!inside) {
        inside = (char *)lowest >= (char *)chunk->data && (char *)lowest < (char *)chunk + py_chunk_size(chunk);
        if (!inside || (PyObject **)lowest == &chunk->data[0]) {    /* the whole chunk is theirs */
            aside->own_top = ts->datastack_chunk;
            aside->own_bottom = chunk;
            py_add_range(aside, chunk, top);
            chunk = chunk->previous;
            top = &chunk->data[chunk->top];
        }
    }
    bool own = aside->own_bottom != NULL && (PyObject **)lowest == &((_PyStackChunk *)aside->own_bottom)->data[0];
    char *start = own ? (char *)top : (char *)lowest;
    aside->copied[0] = (py_range){start, (size_t)((char *)top - start)};
    aside->shared = chunk;
}

static inline int py_pin_data(py_data_aside *aside)
{
    if (aside->copied[0].bytes == 0 || ((_PyStackChunk *)aside->shared)->previous == NULL) {
        return 0;       /* the first chunk of a thread lives as long as the thread */
    }
    aside->pinned = true;
    return py_pin(aside->shared);
}

static inline void py_unpin_data(py_data_aside *aside)
{
    if (aside->pinned) {
        aside->pinned = false;
        py_unpin(aside->shared);
    }
}

static inline void py_set_data_aside(PyThreadState *ts, const py_data_aside *aside, char *copies)
{
    _PyStackChunk *shared = aside->shared;
    for (int i = 0; i < aside->ranges; i++) {
        memcpy(copies, aside->copied[i].start, aside->copied[i].bytes);
        copies += aside->copied[i].bytes;
    }
    ts->datastack_chunk = shared;
    ts->datastack_limit = (PyObject **)((char *)shared + py_chunk_size(shared));
    ts->datastack_top = (PyObject **)aside->copied[0].start;
}

/* ---- coming back ---- */

static inline bool py_in_use(PyThreadState *ts, const void *chunk)
{
    const _PyStackChunk *used = ts->datastack_chunk;
    while (used != NULL && used != chunk) {
        used = used->previous;
    }
    return used != NULL;
}

static inline const char *py_find_room(PyThreadState *ts, const py_data_aside *aside, py_data_displaced *displaced)
{
    _PyStackChunk *shared = aside->shared;
    py_range range = aside->copied[0];
    *displaced = (py_data_displaced){.chunk = ts->datastack_chunk, .top = ts->datastack_top,
                                     .limit = ts->datastack_limit};
    for (_PyStackChunk *own = aside->own_top; own != NULL; own = own == aside->own_bottom ? NULL : own->previous) {
        if (py_in_use(ts, own)) {
            return "its part of the thread's data stack is in use";
        }
    }
    if (range.bytes == 0) {
        return NULL;
    }
    if (py_in_use(ts, shared)) {
        bool on_top = shared == ts->datastack_chunk;
        char *top = (char *)(on_top ? ts->datastack_top : &shared->data[shared->top]);
        displaced->in_place = on_top && top == range.start;
        if (top > range.start) {
            displaced->parked = range.start;
            displaced->bytes = (size_t)(top - range.start);
        }
        return NULL;
    }
    displaced->orphan = true;       /* given back, or set aside by somebody who has made a copy */
    return py_find_pinned(shared) == NULL ? "its part of the thread's data stack has been given away" : NULL;
}

/* A frame of the resuming code may lie across the start of the room: then it is parked as a whole. */
static inline void py_park_whole_frames(const py_frame *top, const py_data_aside *aside, py_data_displaced *displaced)
{
    const char *chunk = (const char *)aside->shared;
    for (const py_frame *frame = top; displaced->bytes > 0 && frame != NULL; frame = frame->previous) {
        const char *start = (const char *)frame;
        if (py_on_data_stack(frame) && start >= chunk && start < aside->copied[0].start) {
            if (start + py_frame_size(frame) * sizeof(py_word) > aside->copied[0].start) {
                displaced->bytes += (size_t)(displaced->parked - start);
                displaced->parked = (char *)start;
            }
            return;
        }
    }
}

static inline void py_bring_data_back(PyThreadState *ts, const py_data_aside *aside, py_data_displaced *displaced)
{
    _PyStackChunk *shared = aside->shared;
    if (aside->copied[0].bytes > 0) {
        _PyStackChunk *top = ts->datastack_chunk;
        displaced->shared_top = shared->top;
        displaced->shared_previous = shared->previous;
#if PY_HAS_CACHED_CHUNK
        if (displaced->orphan && ts->datastack_cached_chunk == shared) {
            ts->datastack_cached_chunk = NULL;
            py_find_pinned(shared)->given_back = true;
        }
#endif
        if (displaced->orphan) {        /* on top of the others */
            top->top = (size_t)(ts->datastack_top - &top->data[0]);
            shared->previous = top;
        }
        ts->datastack_chunk = shared;
        ts->datastack_limit = (PyObject **)((char *)shared + py_chunk_size(shared));
        ts->datastack_top = (PyObject **)(aside->copied[0].start + aside->copied[0].bytes);
    }
    if (aside->own_top != NULL) {
        _PyStackChunk *below = ts->datastack_chunk, *bottom = aside->own_bottom, *top = aside->own_top;
        below->top = (size_t)(ts->datastack_top - &below->data[0]);
        bottom->previous = below;
        ts->datastack_chunk = top;
        ts->datastack_top = aside->top;
        ts->datastack_limit = (PyObject **)((char *)top + py_chunk_size(top));
    }
}

/* They have gone again: the data stack is what it was. */
static inline void py_undo_bring_back(PyThreadState *ts, const py_data_displaced *displaced, void *shared)
{
    if (shared != NULL) {
        ((_PyStackChunk *)shared)->top = displaced->shared_top;
        ((_PyStackChunk *)shared)->previous = displaced->shared_previous;
    }
    ts->datastack_chunk = displaced->chunk;
    ts->datastack_top = displaced->top;
    ts->datastack_limit = displaced->limit;
}

#endif
