#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* pthread_getattr_np */
#endif
#include "stack/bounds.h"

#if OHW_ARCH_KNOWN

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 65536              /* the largest there is */
#define UNLIMITED ((uintptr_t)1 << 40)

/* glibc reads the main thread's bounds from /proc/self/maps, which chroots and sandboxes may lack.  The kernel puts the
 * name of the program at the very top of the stack, and lets the stack grow down as far as the limit of the moment. */
static bool main_thread_bounds(ohw_bounds *bounds)
{
    uintptr_t name = getauxval(AT_EXECFN);
    struct rlimit limit;
    if (syscall(SYS_gettid) != getpid() || name == 0 || getrlimit(RLIMIT_STACK, &limit) != 0) {
        return false;
    }
    bounds->high = (name + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    uintptr_t room = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > UNLIMITED ? UNLIMITED : limit.rlim_cur;
    bounds->low = bounds->high > room ? bounds->high - room : 0;
    return true;
}

static bool ask(ohw_bounds *bounds)
{
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return main_thread_bounds(bounds);
    }
    void *low;
    size_t size;
    bool known = pthread_attr_getstack(&attributes, &low, &size) == 0;
    pthread_attr_destroy(&attributes);
    if (known) {
        *bounds = (ohw_bounds){(uintptr_t)low, (uintptr_t)low + size};
    }
    return known;
}

static _Thread_local ohw_bounds own;    /* high 0: not asked yet */

static ohw_bounds *asked(void)
{
    ohw_bounds *bounds = &own;          /* finding a thread's variable takes a call */
    if (bounds->high == 0 && !ask(bounds)) {
        *bounds = (ohw_bounds){0, 0};
    }
    return bounds;
}

bool ohw_stack_bounds(ohw_bounds *bounds)
{
    *bounds = *asked();
    return bounds->high != 0;
}

bool ohw_on_thread_stack(uintptr_t address)
{
    ohw_bounds *bounds = asked();
    if (address >= bounds->high) {
        return false;
    }
    if (address >= bounds->low) {
        return true;
    }
    /* The limit of the main thread's stack may have been raised meanwhile (resource.setrlimit). */
    return ask(bounds) && address >= bounds->low && address < bounds->high;
}

#endif
