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
} py_landing;

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
/* The top chunk if it is such a one, has `start` at its start, and `words` left; otherwise NULL. */
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

#include OHWAIT_CPYTHON_HEADER
#include "cpython/shared.h"

#endif
