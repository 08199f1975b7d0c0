/* Take the chain's frames off the thread and own them until they are spliced or dropped. */
#include "check.h"
#include "frames/frames.h"

/* Copy the frames of the chain to `words` as they lie on the data stack: one block, unless it crosses a chunk's border. */
static void copy_frames(PyThreadState *ts, const ohw_walk *walk, const py_frame *door, py_word *words)
{
    if (py_in_top_chunk(ts, walk->room)) {
        memcpy(words, walk->room, (size_t)((const char *)door - (const char *)walk->room));
        return;
    }
    py_word *end = words + walk->size;
    for (py_frame *frame = walk->top; frame != walk->host; frame = py_caller(frame)) {
        if (py_on_data_stack(frame)) {
            end -= py_frame_size(frame);
            memcpy(end, frame, py_frame_used(frame) * sizeof(py_word));
        }
    }
}

/* The copies, from the innermost down, take the place of the frames: whoever points at one follows. */
static void link_copies(const ohw_walk *walk, ohw_lifted *lifted, py_word *words)
{
    py_word *end = words + walk->size;
    py_frame *above = NULL;
    for (py_frame *frame = walk->top, *next; frame != walk->host; frame = next) {
        py_frame *copy = frame;
        next = py_caller(frame);
        if (py_on_data_stack(frame)) {
            end -= py_frame_size(frame);
            copy = (py_frame *)end;
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

void ohw_lift(PyThreadState *ts, py_frame *door, const ohw_walk *walk, PyCodeObject *landing, ohw_lifted *lifted)
{
    py_frame *host = walk->host;
    ohw_check_before_lift(ts, door, walk);
    lifted->host = host;
    lifted->thread = ts;
    lifted->top = lifted->bottom = lifted->reserved = NULL;
    lifted->room = walk->room;
    lifted->size = walk->size;
    lifted->frames = walk->frames;
    lifted->exception_state = py_exception_state(ts);
    lifted->parked = py_stack_depth(host);
    py_take_stack(host, lifted->words, lifted->parked);
    if (walk->room != NULL) {
        copy_frames(ts, walk, door, lifted->words + lifted->parked);
    }
    link_copies(walk, lifted, lifted->words + lifted->parked);
    py_set_exception_state(ts, py_generator_exception_state(py_generator(host)));
    py_add_recursion(ts, lifted->frames);
    py_forget_sampled_frames(ts, host);
    py_mark_uninstrumented(ts, landing);
    py_position at_landing = {(PyCodeObject *)Py_NewRef(landing), py_instruction_at(landing, 0), 0};
    lifted->home = py_exchange_position(host, at_landing);
    py_set_caller(door, host);
    lifted->away = true;
    ohw_count.lifted++;
    ohw_check_lifted(lifted);
}
void ohw_give_back_room(ohw_lifted *lifted)
{
    if (lifted->room != NULL) {
        py_data_stack_pop(lifted->thread, lifted->room);
        lifted->room = NULL;
    }
}

ohw_attachment ohw_attach(PyThreadState *ts, ohw_lifted *lifted)
{
    ohw_attachment before = {py_current(ts), py_exception_state(ts), false};
    if (!lifted->away || before.current != lifted->host) {
        return before;      /* driven by somebody else: the host may be resumed meanwhile */
    }
    before.host_runs = true;
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
    if (before.host_runs) {
        if (lifted->bottom != NULL) {
            py_set_caller(lifted->bottom, NULL);
        }
        py_set_current(ts, before.current);
        py_set_exception_state(ts, before.exception_state);
        lifted->home = py_exchange_position(lifted->host, lifted->home);
    }
}

int ohw_visit_lifted(ohw_lifted *lifted, visitproc visit, void *arg)
{
    if (!lifted->away) {
        return 0;
    }
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
    return py_visit_words(lifted->words, lifted->parked, visit, arg);
}

void ohw_drop_lifted(ohw_lifted *lifted)
{
    if (!lifted->away) {
        return;
    }
    lifted->away = false;
    ohw_count.cleared++;
    for (py_frame *frame = lifted->top, *next; frame != NULL; frame = next) {
        next = frame == lifted->bottom ? NULL : py_caller_beyond_c(frame);
        py_drop_frame(frame);
    }
    lifted->top = lifted->bottom = NULL;
    py_drop_words(lifted->words, lifted->parked);
    lifted->parked = 0;
    Py_CLEAR(lifted->home.code);
}
