/* Every fact that ohwait needs from an interpreter.
 *
 * This folder is the only place that may define Py_BUILD_CORE, include CPython's internal headers, name a field of
 * a frame, generator, code object or thread state, or look at the version.  Everything above it calls the functions
 * below.  A new CPython is one new file py3NN.h; what all of them have in common is in shared.h, included last.
 *
 * Ownership is written per argument and result: borrowed, new (the caller owns it), stolen (the callee takes it).
 * All functions need the GIL.  None of them runs Python code unless it says so.
 */
#ifndef OHWAIT_CPYTHON_CONTRACT_H
#define OHWAIT_CPYTHON_CONTRACT_H

#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef Py_GIL_DISABLED
#  error "free-threaded builds are refused: setup.py builds csrc/refuse.c for them"
#endif

typedef struct _PyInterpreterFrame py_frame;   /* one activation, on the data stack or inside a generator */
typedef struct _stack_chunk py_chunk;          /* a piece of the data stack */
typedef uintptr_t py_word;                     /* one slot of a frame: a reference, possibly tagged, or NULL */

/* Where a frame continues: it belongs to the code object, which is owned by whoever holds the position. */
typedef struct {
    PyCodeObject *code;
    void *instruction;          /* the interpreter's own instruction pointer, as the frame stores it */
    uint16_t return_offset;     /* added when a callee returns; 0 where the interpreter has none */
} py_position;

/* Somebody's own evaluation function (PEP 523), set aside. */
typedef struct { void *eval; } py_quiet;

/* One instruction of a code sequence that ohwait assembles (frames/landing.c). */
typedef enum { PY_ARG, PY_NONE, PY_RESUME_FUNCTION, PY_HOOK, PY_FORWARD, PY_BACKWARD } py_operand;
typedef struct {
    uint8_t opcode;
    uint8_t caches;             /* inline cache entries that follow it */
    py_operand kind;            /* PY_ARG: arg itself; PY_FORWARD, PY_BACKWARD: jump to instruction number arg;
                                   the others: load that constant */
    uint8_t arg;
} py_instruction;

/* A landing: the instructions at which a host waits while its chain is away. */
typedef struct {
    const py_instruction *code;
    int length;                 /* instructions */
    int stack;                  /* slots that it needs on the host's (empty) value stack */
    int guarded_end;            /* instructions [0, guarded_end) are covered by the handler */
    int handler;                /* instruction number of the handler, entered with [chain, exception] */
    bool delegates;             /* the host awaits its chain, as coroutines do; it does not merely yield */
    bool prepared;              /* it is entered with `_resume` below the chain, and calls it when SEND has finished:
                                   only for frames without C functions; nothing is done by ~ then */
} py_landing;

/* Interpreter loops (invocations of the evaluation function) that are set aside with their C frames: the one that runs a
 * host, and all above it.  `entry`: what the outermost one has put below its lowest frame; the other two are what its
 * C frame and the innermost one's hold of the thread's list of loops; NULL where the interpreter has no such thing. */
typedef struct {
    py_frame *entry;
    void *outermost, *innermost;
    int count;
} py_loops;
/* A suspended generator that passes for a finished one. */
typedef struct {
    PyGenObject *generator;     /* Borrowed */
    PyObject *handled;
    PyFrameObject *frame_object;
    PyObject *locals;
    int state, slots;
} py_pretence;
/* Contexts entered one in the other, innermost first. */
typedef struct { PyObject *top, *bottom; } py_contexts;
/* The part of the data stack that belongs to frames set aside: the upper part of a chunk that is shared with frames
 * below them, and chunks of their own.  Copies are kept of the ranges that others may use meanwhile; the first one is
 * that of the shared chunk, which may be empty. */
typedef struct { char *start; size_t bytes; } py_range;
enum { PY_MAX_RANGES = 4 };
typedef struct {
    void *shared;
    void *own_top, *own_bottom;
    PyObject **top;             /* end of the data stack */
    int ranges;                 /* 0: too many */
    bool pinned;
    py_range copied[PY_MAX_RANGES];
} py_data_aside;
/* The data stack of the code that resumes them, while they run where it was: what lay at the same addresses, and how
 * far the stack went. */
typedef struct {
    char *parked;
    size_t bytes;
    void *chunk;
    PyObject **top, **limit;
    size_t shared_top;          /* of the shared chunk, as it was */
    void *shared_previous;
    bool orphan;                /* nobody but the frames set aside uses the chunk any more */
    bool in_place;              /* the data stack ends just where they begin */
} py_data_displaced;

/* What happens to a suspended frame, as profilers, tracers and sys.monitoring are told. */
typedef enum { PY_YIELDS, PY_RESUMES, PY_THROWS } py_event;

/* ---- the interpreter as a whole -------------------------------------------------------------------------------- */

/* NULL if this interpreter's layout is the one compiled in, else what differs (static text). */
static inline const char *py_layout_mismatch(void);
/* Switch off all that could run between the instructions of a landing, or keep a call from being inlined, until
 * _resume has put the frames back. */
static inline py_quiet py_enter_quiet(PyThreadState *ts);
static inline void py_leave_quiet(PyThreadState *ts, py_quiet quiet);
static inline PyThreadState *py_thread(void);

/* ---- frames ---------------------------------------------------------------------------------------------------- */

static inline py_frame *py_current(PyThreadState *ts);
static inline void py_set_current(PyThreadState *ts, py_frame *frame);
/* The frame that called `frame` in the same interpreter loop; NULL if C code did. */
static inline py_frame *py_caller(const py_frame *frame);
/* ... a frame of the interpreter's own (py_is_entry), or NULL, if C code did. */
static inline py_frame *py_caller_or_entry(const py_frame *frame);
/* The next Python frame towards the bottom, whatever lies between; NULL at the end of the thread's stack. */
static inline py_frame *py_caller_beyond_c(const py_frame *frame);
static inline void py_set_caller(py_frame *frame, py_frame *caller);
static inline py_frame *py_noted_caller(const py_frame *frame);                  /* what was set, not looked at */
/* True: the frame lies on the thread's data stack.  False: a generator (or a frame object) owns it. */
static inline bool py_on_data_stack(const py_frame *frame);
static inline PyCodeObject *py_code(const py_frame *frame);                      /* borrowed */
/* The generator, coroutine or async generator that `frame` lies in; `frame` must be one of those. Borrowed. */
static inline PyGenObject *py_generator(py_frame *frame);
static inline bool py_generator_executing(PyGenObject *generator);
/* A generator that is suspended on `awaited`, and whose throw() or close() is calling it. */
static inline bool py_throws_into(const py_frame *frame, PyObject *awaited);
/* The frame of the generator (coroutine, async generator) that is suspended on `awaited` and is throwing into it, or
 * closing it, at this moment; NULL: none.  Borrowed.  Looks at all objects that the collector knows. */
static inline py_frame *py_thrower(PyObject *awaited);
static inline bool py_is_new(PyObject *coroutine);                               /* created, not started */
/* The frame's frame object, made if need be.  Borrowed; NULL with MemoryError. */
static inline PyFrameObject *py_frame_object(PyThreadState *ts, py_frame *frame);

static inline size_t py_frame_size(const py_frame *frame);                       /* words reserved for it */
static inline size_t py_frame_used(const py_frame *frame);                       /* words of it that are alive */
/* `to` holds a copy of `from` that takes its place: pointers to it that CPython keeps follow, its callee's does not. */
static inline void py_moved(py_frame *to, const py_frame *from);
/* May copies of `frame` lie elsewhere without anybody following?  Then a plain copy, put back where it was, is as good as
 * a frame that was moved twice. */
static inline bool py_is_unknown(py_frame *frame);
/* References that rely on the caller's frame staying where it is become references of their own. */
static inline void py_make_self_contained(py_frame *frame);
static inline int py_visit_frame(py_frame *frame, visitproc visit, void *arg);
/* Has it begun?  Hidden functions never do; CPython's own shims around __init__ neither. */
static inline bool py_is_complete(py_frame *frame);
/* Drop what the frame owns, as if it had been unwound; a generator's is at its end.  May run Python code. */
static inline void py_drop_frame(py_frame *frame);
/* Local variable 0, taken out of the frame.  New reference or NULL. */
static inline PyObject *py_take_argument(py_frame *frame);

static inline py_position py_get_position(const py_frame *frame);                /* code borrowed */
/* Exchanges the frame's position.  `next.code` is stolen; the returned position's code is the caller's. */
static inline py_position py_exchange_position(py_frame *frame, py_position next);
static inline void *py_instruction_at(PyCodeObject *code, int unit);
/* Code unit of the instruction that the frame is executing; what identifies a call site. */
static inline int py_call_site(const py_frame *frame);

/* The value stack above the locals, as raw slots. */
static inline int py_stack_depth(const py_frame *frame);
static inline void py_take_stack(py_frame *frame, py_word *words, int count);    /* the frame's stack is empty then */
static inline void py_put_stack(py_frame *frame, const py_word *words, int count);
/* All of its slots, whatever is in them, and the depth (negative: only the loop that runs the frame knows it). */
static inline void py_copy_stack(const py_frame *frame, py_word *words, int slots);
static inline void py_restore_stack(py_frame *frame, const py_word *words, int slots, int depth);
static inline py_word py_word_of(PyObject *object);                              /* stolen; NULL for an empty slot */
static inline bool py_word_is(py_word word, const PyObject *object);             /* a reference to it */
/* What is in slot `index` above the locals, taken out.  New reference or NULL. */
static inline PyObject *py_take_slot(py_frame *frame, int index);
static inline int py_visit_words(const py_word *words, int count, visitproc visit, void *arg);
static inline void py_drop_words(py_word *words, int count);                     /* may run Python code */

/* ---- thread state ---------------------------------------------------------------------------------------------- */

/* Stack of handled exceptions: a plain frame uses that of the generator below it. */
static inline _PyErr_StackItem *py_exception_state(PyThreadState *ts);
static inline void py_set_exception_state(PyThreadState *ts, _PyErr_StackItem *item);
static inline _PyErr_StackItem *py_generator_exception_state(PyGenObject *generator);
static inline void py_add_recursion(PyThreadState *ts, int calls);               /* > 0: more calls are possible */
static inline int py_recursion_left(PyThreadState *ts);
/* The raised exception as one object, taken from the thread.  New reference or NULL. */
static inline PyObject *py_take_raised(void);
static inline void py_raise(PyObject *exception);                                /* stolen */

/* The data stack: where frames of plain calls live, last in first out, in chunks. */
static inline void py_data_stack_pop(PyThreadState *ts, py_frame *frame);        /* `frame` and all above it */
/* Room for `words`, contiguous, with `reserve` more words behind it that the next frame may use without fail. */
static inline py_frame *py_data_stack_push(PyThreadState *ts, size_t words, size_t reserve);
static inline void py_data_stack_height(PyThreadState *ts, Py_ssize_t *chunks, Py_ssize_t *words);
static inline bool py_in_top_chunk(PyThreadState *ts, const py_frame *frame);
static inline bool py_on_top_of_data_stack(PyThreadState *ts, const py_frame *frame);
/* A chunk that ohwait has made, to be handed over as a whole with all frames of a chain: of `words`, and as many again
 * and more for what they call.  CPython frees it as any other when the frame at its start returns.  NULL: no memory. */
static inline py_chunk *py_chunk_new(size_t words);
static inline void py_chunk_free(py_chunk *chunk);
static inline py_frame *py_chunk_start(py_chunk *chunk);
/* The top chunk if it is such a one, not pinned, has `start` at its start, and `words` left; otherwise NULL. */
static inline py_chunk *py_own_chunk(PyThreadState *ts, const py_frame *start, size_t words);
static inline void py_detach_chunk(PyThreadState *ts);                           /* the top one, which is not freed */
static inline bool py_attach_chunk(PyThreadState *ts, py_chunk *chunk, size_t used);   /* false: no memory */
/* A sampling profiler may have remembered one of the frames [top, host): it must look again. */
static inline void py_forget_sampled_frames(PyThreadState *ts, py_frame *host);

/* ---- profilers, tracers, sys.monitoring ------------------------------------------------------------------------ */

/* Somebody may listen, and not from inside a callback.  Cheap. */
static inline bool py_listened_to(PyThreadState *ts);
/* Tell those who listen that `frame`, at its current call, yields `value`, is resumed, or has `value` thrown in.
 * -1 with what a callback raised.  Runs Python code. */
static inline int py_report(PyThreadState *ts, py_frame *frame, py_event event, PyObject *value);
/* Keep the return of the hidden function that is running from being reported. */
static inline void py_swallow_return(PyThreadState *ts);

/* ---- code objects ---------------------------------------------------------------------------------------------- */

static inline Py_ssize_t py_request_code_slot(freefunc destroy);
static inline void *py_get_code_slot(PyCodeObject *code, Py_ssize_t slot);
static inline int py_set_code_slot(PyCodeObject *code, Py_ssize_t slot, void *value);
/* Make a hidden function's code invisible to tracing and monitoring. */
static inline int py_silence(PyCodeObject *code);
/* Calls of a hidden function may be specialised, unless a JIT could compile a trace across its return (I9). */
static inline void py_allow_specialised_calls(PyThreadState *ts, PyObject *function);
/* Nothing that happens at a landing is reported: its events are those of the call site (events.c). */
static inline void py_prepare_landing(PyCodeObject *landing);
/* ... and what tools have done to it all the same is undone. */
static inline void py_pacify_landing(PyThreadState *ts, PyCodeObject *landing);
/* Changes whenever a tool starts or stops listening; 0: nobody ever has. */
static inline uint32_t py_listeners_version(PyThreadState *ts);
/* Code of a frame that comes back was left alone by tools switched on meanwhile: let them in.  Runs Python code.
 * -1 with an exception. */
static inline int py_refresh_instrumentation(PyThreadState *ts, PyCodeObject *code);
/* Specialise the `for` that called GET_ITER in `frame` for generators.  False: there is none, or not here. */
static inline bool py_inline_for_loop(py_frame *frame);

/* The iterator that `await` would drive.  New reference, or NULL with await's own error.  May run Python code. */
static inline PyObject *py_awaitable_iterator(PyObject *awaitable);

/* ---- interpreter loops set aside with the C functions between them (csrc/stack/) ------------------------------- */

/* NULL, or why this interpreter's loops cannot be set aside (static text). */
static inline const char *py_stack_mismatch(void);
/* What the frame's `previous` says, which may be a frame of the interpreter's own. */
static inline py_frame *py_link(const py_frame *frame);
static inline bool py_is_entry(const py_frame *frame);                           /* such a frame */
/* The loops from that which runs `innermost`, on top of the thread, down to that which runs `host`, the frame `lowest`
 * being the lowest one in it. */
static inline py_loops py_loops_down_to(PyThreadState *ts, py_frame *innermost, const py_frame *host, py_frame *lowest);
/* An address inside the outermost loop's C frame. */
static inline uintptr_t py_loops_address(const py_loops *loops);
/* The Python frame below the loops, and the loop there (NULL where the interpreter does not list loops). */
static inline py_frame *py_caller_of_loops(const py_loops *loops, py_frame *lowest);
static inline void *py_outer_loop(PyThreadState *ts, const py_loops *loops);
static inline void py_leave_loops(PyThreadState *ts, const py_loops *loops);
/* `image`: distance from the loops' C frames to a copy of them.  The thread runs `innermost` in them; `lowest`, a frame
 * of the resuming code, is the outermost one's now; it will return to `caller`, in the loop `outer`. */
static inline void py_enter_loops(PyThreadState *ts, const py_loops *loops, ptrdiff_t image, py_frame *innermost,
                                  py_frame *lowest, py_frame *caller, void *outer);
/* They have been left, by `lowest`; their caller is to be found elsewhere now. */
static inline void py_return_to_loop(PyThreadState *ts, void *outer, py_frame *caller, py_frame *lowest);

/* `frame` is a coroutine (or generator) at an await whose awaited frame runs in the same loop. */
static inline bool py_awaits_callee(const py_frame *frame);
/* It stands where a yield has left it, and not at a call: it does not run, whatever the thread's frames say. */
static inline bool py_stands_at_yield(const py_frame *frame);
/* Leave the thread's innermost coroutine as a yield would; `delegates`: one inside an await. */
static inline void py_park(PyThreadState *ts, py_frame *frame, bool delegates);
static inline void py_park_awaiter(PyThreadState *ts, py_frame *frame);          /* it stands at its await */
/* The loop that is about to return has failed, whatever has been parked in it. */
static inline void py_note_failed(PyThreadState *ts);
/* To the C function that drives it `generator` has ended, until the pretence is ended. */
static inline py_pretence py_seem_finished(PyGenObject *generator);
static inline void py_end_pretence(py_pretence pretence);
static inline bool py_loops_are_called_directly(PyThreadState *ts);              /* PEP 523 is not in use */
/* What returns into `caller`, which stands at a `for` statement, is an item and not the iterator's end. */
static inline void py_expect_yielded(py_frame *caller);

/* Calls counted by loops and C functions (`counted`, where PY_COUNTS_C_CALLS_TOO): given back (how many is returned), with
 * `depth` bytes of C stack left over, and the Python frames from `caller` on; and taken again. */
static inline int py_leave_c_calls(PyThreadState *ts, int loops, int counted, size_t depth, const py_frame *caller);
static inline size_t py_recursion_field(void);      /* offset of the counter in the thread state, if it counts all */
static inline void py_enter_c_calls(PyThreadState *ts, int units);
static inline void py_leave_one_loop(PyThreadState *ts);     /* only what a loop has counted itself */
static inline int py_c_recursion_left(PyThreadState *ts);                        /* 0 where they are not counted */

static inline uintptr_t py_context_run_address(void);       /* the C function of Context.run; 0: unknown */
static inline int py_contexts_entered(PyThreadState *ts);
/* The innermost `count` contexts; what is returned owns them. */
static inline py_contexts py_leave_contexts(PyThreadState *ts, int count);
static inline void py_enter_contexts(PyThreadState *ts, py_contexts contexts);   /* stolen */

/* In a tool's callback other than at a line, an instruction, the start or the return of a function. */
static inline bool py_in_delicate_callback(PyThreadState *ts);
static inline bool py_collecting(PyThreadState *ts);        /* the cyclic garbage collector is at work */
static inline uint64_t py_thread_number(PyThreadState *ts); /* never used twice */

/* The data stack from the frame `lowest` up.  Reads only. */
static inline py_data_aside py_measure_data(PyThreadState *ts, const py_frame *lowest);
static inline int py_pin_data(py_data_aside *aside);        /* -1 with MemoryError */
static inline void py_unpin_data(py_data_aside *aside);
/* `copies`: of all ranges, one behind the other. */
static inline void py_set_data_aside(PyThreadState *ts, const py_data_aside *aside, char *copies);
/* What is in the way of their coming back.  NULL, or why they cannot come back (static text).  Reads only. */
static inline const char *py_find_room(PyThreadState *ts, const py_data_aside *aside, py_data_displaced *displaced);
/* ... counting the whole of a frame that lies across the border; `top`: the innermost one of the resuming code. */
static inline void py_park_whole_frames(const py_frame *top, const py_data_aside *aside, py_data_displaced *displaced);
/* The data stack is theirs; the copies' contents are the caller's business. */
static inline void py_bring_data_back(PyThreadState *ts, const py_data_aside *aside, py_data_displaced *displaced);
static inline void py_undo_bring_back(PyThreadState *ts, const py_data_displaced *displaced, void *shared);

#include OHWAIT_CPYTHON_HEADER
#include "cpython/chunks.h"
#include "cpython/shared.h"
#include "cpython/loops.h"

#endif
