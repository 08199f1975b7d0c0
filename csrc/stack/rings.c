#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* syscall */
#endif
/* The collector's lists, when the C frames that they begin in are moved.
 *
 * A coroutine that the collector closes goes on in its slice, and that may need the place of the collector's own C
 * frames.  What goes meanwhile is taken off the collector's lists, by a write to the list's head, wherever it is.
 */
#include "stack/rings.h"

#if OHW_ARCH_KNOWN

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whatever `word` is: the kernel reads the signals to be blocked before it sees that ~0 is no way to do so. */
static bool readable(const uintptr_t *word)
{
    enum { SIGNAL_SET = 8 };
    int before = errno;
    bool found = (uintptr_t)word % sizeof *word == 0 &&
                 syscall(SYS_rt_sigprocmask, ~0, word, NULL, SIGNAL_SET) == -1 && errno == EINVAL;
    errno = before;
    return found;
}

bool ohw_can_find_rings(void)
{
    uintptr_t mine = 0;
    const uintptr_t *nobodys = (const uintptr_t *)sizeof(uintptr_t);
    return readable(&mine) && !readable(nobodys);
}

static bool leads_to(const uintptr_t *word, const py_ring *head) { return readable(word) && py_leads_to(*word, head); }

/* One of the words that lead to a head is its own if the list is empty. */
static uintptr_t *moved(uintptr_t *word, const py_ring *from, py_ring *to)
{
    size_t offset = (size_t)((const char *)word - (const char *)from);
    return offset < sizeof *from ? (uintptr_t *)((char *)to + offset) : word;
}

void ohw_move_rings(const char *from, char *to, size_t bytes)
{
    for (size_t offset = 0; offset < bytes; offset += sizeof(uintptr_t)) {
        const py_ring *head = (const py_ring *)(from + offset);
        uintptr_t *before = &((py_ring *)head->previous)->next, *behind = &((py_ring *)head->next)->previous;
        if (leads_to(before, head) && leads_to(behind, head)) {
            py_ring *now = (py_ring *)(to + offset);
            *now = *head;
            py_lead_to(moved(before, head, now), now);
            py_lead_to(moved(behind, head, now), now);
        }
    }
}

#endif
