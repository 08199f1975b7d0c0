/* The frame path: find the host, take the plain frames above it off the thread, put them back.
 *
 * Words (NOTES.md has the picture): the door is the frame of `ohwait` itself; the chain is the plain frames between it
 * and the host, the nearest coroutine below; a landing is where the host waits while its chain is away.
 */
#ifndef OHWAIT_FRAMES_H
#define OHWAIT_FRAMES_H

#include "cpython/contract.h"

/* ---- walk.c: read only ---- */

typedef enum { OHW_CLEAR, OHW_NO_COROUTINE, OHW_C_FUNCTION } ohw_obstacle;

enum { OHW_NOTED = 32 };

typedef struct {
    py_frame *top;          /* called the door; the host itself if there is no plain frame */
    py_frame *bottom;       /* called by the host; NULL if there is no plain frame */
    py_frame *room;         /* lowest frame of the chain on the data stack; NULL if there is none */
    py_frame *host;
    int frames;             /* between door and host, generators' included */
    ohw_obstacle obstacle;
    uint32_t listeners;     /* ohw_listeners_version() before anything of the suspension was reported */
    py_frame *c_caller;     /* OHW_C_FUNCTION: the Python frame that called the C function */
    const char *reason;     /* OHW_C_FUNCTION: why the stack path cannot serve, static text; NULL: it was not asked */
    py_frame *noted[OHW_NOTED];     /* the frames from top on, as far as there is room: quicker than following them again */
} ohw_walk;

static inline bool ohw_is_host(py_frame *frame)
{
    return !py_on_data_stack(frame) &&
           py_code(frame)->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE);
}

/* From `caller` to the host, or why there is no way.  `called` is the frame that it called (where `caller` is NULL, C
 * code did); NULL if the walk starts at a frame that is running now. */
void ohw_walk_to_host(py_frame *caller, py_frame *called, ohw_walk *walk);

/* ---- landing.c ---- */

int ohw_landing_init(void);
/* A code object at whose start a host may wait when it stands at its current call; borrowed from the host's code.
 * NULL with an exception.  May run the garbage collector. */
PyCodeObject *ohw_landing_for(py_frame *host, bool over_c);
/* Is that of ohw_landing_for, not over C functions, one that wants `_resume` below the chain (py_landing)? */
static inline bool ohw_landing_is_prepared(const py_frame *host)
{
    return py_landings[0].prepared && py_code(host)->co_stacksize >= py_landings[0].stack;
}
extern PyObject *ohw_resume_function;                   /* owned, for ever */
/* Where a host stands that waits at `landing`, one over C functions: the unit behind its YIELD_VALUE, with `entries`
 * on its stack, the chain first and NULL behind it; `delegates`: as in an await, not a plain yield. */
typedef struct { int unit, entries; bool delegates; } ohw_waiting;
int ohw_slots_to_delegate(void);                        /* that a host needs to be seen awaiting its chain */
ohw_waiting ohw_waiting_at(const PyCodeObject *landing);
void ohw_set_resume_function(PyObject *function);       /* stolen */
/* A function with the name and the one parameter of `model` whose code is: ~hook, with the argument in local 0.  It is
 * invisible to tracebacks, tracing and the eval breaker.  Where there is a JIT its version is 0, which calls are never
 * specialised for: so no trace is compiled across its return, which may lead elsewhere than the call came from (I9).
 * New reference, or NULL with an exception. */
PyObject *ohw_hidden_function(PyObject *model, PyObject *hook);

/* ---- lift.c ---- */

/* Frames that have been suspended several times get a chunk of their own, and from then on stay where they are; as many
 * suspended ones as this may, as a chunk takes whole pages. */
enum { OHW_RESUME_FRAME_WORDS = FRAME_SPECIALS_SIZE + 16 };     /* at most what _resume's frame takes */
#ifdef OHWAIT_CHECKED
enum { OHW_REPEATS_FOR_CHUNK = 1, OHW_CHUNKS = 64 };
#else
enum { OHW_REPEATS_FOR_CHUNK = 16, OHW_CHUNKS = 64 };
#endif

/* The room that a chain takes on the data stack. */
typedef struct {
    size_t size;            /* words */
    size_t alive;           /* words of it up to the end of what the innermost frame uses: what is kept */
    bool one_block;         /* it lies in one chunk, right below the door */
    py_chunk *chunk;        /* which can be handed over with all that is in it; or NULL */
} ohw_extent;
ohw_extent ohw_measure(PyThreadState *ts, const py_frame *door, const ohw_walk *walk);

typedef struct {
    py_position home;       /* Owned code: where the host goes on; while attached: its place at the landing */
    py_frame *host;         /* Borrowed: valid while the host waits at its landing */
    py_frame *top;          /* Owned: innermost lifted frame, linked by `previous` down to NULL (unless resting); or NULL */
    py_frame *bottom;       /* outermost lifted frame; NULL if none */
    py_frame *origin;       /* where the lowest one was on the data stack; NULL: none was */
    _PyErr_StackItem *exception_state;      /* Borrowed: that of the innermost generator, or the host's */
    PyThreadState *thread;  /* Borrowed: that of the lift; valid while it has room, or reserved is not NULL */
    py_frame *reserved;     /* place on the data stack, taken before `_resume` is called; NULL otherwise */
    uint32_t size;          /* words of it, as they lie in it */
    uint32_t alive;         /* words of it that are kept */
    uint32_t listeners;     /* py_listeners_version() at the lift */
    int frames;             /* recursion units given back */
    py_chunk *chunk;        /* Owned while away: the frames have stayed in it; NULL: they have been copied */
    uint32_t parked;        /* entries of the host's value stack */
    uint16_t repeats;       /* suspensions of these frames before this one, as far as is known */
    bool has_room : 1;      /* the place at `origin` has not been given back yet */
    bool resting : 1;       /* plain copies: they point at each other where they were, not where they are */
    bool away : 1;          /* between lift and splice */
} ohw_lifted;               /* goes with words, owned by the Chain: parked entries, then frames as on the data stack */

/* Commit point: cannot fail, runs no Python code.  `landing` borrowed.  The door returns into the host's landing. */
void ohw_lift(PyThreadState *ts, py_frame *door, const ohw_walk *walk, ohw_extent extent, PyCodeObject *landing,
              ohw_lifted *lifted, py_word *words);
/* Before anybody looks at lifted frames: they no longer rest. */
void ohw_wake(ohw_lifted *lifted, py_word *words);
/* How often the frames that are about to be lifted have been spliced, as far as is known. */
uint16_t ohw_repeats(const ohw_walk *walk);
/* They are lifted with the chunk that they got at a splice: it was worth its price. */
void ohw_chunk_was_kept(const py_frame *host);
void ohw_forget_repeats(void);
/* The chunk in which the frames have stayed is the top one of `ts` again.  False: there is no memory for a first one. */
bool ohw_chunk_returns(PyThreadState *ts, ohw_lifted *lifted);
/* First thing at the landing: the data stack ends below the lifted frames. */
void ohw_give_back_room(ohw_lifted *lifted);
int ohw_visit_lifted(ohw_lifted *lifted, py_word *words, visitproc visit, void *arg);
/* The frames will never run again: drop them, innermost first.  May run Python code. */
void ohw_drop_lifted(ohw_lifted *lifted, py_word *words);

/* Lifted frames take part in a call (they are found by f_back and sys.exc_info()) while their host drives their
 * awaitable; the host cannot be resumed meanwhile, as it runs. */
typedef struct {
    py_frame *current;
    _PyErr_StackItem *exception_state;
    bool host_runs;         /* the host called: it stands at its own call meanwhile, not at the landing */
    bool host_linked;       /* by us: its throw() called, and left it out of the thread's frames */
} ohw_attachment;
/* `awaited`: the object that the host awaits. */
ohw_attachment ohw_attach(PyThreadState *ts, ohw_lifted *lifted, py_word *words, PyObject *awaited);
void ohw_detach(PyThreadState *ts, ohw_lifted *lifted, ohw_attachment attachment);
/* Does the host only seem to run, for the sake of what its chain awaits? */
bool ohw_is_attached(const py_frame *host);
void ohw_note_attached(const py_frame *host);
void ohw_forget_attached(const py_frame *host);

/* ---- events.c: Python code may run in all of these ---- */

bool ohw_listened_to(PyThreadState *ts);
uint32_t ohw_listeners_version(PyThreadState *ts);
/* Code of the frames from `top` down to `bottom` was left alone by tools that were switched meanwhile: let them in. */
int ohw_let_listeners_in(PyThreadState *ts, py_frame *top, const py_frame *bottom);
/* The frames from `top` down to `host` are about to be suspended with `value`.  -1 with a callback's exception. */
int ohw_report_suspended(PyThreadState *ts, py_frame *top, py_frame *host, PyObject *value);
/* Attached frames go on: host first, unless it has reported itself.  `thrown`: what they go on with, or NULL. */
int ohw_report_resumed(PyThreadState *ts, ohw_lifted *lifted, bool host_too, PyObject *thrown);
/* The hidden function that is running is none of their business. */
void ohw_swallow_return(PyThreadState *ts);

/* ---- splice.c ---- */

/* Where landings are traced (3.11): not from here on. */
void ohw_go_quiet(PyThreadState *ts);
void ohw_end_quiet(PyThreadState *ts);
/* Everything that the splice needs and that can fail: room for the frames and for _resume's frame above them, calls to
 * spare, tools let in.  -1 with MemoryError. */
int ohw_reserve(PyThreadState *ts, ohw_lifted *lifted, py_word *words);
/* ... where no frames come back: for the call of _resume alone.  And when it has come. */
int ohw_reserve_call(PyThreadState *ts);
void ohw_release_call(PyThreadState *ts);
/* `resume` is the frame of the hidden function that the landing called.  Cannot fail, runs no Python code: afterwards
 * the host stands at its call again and `resume` returns into the innermost frame. */
void ohw_splice(PyThreadState *ts, py_frame *resume, ohw_lifted *lifted, py_word *words);

#endif
