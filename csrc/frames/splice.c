/* Put the chain's frames back on the thread, between the host and _resume. */
#include "check.h"
#include "frames/frames.h"

/* What the landing needs until the frames are back: _resume's own frame, and the call of it. */
enum { RESUME_FRAME_WORDS = FRAME_SPECIALS_SIZE + 16, SPARE_CALLS = 2 };

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

int ohw_reserve(PyThreadState *ts, ohw_lifted *lifted)
{
    assert(lifted->away && lifted->reserved == NULL);
    if (lifted->listeners != ohw_listeners_version(ts) &&
        (py_refresh_instrumentation(ts, lifted->home.code) < 0 ||
         ohw_let_listeners_in(ts, lifted->top, lifted->bottom) < 0)) {
        ohw_end_quiet(ts);
        return -1;
    }
    lifted->reserved = py_data_stack_push(ts, lifted->size, RESUME_FRAME_WORDS);
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
    move_frames_back(resume, lifted, words);
    py_set_exception_state(ts, lifted->exception_state);
    py_add_recursion(ts, -lifted->frames - SPARE_CALLS);
    lifted->home.code = NULL;
    lifted->top = lifted->bottom = lifted->reserved = NULL;
    lifted->parked = 0;
    lifted->away = false;
    ohw_count.spliced++;
    ohw_check_spliced(ts, resume, lifted);
    Py_DECREF(at_landing.code);     /* never the last reference: the host's code keeps its landings */
}
