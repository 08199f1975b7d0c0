"""Each allocation of a suspension and a resumption fails in turn: all or nothing, and `finally` blocks run."""

import _testcapi
import gc
import sys

from core_tools import pause

from ohwait import _core, ohwait


def plain(counts, depth):
    try:
        counts[0] += 1
        if depth:
            return plain(counts, depth - 1)
        ohwait(pause(1))
        return ohwait(pause(2))
    finally:
        counts[1] += 1


async def host(counts):
    try:
        counts[0] += 1
        return 0, 0, plain(counts, 2)
    finally:
        counts[1] += 1


class FreshHost:
    """Hosts with code of their own: their landings are made anew."""

    def __call__(self, counts):
        import types

        code = host.__code__.replace(co_name="fresh")
        return types.FunctionType(code, globals())(counts)


def run(make, counts, fail_at, step):
    coroutine = make(counts)
    outcome = "finished"
    for number in range(3):
        try:
            if number == step:
                _testcapi.set_nomemory(fail_at, fail_at + 1)
            coroutine.send(None)
            _testcapi.remove_mem_hooks()
        except StopIteration:
            _testcapi.remove_mem_hooks()
            break
        except MemoryError:
            _testcapi.remove_mem_hooks()
            outcome = "memory"
            break
    coroutine.close()
    return outcome


def main():
    lost = _core.counters()["cleared"]
    heights = _core.data_stack()
    failures = 0
    for make in (host, FreshHost()):
        for step in range(3):
            for fail_at in range(int(sys.argv[1])):
                counts = [0, 0]
                outcome = run(make, counts, fail_at, step)
                failures += outcome == "memory"
                cleared = _core.counters()["cleared"]
                assert counts[0] == counts[1], (make, step, fail_at, outcome, counts, cleared - lost)
                assert _core.data_stack() == heights, (make, step, fail_at)
    gc.collect()
    counters = _core.counters()
    assert counters["lifted"] == counters["spliced"] + counters["cleared"] and counters["alive"] == 0, counters
    print(failures)


main()
