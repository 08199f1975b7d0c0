/* Take the chain's frames off the thread and own them until they are spliced or dropped. */
#include "check.h"
#include "frames/frames.h"

ohw_extent ohw_measure(PyThreadState *ts, const py_frame *door, const ohw_walk *walk)
{
    ohw_extent extent = {0, 0, true, NULL};
    if (walk->room == NULL) {
        return extent;
    }
    extent.chunk = ohw_count.chunks < OHW_CHUNKS ? py_own_chunk(ts, walk->room, OHW_RESUME_FRAME_WORDS) : NULL;
    extent.one_block = py_in_top_chunk(ts, walk->room);
    if (extent.one_block) {
        extent.size = (size_t)((const py_word *)door - (const py_word *)walk->room);
    }
    for (py_frame *frame = walk->top; !extent.one_block && frame != walk->host; frame = py_caller(frame)) {
        extent.size += py_on_data_stack(frame) ? py_frame_size(frame) : 0;
    }
    if (extent.chunk != NULL) {
        return extent;      /* nothing is copied */
    }
    extent.alive = extent.size;
    if (py_on_data_stack(walk->top)) {
        extent.alive -= py_frame_size(walk->top) - py_frame_used(walk->top);
    }
    return extent;
}

/* They stay in their chunk, which leaves the thread when the door has gone. */
static void keep_frames(const ohw_walk *walk, ohw_extent extent, ohw_lifted *lifted)
{
    if (py_on_data_stack(walk->bottom)) {
        py_make_self_contained(walk->bottom);
    }
    py_set_caller(walk->bottom, NULL);
    lifted->top = walk->top;
    lifted->bottom = walk->bottom;
    lifted->chunk = extent.chunk;
    ohw_count.chunks++;
    ohw_chunk_was_kept(walk->host);
}

/* Whether plain copies will do: at the moment of the lift, as frame objects may have been made while the source ran. */
static bool may_rest(const ohw_walk *walk, ohw_extent extent)
{
    bool unknown = extent.one_block && walk->bottom != NULL;
    for (int i = 0; unknown && i < walk->frames && i < OHW_NOTED; i++) {
        unknown = py_is_unknown(walk->noted[i]);
    }
    if (unknown && walk->frames > OHW_NOTED) {
        for (py_frame *frame = py_caller(walk->noted[OHW_NOTED - 1]); unknown && frame != walk->host; frame = py_caller(frame)) {
            unknown = py_is_unknown(frame);
        }
    }
    return unknown;
}

/* Copy the frames as they lie on the data stack, and nothing else: they rest. */
static void copy_frames(const ohw_walk *walk, ohw_extent extent, ohw_lifted *lifted, py_word *words)
{
    ptrdiff_t distance = (char *)words - (char *)walk->room;
    py_make_self_contained(walk->bottom);       /* the others borrow from frames that come along */
    memcpy(words, walk->room, extent.alive * sizeof(py_word));
    lifted->top = (py_frame *)((char *)walk->top + distance);
    lifted->bottom = (py_frame *)((char *)walk->bottom + distance);
    lifted->resting = true;
}

void ohw_wake(ohw_lifted *lifted, py_word *words)
{
    if (!lifted->resting) {
        return;
    }
    ptrdiff_t distance = (char *)(words + lifted->parked) - (char *)lifted->origin;
    lifted->resting = false;
    for (py_frame *frame = lifted->top, *next;; frame = next) {
        py_moved(frame, (py_frame *)((char *)frame - distance));
        if (frame == lifted->bottom) {
            py_set_caller(frame, NULL);
            return;
        }
        next = (py_frame *)((char *)py_noted_caller(frame) + distance);
        py_set_caller(frame, next);
    }
}

/* Copy the frames, from the innermost down, to `words` as they lie on the data stack; the copies take their place:
 * whoever points at a frame follows. */
static void move_frames(const ohw_walk *walk, ohw_extent extent, ohw_lifted *lifted, py_word *words)
{
    ptrdiff_t distance = (char *)words - (char *)walk->room;
    py_word *end = words + extent.size;
    py_frame *above = NULL;
    if (extent.one_block) {
        memcpy(words, walk->room, extent.alive * sizeof(py_word));
    }
    for (py_frame *frame = walk->top, *next; frame != walk->host; frame = next) {
        py_frame *copy = frame;
        next = py_caller(frame);
        if (py_on_data_stack(frame)) {
            if (extent.one_block) {
                copy = (py_frame *)((char *)frame + distance);
            }
            else {
                end -= py_frame_size(frame);
                copy = (py_frame *)end;
                memcpy(copy, frame, py_frame_used(frame) * sizeof(py_word));
            }
            py_moved(copy, frame);
        }
        if (above == NULL) {
            lifted->top = copy;
        }
        else {
            py_set_caller(above, copy);
        }
        above = copy;
    }
    lifted->bottom = above;
    if (above != NULL) {
        py_set_caller(above, NULL);
        if (py_on_data_stack(above)) {
            py_make_self_contained(above);      /* the others borrow from frames that come along */
        }
    }
}

void ohw_lift(PyThreadState *ts, py_frame *door, const ohw_walk *walk, ohw_extent extent, PyCodeObject *landing,
              ohw_lifted *lifted, py_word *words)
{
    py_frame *host = walk->host;
    ohw_check_before_lift(ts, door, walk, extent);
    lifted->host = host;
    lifted->thread = ts;
    lifted->top = lifted->bottom = lifted->reserved = NULL;
    lifted->resting = false;
    lifted->chunk = NULL;
    lifted->repeats = ohw_repeats(walk);
    lifted->origin = walk->room;
    lifted->has_room = walk->room != NULL;
    lifted->size = (uint32_t)extent.size;
    lifted->alive = (uint32_t)extent.alive;
    lifted->listeners = walk->listeners;
    lifted->frames = walk->frames;
    lifted->exception_state = py_exception_state(ts);
    lifted->parked = (uint32_t)py_stack_depth(host);
    py_take_stack(host, words, (int)lifted->parked);
    if (ohw_landing_is_prepared(host)) {
        py_word resume = py_word_of(Py_NewRef(ohw_resume_function));
        py_put_stack(host, &resume, 1);
    }
    if (extent.chunk != NULL) {
        keep_frames(walk, extent, lifted);
    }
    else if (may_rest(walk, extent)) {
        copy_frames(walk, extent, lifted, words + lifted->parked);
    }
    else {
        move_frames(walk, extent, lifted, words + lifted->parked);
    }
    py_set_exception_state(ts, py_generator_exception_state(py_generator(host)));
    py_add_recursion(ts, lifted->frames);
    py_forget_sampled_frames(ts, host);
    py_pacify_landing(ts, landing);
    py_position at_landing = {(PyCodeObject *)Py_NewRef(landing), py_instruction_at(landing, PY_LANDING_ENTRY_UNIT), 0};
    lifted->home = py_exchange_position(host, at_landing);
    py_set_caller(door, host);
    lifted->away = true;
    ohw_count.lifted++;
    ohw_check_lifted(lifted);
}

void ohw_give_back_room(ohw_lifted *lifted)
{
    if (lifted->has_room) {
        if (lifted->chunk != NULL) {
            py_detach_chunk(lifted->thread);
        }
        else {
            py_data_stack_pop(lifted->thread, lifted->origin);
        }
        lifted->has_room = false;
    }
}

/* Hosts that are attached, as many as calls are nested; mostly few.  One that could not be noted may be any host. */
static struct {
    const py_frame **hosts;
    int count, room, unknown;
} attached;

static bool make_room_for_attached(void)
{
    enum { FIRST = 64 };
    int room = attached.room == 0 ? FIRST : 2 * attached.room;
    const py_frame **hosts = PyMem_RawRealloc(attached.hosts, (size_t)room * sizeof *hosts);
    if (hosts != NULL) {
        attached.hosts = hosts;
        attached.room = room;
    }
    return hosts != NULL;
}

void ohw_note_attached(const py_frame *host)
{
    if (attached.count < attached.room || make_room_for_attached()) {
        attached.hosts[attached.count++] = host;
    }
    else {
        attached.unknown++;
    }
}

void ohw_forget_attached(const py_frame *host)
{
    for (int i = attached.count; i-- > 0;) {
        if (attached.hosts[i] == host) {
            attached.hosts[i] = attached.hosts[--attached.count];
            return;
        }
    }
    attached.unknown--;
}

bool ohw_is_attached(const py_frame *host)
{
    bool found = attached.unknown > 0;
    for (int i = 0; i < attached.count && !found; i++) {
        found = attached.hosts[i] == host;
    }
    return found;
}

bool ohw_chunk_returns(PyThreadState *ts, ohw_lifted *lifted)
{
    bool done = py_attach_chunk(ts, lifted->chunk, lifted->size);
    ohw_count.chunks -= done;
    return done;
}

ohw_attachment ohw_attach(PyThreadState *ts, ohw_lifted *lifted, py_word *words, PyObject *awaited)
{
    ohw_attachment before = {py_current(ts), py_exception_state(ts), false, false};
    if (!lifted->away) {
        return before;
    }
    if (before.current != lifted->host) {
        if (!PY_THROW_HIDES_HOST || !py_throws_into(lifted->host, awaited)) {
            return before;      /* driven by somebody else: the host may be resumed meanwhile */
        }
        before.host_linked = true;
        py_set_caller(lifted->host, before.current);
        py_set_current(ts, lifted->host);
    }
    before.host_runs = true;
    ohw_note_attached(lifted->host);
    ohw_wake(lifted, words);
    lifted->home = py_exchange_position(lifted->host, lifted->home);
    if (lifted->bottom != NULL) {
        py_set_caller(lifted->bottom, lifted->host);
        py_set_current(ts, lifted->top);
    }
    if (before.exception_state == py_generator_exception_state(py_generator(lifted->host))) {
        py_set_exception_state(ts, lifted->exception_state);
    }
    return before;
}

void ohw_detach(PyThreadState *ts, ohw_lifted *lifted, ohw_attachment before)
{
    if (!before.host_runs) {
        return;
    }
    ohw_forget_attached(lifted->host);
    if (lifted->bottom != NULL) {
        py_set_caller(lifted->bottom, NULL);
    }
    if (before.host_linked) {
        py_set_caller(lifted->host, NULL);
    }
    py_set_current(ts, before.current);
    py_set_exception_state(ts, before.exception_state);
    lifted->home = py_exchange_position(lifted->host, lifted->home);
    py_pacify_landing(ts, py_code(lifted->host));
}

int ohw_visit_lifted(ohw_lifted *lifted, py_word *words, visitproc visit, void *arg)
{
    if (!lifted->away) {
        return 0;
    }
    ohw_wake(lifted, words);
    Py_VISIT(lifted->home.code);
    for (py_frame *frame = lifted->top; frame != NULL; frame = py_caller_beyond_c(frame)) {
        if (py_on_data_stack(frame)) {
            int stop = py_visit_frame(frame, visit, arg);
            if (stop != 0) {
                return stop;
            }
        }
        if (frame == lifted->bottom) {
            break;
        }
    }
    return py_visit_words(words, (int)lifted->parked, visit, arg);
}

void ohw_drop_lifted(ohw_lifted *lifted, py_word *words)
{
    if (!lifted->away) {
        return;
    }
    ohw_wake(lifted, words);
    lifted->away = false;
    ohw_count.cleared++;
    for (py_frame *frame = lifted->top, *next; frame != NULL; frame = next) {
        next = frame == lifted->bottom ? NULL : py_caller_beyond_c(frame);
        py_drop_frame(frame);
    }
    lifted->top = lifted->bottom = NULL;
    py_drop_words(words, (int)lifted->parked);
    lifted->parked = 0;
    Py_CLEAR(lifted->home.code);
    if (lifted->chunk != NULL && lifted->reserved == NULL) {
        py_chunk_free(lifted->chunk);
        lifted->chunk = NULL;
        ohw_count.chunks--;
    }
}
