"""A signal raised at the n-th line or opcode event of a suspension, for every n: from a tracing function.

The tracing function makes the signal pending by C (it is delivered where the interpreter next looks), or raises itself.
"""

import _thread
import sys
import types

from ohwait import _core, ohwait


@types.coroutine
def pause():
    yield


class Waiting:
    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __init__(self):
        self.left = 2

    def __next__(self):
        if not self.left:
            raise StopIteration
        self.left -= 1


def plain(depth, counts):
    try:
        counts[0] += 1
        if depth:
            plain(depth - 1, counts)
        else:
            ohwait(pause())
            ohwait(Waiting())
    finally:
        counts[1] += 1


async def host(depth, counts):
    try:
        counts[0] += 1
        plain(depth, counts)
    finally:
        counts[1] += 1


def drive(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        pass


def run(stop_at, opcodes, raises):
    """True if the sequence of events was long enough."""
    counts, seen = [0, 0], [0]
    entered = set()

    def trace(frame, event, arg):
        if frame.f_code.co_name not in ("plain", "host", "pause", "__next__", "drive"):
            return None
        frame.f_trace_opcodes = opcodes
        if event == "return" and frame.f_code.co_name in ("host", "pause"):
            return trace  # CPython itself loses a coroutine for which the tracing of a `yield` fails (3.14d aborts).
        if event == "opcode" and frame.f_code.co_name == "plain" and frame.f_lineno == frame.f_code.co_firstlineno + 3:
            return trace  # Since 3.14 a branch (NOT_TAKEN) is covered by no `finally`.
        if counts[0] > counts[1] and not in_finally(frame):
            seen[0] += 1
            if seen[0] == stop_at:
                entered.add(1)
                if raises:
                    raise KeyboardInterrupt
                _thread.interrupt_main()
        return trace

    coroutine = host(2, counts)
    try:
        sys.settrace(trace)
        drive(coroutine)
        sys.settrace(None)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    try:
        coroutine.close()
    except KeyboardInterrupt:
        coroutine.close()
    assert counts[0] == counts[1], (stop_at, opcodes, raises, counts)
    return bool(entered)


def in_finally(frame):
    """Whether some function is at the lines before and in which it counts, or has been called from there."""
    while frame is not None:
        if frame.f_code.co_name in ("plain", "host"):
            first = frame.f_code.co_firstlineno
            last = first + (10 if frame.f_code.co_name == "plain" else 6)
            if frame.f_lineno >= last - 1 or frame.f_lineno <= first + 2:
                return True
        frame = frame.f_back
    return False


def main():
    points = 0
    for opcodes in (False, True):
        for raises in (False, True):
            stop_at = 1
            while run(stop_at, opcodes, raises):
                stop_at += 1
            assert stop_at > 10, stop_at
            points += stop_at
    counters = _core.counters()
    assert counters["lifted"] == counters["spliced"] + counters["cleared"], counters
    assert counters["cleared"] == 0, counters
    print(points)


main()
