/* Counters, and in OHWAIT_DEBUG builds the invariants of NOTES.md, asserted over live frames at each step. */
#include "check.h"

ohw_counters ohw_count;

#ifdef OHWAIT_CHECKED
#undef NDEBUG
#include <assert.h>

/* I1, I3, I8: what is about to be lifted is one unbroken run of executing frames, and the door lies right above it. */
void ohw_check_before_lift(PyThreadState *ts, py_frame *door, const ohw_walk *walk, ohw_extent extent)
{
    int frames = 0;
    size_t size = 0;
    py_frame *frame = py_caller(door);
    assert(walk->obstacle == OHW_CLEAR && frame == walk->top);
    assert(py_on_top_of_data_stack(ts, door));
    assert(!PyErr_Occurred());
    for (; frame != walk->host; frame = py_caller(frame)) {
        assert(frame != NULL);
        frames++;
        if (py_on_data_stack(frame)) {
            size += py_frame_size(frame);
            assert(py_frame_used(frame) <= py_frame_size(frame));
        }
        else {
            assert(py_generator_executing(py_generator(frame)));
        }
    }
    assert(frames == walk->frames && size == extent.size);
    assert(extent.chunk == NULL || (py_chunk_start(extent.chunk) == walk->room && extent.alive == 0));
    assert(py_generator_executing(py_generator(walk->host)));
    assert(py_stack_depth(walk->host) >= 0);
}

/* I4: lifted frames are complete, closed under `previous` and owned once. */
void ohw_check_lifted(const ohw_lifted *lifted)
{
    int frames = 0;
    py_frame *last = NULL;
    assert(lifted->away && lifted->reserved == NULL && lifted->home.code != NULL);
    assert(py_stack_depth(lifted->host) <= 1);     /* `_resume`, at a prepared landing */
    if (lifted->resting) {
        assert(lifted->bottom != NULL && lifted->top >= lifted->bottom && lifted->alive <= lifted->size);
        return;
    }
    for (py_frame *frame = lifted->top; frame != NULL; frame = py_caller_beyond_c(frame)) {
        frames++;
        last = frame;
        assert(PyCode_Check(py_code(frame)));
    }
    assert(frames == lifted->frames && last == lifted->bottom);
}

/* I2, I3: nothing ran between the reservation and here; _resume's frame lies right above the reserved room. */
void ohw_check_before_splice(PyThreadState *ts, py_frame *resume, const ohw_lifted *lifted)
{
    ohw_check_lifted(&(ohw_lifted){.home = lifted->home, .host = lifted->host, .top = lifted->top,
                                   .bottom = lifted->bottom, .frames = lifted->frames, .away = lifted->away,
                                   .alive = lifted->alive, .size = lifted->size, .resting = lifted->resting});
    assert(!lifted->has_room && lifted->reserved != NULL);
    assert(lifted->chunk == NULL || lifted->reserved == py_chunk_start(lifted->chunk));
    assert((py_word *)lifted->reserved + lifted->size == (py_word *)resume);
    assert(py_on_top_of_data_stack(ts, resume));
    assert(!PyErr_Occurred());
}

/* I1, I3: the chain leads from _resume to the host again, each frame where its room is. */
void ohw_check_spliced(PyThreadState *ts, py_frame *resume, const ohw_lifted *lifted)
{
    int frames = 0;
    py_word *end = (py_word *)resume;
    py_frame *frame = py_caller(resume);
    for (; frame != lifted->host; frame = py_caller(frame)) {
        assert(frame != NULL);
        frames++;
        if (py_on_data_stack(frame)) {
            end -= py_frame_size(frame);
            assert((py_word *)frame == end);
        }
    }
    assert(frames == lifted->frames);
    assert(py_current(ts) == resume);
}
#endif
