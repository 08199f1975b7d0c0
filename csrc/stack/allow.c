/* May the stack path be used in this process? */
#include "stack/stack.h"

#if OHW_ARCH_KNOWN

#include "stack/judge.h"
#include "stack/rehearse.h"

static enum { UNKNOWN, GOOD, BAD } checked;
static const char *reason;
static bool forbidden;
static _Thread_local int shared;        /* this thread's work goes on in others */

/* Can this stack be read, is it read as libgcc reads it, and do registers survive an exchange of stacks? */
static const char *check(void)
{
    const char *found = ohw_arch_objection();
    if (found == NULL) {
        found = py_stack_mismatch();
    }
    if (found == NULL) {
        ohw_comparison comparison;
        ohw_compare_unwinders(&comparison, 0);
        if (comparison.frames == 0 || comparison.differences != 0) {
            found = "the C stack of this process is not read the same way by ohwait and by libgcc";
        }
    }
    return found == NULL ? ohw_rehearse(false) : found;
}

const char *ohw_stack_status(void)
{
    if (forbidden) {
        return "it was switched off by ohwait.configure(c_frames=False) or OHWAIT_C_FRAMES=0";
    }
    if (shared > 0) {
        return "this code runs in an executor, whose threads take turns, and a C stack stays on its thread";
    }
    if (checked == UNKNOWN) {
        reason = check();
        checked = reason == NULL ? GOOD : BAD;
    }
    return reason;
}

void ohw_stack_share_thread(bool begins) { shared += begins ? 1 : -1; }

void ohw_stack_give_up(const char *why)
{
    checked = BAD;
    reason = why;
}

#else

static bool forbidden;

const char *ohw_stack_status(void)
{
    return "there is no assembly for this processor and operating system";
}

void ohw_stack_share_thread(bool begins) { (void)begins; }

void ohw_stack_give_up(const char *why) { (void)why; }

#endif

void ohw_stack_allow(bool allowed) { forbidden = !allowed; }
