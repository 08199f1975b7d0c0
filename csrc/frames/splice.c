/* Put the chain's frames back on the thread, between the host and _resume. */
#include "check.h"
#include "frames/frames.h"

enum { SPARE_CALLS = 2 };       /* for the call of _resume */

/* The last frames that were spliced: they are likely to be the next that are lifted. */
static struct {
    const py_frame *host, *room;
    uint16_t times;
} last;

uint16_t ohw_repeats(const ohw_walk *walk)
{
    return walk->host == last.host && walk->room == last.room ? last.times : 0;
}

/* Frames that a host calls anew each time cannot be told from those that go on suspending, as they lie at the same place.
 * They waste their chunk (a system call or two): each time it is not kept, the host has to wait longer for the next. */
enum { DOUBTS = 64, LESS_OFTEN = 8, PATIENCE = 1 << 13 };
static struct { const py_frame *host; uint16_t patience; } doubts[DOUBTS];

static unsigned doubt_about(const py_frame *host) { return (uintptr_t)host / 64 % DOUBTS; }

void ohw_chunk_was_kept(const py_frame *host)
{
    unsigned entry = doubt_about(host);
    if (doubts[entry].host == host) {
        doubts[entry].host = NULL;
    }
}

void ohw_forget_repeats(void)
{
    memset(doubts, 0, sizeof doubts);
    last.host = NULL;
}

static bool deserves_chunk(const ohw_lifted *lifted)
{
    unsigned entry = doubt_about(lifted->host);
    bool doubted = doubts[entry].host == lifted->host;
    uint16_t patience = doubted ? doubts[entry].patience : OHW_REPEATS_FOR_CHUNK;
    if (lifted->size == 0 || lifted->repeats < patience) {
        return false;
    }
    doubts[entry].host = lifted->host;
    doubts[entry].patience = patience < PATIENCE ? patience * LESS_OFTEN : PATIENCE;
    return true;
}

/* From the end of the awaitable to ohw_splice, where nothing else runs. */
static struct {
    bool on;
    py_quiet saved;
} quiet;

void ohw_go_quiet(PyThreadState *ts)
{
    if (!quiet.on) {
        quiet.saved = py_enter_quiet(ts);
        quiet.on = true;
    }
}

void ohw_end_quiet(PyThreadState *ts)
{
    if (quiet.on) {
        py_leave_quiet(ts, quiet.saved);
        quiet.on = false;
    }
}

static py_frame *room_for(PyThreadState *ts, ohw_lifted *lifted)
{
    if (lifted->chunk != NULL) {
        return ohw_chunk_returns(ts, lifted) ? lifted->origin : NULL;
    }
    if (lifted->repeats >= OHW_REPEATS_FOR_CHUNK && ohw_count.chunks < OHW_CHUNKS && deserves_chunk(lifted)) {
        py_chunk *chunk = py_chunk_new(lifted->size);
        ohw_count.chunks_made += chunk != NULL;
        if (chunk != NULL && py_attach_chunk(ts, chunk, lifted->size)) {
            return py_chunk_start(chunk);
        }
        if (chunk != NULL) {
            py_chunk_free(chunk);
        }
    }
    return py_data_stack_push(ts, lifted->size, OHW_RESUME_FRAME_WORDS);
}

int ohw_reserve(PyThreadState *ts, ohw_lifted *lifted, py_word *words)
{
    assert(lifted->away && lifted->reserved == NULL);
    if (lifted->listeners != ohw_listeners_version(ts)) {
        ohw_wake(lifted, words);
        if (py_refresh_instrumentation(ts, lifted->home.code) < 0 ||
            ohw_let_listeners_in(ts, lifted->top, lifted->bottom) < 0) {
            ohw_end_quiet(ts);
            return -1;
        }
    }
    lifted->reserved = room_for(ts, lifted);
    if (lifted->reserved == NULL) {
        ohw_end_quiet(ts);
        PyErr_NoMemory();
        return -1;
    }
    py_add_recursion(ts, SPARE_CALLS);
    lifted->thread = ts;
    ohw_go_quiet(ts);
    return 0;
}

int ohw_reserve_call(PyThreadState *ts)
{
    if (py_data_stack_push(ts, 0, OHW_RESUME_FRAME_WORDS) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    py_add_recursion(ts, SPARE_CALLS);
    ohw_go_quiet(ts);
    return 0;
}

void ohw_release_call(PyThreadState *ts)
{
    ohw_end_quiet(ts);
    py_add_recursion(ts, -SPARE_CALLS);
}

/* The frames that rest come back to where they were. */
static void copy_frames_back(py_frame *resume, ohw_lifted *lifted, py_word *words)
{
    py_word *copies = words + lifted->parked;
    memcpy(lifted->origin, copies, lifted->alive * sizeof(py_word));
    py_set_caller(resume, (py_frame *)((char *)lifted->top + ((char *)lifted->origin - (char *)copies)));
}

static void move_frames_back(py_frame *resume, ohw_lifted *lifted, py_word *words)
{
    py_word *copies = words + lifted->parked;
    ptrdiff_t distance = (char *)lifted->reserved - (char *)copies;
    py_frame *above = resume;
    memcpy(lifted->reserved, copies, lifted->alive * sizeof(py_word));
    for (py_frame *frame = lifted->top, *next; frame != NULL; frame = next) {
        py_frame *live = frame;
        next = py_caller_beyond_c(frame);
        if (py_on_data_stack(frame)) {
            live = (py_frame *)((char *)frame + distance);
            py_moved(live, frame);
        }
        py_set_caller(above, live);
        above = live;
    }
    py_set_caller(above, lifted->host);
}

void ohw_splice(PyThreadState *ts, py_frame *resume, ohw_lifted *lifted, py_word *words)
{
    ohw_check_before_splice(ts, resume, lifted);
    ohw_end_quiet(ts);
    py_position at_landing = py_exchange_position(lifted->host, lifted->home);
    py_put_stack(lifted->host, words, (int)lifted->parked);
    if (lifted->chunk != NULL) {
        py_set_caller(resume, lifted->top);
        py_set_caller(lifted->bottom, lifted->host);
        lifted->chunk = NULL;
    }
    else if (lifted->resting && lifted->reserved == lifted->origin) {
        copy_frames_back(resume, lifted, words);
        lifted->resting = false;
    }
    else {
        ohw_wake(lifted, words);
        move_frames_back(resume, lifted, words);
    }
    py_set_exception_state(ts, lifted->exception_state);
    py_add_recursion(ts, -lifted->frames - SPARE_CALLS);
    last.host = lifted->host;
    last.room = lifted->reserved;
    lifted->home.code = NULL;
    lifted->top = lifted->bottom = lifted->reserved = NULL;
    lifted->parked = 0;
    lifted->away = false;
    last.times = lifted->repeats < UINT16_MAX ? lifted->repeats + 1 : lifted->repeats;
    ohw_count.spliced++;
    ohw_check_spliced(ts, resume, lifted);
    Py_DECREF(at_landing.code);     /* never the last reference: the host's code keeps its landings */
}
