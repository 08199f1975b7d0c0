"""Each allocation of a suspension through C functions fails in turn: nothing is set aside.  Each one of a resumption:
the coroutine waits on, and goes on later."""

import _testcapi
import gc
import sys

from core_tools import below, pause

from ohwait import _core, ohwait


def key(value):
    counts[0] += 1
    try:
        return -ohwait(pause(value))
    finally:
        counts[1] += 1


async def host():
    return sorted([1, 2], key=key)


def call(function, *args):
    return function(*args)


def deeper(function, *args):
    """Called at another depth, also of the C stack: what is there has to be moved out of the way."""
    return next(map(lambda _: below(7, lambda: function(*args)), "x"))  # noqa: C417


def starved(fail_at, at_depth, function, *args):
    """Whether it ran out of memory, and what came of it: ("value", value), ("return", value) or ("raise", error)."""

    def attempt():
        _testcapi.set_nomemory(fail_at, fail_at + 1)
        try:
            return function(*args)
        finally:
            _testcapi.remove_mem_hooks()

    try:
        return "value", at_depth(attempt)
    except StopIteration as stop:
        return "return", stop.value
    except BaseException as error:
        return "raise", type(error)


def finish(coroutine, came):
    try:
        while True:
            came = coroutine.send(came)
    except StopIteration as stop:
        return stop.value


def begun(fail_at, at_depth):
    """The suspension fails."""
    coroutine = host()
    kind, result = starved(fail_at, at_depth, coroutine.send, None)
    if kind == "raise":
        assert result is MemoryError, result
        assert coroutine.cr_frame is None or counts == [0, 0]
        assert _core.stats()["slices_alive"] == 0
        coroutine.close()
        return kind
    assert finish(coroutine, 1) == [2, 1]
    return kind


def run(fail_at, at_depth):
    """A resumption fails: whatever was allocated last."""
    coroutine = host()
    came = coroutine.send(None)
    kind, result = starved(fail_at, at_depth, coroutine.send, came)
    if kind == "raise":
        assert result is MemoryError, result
        if coroutine.cr_frame is None:  # Python's own allocations, in the functions that had gone on.
            return "raised inside"
        if coroutine.cr_await is not None and counts[0] > counts[1]:
            refused = _core.stats()["slices_alive"]
            assert refused == 1, refused
            assert at_depth(lambda: finish(coroutine, 1)) == [2, 1]
            return "refused"
    elif kind == "value":
        finish(coroutine, result)
    return kind


def thrown_later(fail_at, at_depth):
    """What is thrown in takes the place of what could not be delivered."""
    coroutine = host()
    came = coroutine.send(None)
    kind, _ = starved(fail_at, at_depth, coroutine.send, came)
    if coroutine.cr_frame is None:
        return "raised inside"
    again = starved(10**6, at_depth, coroutine.throw, KeyError)
    assert again == ("raise", KeyError), again
    return kind


def thrown(fail_at, at_depth):
    """What is thrown in arrives later; close() can be called again."""
    coroutine = host()
    coroutine.send(None)
    kind, result = starved(fail_at, at_depth, coroutine.throw, KeyError("thrown"))
    assert kind == "raise", (kind, result)
    if coroutine.cr_frame is not None:
        assert result is MemoryError
        kind, result = starved(10**6, at_depth, coroutine.send, 1)
        assert (kind, result) in {("raise", KeyError), ("value", 2)}, (kind, result)
        coroutine.close()
        return "refused"
    # CPython's own throw() may return NULL without an exception when it has no memory.
    assert result in (KeyError, MemoryError, SystemError), result
    return kind


def closed(fail_at, at_depth):
    coroutine = host()
    coroutine.send(None)
    kind, result = starved(fail_at, at_depth, coroutine.close)
    if coroutine.cr_frame is not None:
        assert (kind, result) == ("raise", MemoryError), (kind, result)
        coroutine.close()
        assert coroutine.cr_frame is None
        return "refused"
    return kind


seen = []
for scenario in (begun, run, thrown, thrown_later, closed):
    for at_depth in (call, deeper):
        for fail_at in range(int(sys.argv[1])):
            counts = [0, 0]
            heights = _core.data_stack(), _core.recursion_left()
            seen.append((scenario.__name__, scenario(fail_at, at_depth)))
            assert counts[0] == counts[1], (scenario, at_depth, fail_at, seen[-1], counts)
            assert heights == (_core.data_stack(), _core.recursion_left()), (scenario, at_depth, fail_at, seen[-1])
gc.collect()
stats = _core.stats()
assert stats["slices_alive"] == stats["slices_lost"] == 0, stats
assert _core.counters()["alive"] == 0, _core.counters()
print(*sorted(set(seen)), sep="\n")
