/* From a call over C functions to the host, and from there to whoever called the loop that runs it. */
#include "stack/stack.h"

#if OHW_ARCH_KNOWN

#include "stack/bounds.h"
#include "stack/counted.h"

/* More than any C code uses sensibly; a larger distance means that two stacks have been confused. */
enum { MAX_SLICE = 256 * 1024 * 1024 };

static uintptr_t context_run;       /* C function of Context.run */

int ohw_find_init(void)
{
    context_run = py_context_run_address();
    return 0;
}

/* From the frame that left `place` up to the caller of the function whose C frame `address` is in. */
static const char *unwind(ohw_exit *exit, uintptr_t address)
{
    ohw_registers own = ohw_place_registers(exit->place);
    if (address <= own.sp || address - own.sp > MAX_SLICE || !ohw_on_thread_stack(own.sp)) {
        return "this is not the thread's own C stack, or not the coroutine's";
    }
    if (!ohw_unwind_start(&exit->caller, &own)) {
        return "no memory is left to read unwind tables into";
    }
    do {
        uintptr_t pc = exit->caller.pc;
        if (context_run != 0) {
            exit->contexts += ohw_unwind_function_start(pc) == context_run;
        }
        if (!ohw_unwind_step(&exit->caller)) {
            return "a C function on the way was compiled without unwind tables (or at run time, by a JIT)";
        }
        exit->c_calls += PY_COUNTS_C_CALLS_TOO ? ohw_calls_counted(pc, py_recursion_field()) : 0;
    } while (exit->caller.cfa <= address);
    for (int i = 0; i < OHW_ARCH_SAVED; i++) {
        if (exit->caller.where[i] == 0) {
            exit->caller.where[i] = (uintptr_t)&exit->place->saved[i];
        }
    }
    return NULL;
}

py_frame *ohw_lowest(py_frame *host)
{
    py_frame *frame = host;
    for (py_frame *caller; (caller = py_caller(frame)) != NULL && py_awaits_callee(caller);) {
        frame = caller;
    }
    return frame;
}

py_frame *ohw_caller_in_loop(py_frame *host) { return py_caller(ohw_lowest(host)); }

/* The frame in the host's loop that is next to the loop's caller. */
static const char *find_lowest(py_frame *host, py_frame **lowest)
{
    *lowest = ohw_lowest(host);
    return py_caller(*lowest) == NULL
               ? NULL : "the coroutine is driven by other means than await, in the same interpreter loop";
}

/* Over all frames from the door to the host. */
static const char *measure(PyThreadState *ts, py_frame *door, ohw_walk *walk, ohw_exit *exit)
{
    py_frame *frame = door;
    exit->lowest_on_data_stack = door;
    walk->top = py_caller_beyond_c(door);
    walk->bottom = walk->room = NULL;
    walk->frames = 0;
    for (; frame != NULL && !ohw_is_host(frame); frame = py_caller_beyond_c(frame)) {
        exit->outermost = frame;
        walk->frames++;
        if (frame != door) {
            walk->bottom = frame;
        }
        if (py_on_data_stack(frame)) {
            exit->lowest_on_data_stack = frame;
        }
    }
    if (frame == NULL) {
        return "there is no coroutine";
    }
    walk->host = frame;
    if (ohw_is_attached(frame)) {
        return "it is called by an awaitable that this very coroutine waits for, which must give its value itself";
    }
    if (py_stands_at_yield(frame)) {
        return "an exception is being thrown into the coroutine by way of what it awaits";
    }
    return find_lowest(frame, &exit->lowest);
}

static const char *find(PyThreadState *ts, py_frame *door, ohw_walk *walk, ohw_exit *exit)
{
    const char *reason = ohw_stack_status();
    if (reason == NULL && py_collecting(ts)) {
        reason = "the garbage collector is at work and cannot be interrupted";
    }
    if (reason == NULL && py_in_delicate_callback(ts)) {
        reason = "a debugger or profiler is being told of an event that cannot be interrupted";
    }
    if (reason == NULL) {
        reason = measure(ts, door, walk, exit);
    }
    if (reason == NULL) {
        exit->loops = py_loops_down_to(ts, door, walk->host, exit->lowest);
        reason = unwind(exit, py_loops_address(&exit->loops));
    }
    if (reason == NULL && !py_in_top_chunk(ts, exit->lowest_on_data_stack) &&
        py_measure_data(ts, exit->lowest_on_data_stack).ranges == 0) {
        reason = "too many suspended calls share its part of the data stack";
    }
    if (reason == NULL && exit->contexts >= py_contexts_entered(ts) && exit->contexts > 0) {
        exit->contexts = py_contexts_entered(ts);
    }
    return reason;
}

void ohw_find_exit(PyThreadState *ts, py_frame *door, ohw_place *place, ohw_walk *walk, ohw_exit *exit)
{
    ohw_walk refused = *walk;
    memset(exit, 0, sizeof *exit);
    exit->place = place;
    walk->obstacle = OHW_CLEAR;
    const char *reason = find(ts, door, walk, exit);
    if (reason != NULL) {
        *walk = refused;
        walk->reason = reason;
    }
}

bool ohw_find_resumer(PyThreadState *ts, py_frame *host, ohw_place *place, ohw_exit *exit)
{
    memset(exit, 0, sizeof *exit);
    exit->place = place;
    if (find_lowest(host, &exit->lowest) != NULL) {
        return false;
    }
    exit->loops = py_loops_down_to(ts, host, host, exit->lowest);
    return unwind(exit, py_loops_address(&exit->loops)) == NULL;
}

#if PY_CLEARS_FAILED_FRAMES
bool ohw_find_outermost(PyThreadState *ts, py_frame *host, ohw_place *place, ohw_exit *exit)
{
    memset(exit, 0, sizeof *exit);
    exit->place = place;
    exit->lowest = py_outermost_awaiter(host);
    exit->loops = py_loops_down_to(ts, host, exit->lowest, exit->lowest);
    return unwind(exit, py_loops_address(&exit->loops)) == NULL;
}
#endif

#endif
