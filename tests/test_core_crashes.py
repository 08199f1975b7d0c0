"""What once crashed or lost something, each in a process of its own (found by hunting for it, see git log)."""

from __future__ import annotations

import textwrap

import pytest
from core_tools import passes_or_skips

pytestmark = pytest.mark.unrepeatable("each case is a process of its own")

BEGINNING = """
import functools, gc, operator, sys, threading, types, weakref, _thread, warnings
import ohwait as package
from ohwait import _core, ohwait
from core_tools import skip, below, drive, finish, host_of, outcome, pause, ready, start, step, Waiting
sys.unraisablehook = lambda unraisable: log.append("unraisable")
log = []
def chains():
    c = _core.counters()
    return c["lifted"] - c["spliced"] - c["cleared"], c["alive"]
def stack(): return _core.data_stack(), _core.recursion_left()
async def roomy(function): return [0, 0, 0, function()][3]
def stubborn():
    try: ohwait(pause(1))
    except GeneratorExit: log.append("exit")
    try: return ohwait(pause(2))
    finally: log.append("finally")
"""

CASES = {
    "a tool switched off while the host waits": """
        for switch in (sys.settrace, sys.setprofile):
            def plain():
                for _ in range(5): ohwait(pause())
                return "end"
            host = host_of(plain)
            switch(lambda *args: None); host.send(None); host.send(None); switch(None)
            assert finish(host) == "end"
    """,
    "a tool switched on while the host waits, and a plain frame raises": """
        for switch in (sys.settrace, sys.setprofile):
            def plain():
                ohwait(pause())
                raise KeyError
            host = start(host_of(lambda: below(2, plain)))
            switch(lambda *args: None)
            try: host.send(None)
            except KeyError: log.append("raised")
            switch(None)
        assert log == ["raised"] * 2
    """,
    "tools switched on and off before each step: no result changes": """
        def plain(n):
            total = 0
            for _ in range(2): total += ohwait(pause(n))
            try: ohwait(pause("raise"))
            except ValueError: total += 100
            return total
        def run(switch, on, off):
            coroutine = host_of(lambda: below(2, lambda: plain(1)))
            steps = [(coroutine.send, None), (coroutine.send, 1), (coroutine.send, 2), (coroutine.throw, ValueError())]
            seen = []
            for number, (function, value) in enumerate(steps):
                if number == on: switch(lambda *args: None)
                if number == off: switch(None)
                seen.append(step(function, value))
            switch(None)
            return seen
        expected = run(lambda function: None, 0, 1)
        assert expected[-1] == ("return", 103)
        for switch in (sys.settrace, sys.setprofile):
            for on in range(4):
                for off in range(on + 1, 5):
                    assert run(switch, on, off) == expected, (switch, on, off)
    """,
    "the host is resumed while its chain is driven by somebody else": """
        class Reenters:
            count = 0
            def __await__(self): return self
            def __iter__(self): return self
            def __next__(self):
                self.count += 1
                if self.count == 1: return "first"
                log.append(step(host.send, None)[0])
                gc.collect()
                names = []
                frame = sys._getframe()
                while frame: names.append((frame.f_code.co_name, list(frame.f_locals))); frame = frame.f_back
                return "second"
        def plain(x):
            try: return ohwait(Reenters())
            except ValueError as error: return repr(error), x
        host = start(roomy(lambda: plain([object()])))
        step(host.cr_await.send, None)
        host.close()
        del host; gc.collect()
        assert chains() == (0, 0), chains()
    """,
    "the chain's outcome is set from within its own step": """
        class Odd:
            count = 0
            def __await__(self): return self
            def __iter__(self): return self
            def __next__(self):
                self.count += 1
                if self.count > 1:
                    for action in (lambda c: c % ValueError("v"), lambda c: ~c, lambda c: c.close(),
                                   lambda c: c.throw(KeyError()), lambda c: c.send(1), lambda c: c[1]):
                        log.append(step(action, chain)[0])
                    gc.collect()
                return self.count
        host = start(roomy(lambda: below(2, lambda: ohwait(Odd()))))
        chain = host.cr_await
        step(host.send, None)
        host.close()
        del host, chain; gc.collect()
        assert chains() == (0, 0), chains()
    """,
    "a plain generator in a chain that is dropped": """
        def gen():
            for i in range(3): yield stubborn()
        class Loop:
            def __init__(self, it): self.it = it
            def __iter__(self): _core.inline_next_loop(); return self.it
        def plain(g):
            for x in Loop(g): pass
        package.configure(c_frames=False)
        g = gen(); host = roomy(lambda: plain(g))
        try: host.send(None)
        except package.CFunctionError: skip("this CPython makes that call through C")
        frame = g.gi_frame
        del host; gc.collect(); _core.free_spares()
        junk = [bytes(n) for n in range(2000)]
        log.append(frame.f_back)
        try: g.close()
        except ValueError: log.append("still running")
        assert "still running" not in log, log
        del g, frame; gc.collect()
        assert chains() == (0, 0), chains()
    """,
    "a refused awaitable without send()": """
        class Minimal:
            def __await__(self): return iter([1])
        import asyncio
        for awaitable in (Minimal(), asyncio.Future(loop=asyncio.new_event_loop())):
            try: ohwait(awaitable)
            except package.NoCoroutineError: log.append("refused")
        assert log == ["refused"] * 2, log
    """,
    "frames of a chain with an inlined __init__ in it": """
        on = False
        class Waits:
            def __init__(self): self.got = ohwait(pause(5)) if on else 0
        def make(): return Waits()
        async def host(): return [0, 0, 0, make().got]
        for _ in range(3000): drive(host())
        on = True
        coroutine = host()
        try: coroutine.send(None)
        except package.CFunctionError: skip("this CPython makes that call through C")
        node, names = coroutine.cr_await, []
        while hasattr(node, "cr_frame"): names.append(node.cr_frame.f_code.co_name); node = node.cr_await
        assert names == ["make", "__init__"], names
        assert finish(coroutine, [6]) == [0, 0, 0, 6]
        coroutine = start(host()); coroutine.close()
        coroutine = start(host()); del coroutine; gc.collect()
        assert chains() == (0, 0)
    """,
    "a monitoring callback raises at the landing": """
        M = getattr(sys, "monitoring", None)
        if M is None: skip("this CPython has no sys.monitoring")
        M.use_tool_id(1, "x")
        raising = None
        def callback(event):
            def call(*args):
                if event == raising and args[0].co_name in ("host", "ohwait", "_resume"): raise KeyError(event)
            return call
        names = [n for n in dir(M.events) if n.isupper() and n not in ("NO_EVENTS", "C_RAISE", "C_RETURN")]
        every = 0
        for name in names:
            M.register_callback(1, getattr(M.events, name), callback(name))
            every |= getattr(M.events, name)
        def deep(n):
            if n: return deep(n - 1)
            try: return ohwait(two())
            finally: log.append("finally")
        async def two():
            await pause(1); await pause(2); return "r"
        async def host(n):
            try: return deep(n)
            except KeyError: return "caught"
        def recurse(n): return recurse(n - 1) if n else 0
        names.remove("PY_YIELD")  # Debug builds of CPython abort when a callback raises there, for any coroutine.
        for depth in (1, 70):
            for name in names:
                for when in (0, 1, 2):
                    log.clear()
                    before = stack()
                    coroutine = host(depth)
                    try:
                        for number in range(3):
                            if number == when: M.set_events(1, every)
                            raising = name if number >= when else None
                            coroutine.send(None)
                    except (StopIteration, KeyError, RuntimeError): pass
                    raising = None
                    M.set_events(1, 0)
                    del coroutine
                    assert stack() == before, (depth, name, when)
                    may_fail = ("PY_START", "PY_RESUME", "CALL", "LINE", "INSTRUCTION", "BRANCH")
                    never_started = when == 0 and name in may_fail
                    assert log == ["finally"] or never_started, (depth, name, when, log)
        for _ in range(50): recurse(300)
    """,
    "PEP 523: the evaluation function is replaced while suspended": """
        try: import _testinternalcapi as T; T.set_eval_frame_record
        except (ImportError, AttributeError): skip("this CPython has no _testinternalcapi.set_eval_frame_record")
        def deep(n):
            if n: return deep(n - 1)
            try: return ohwait(pause(1))
            finally: log.append("finally")
        for depth in (1, 70, 120):
            before = stack()
            coroutine = start(host_of(lambda: deep(depth)))
            T.set_eval_frame_record([])
            try: step(coroutine.send, "r"); coroutine.close()
            finally: T.set_eval_frame_default()
            del coroutine; gc.collect()
            assert stack() == before
        assert log == ["finally"] * 3, log
        package.configure(c_frames=False)
        T.set_eval_frame_record([])
        try: kind, error = step(host_of(lambda: ohwait(pause(1))).send, None)
        finally: T.set_eval_frame_default()
        assert kind == "raise" and error["type"] in ("CFunctionError", "NoCoroutineError", "OhwaitError"), error
    """,
    "landings made while a landing is made": """
        M = getattr(sys, "monitoring", None)
        if M is None: skip("this CPython has no sys.monitoring")
        count = 60
        exec("async def host(n):\\n" + "".join(f"    if n == {i}: return wait()\\n" for i in range(count)))
        def wait(): return ohwait(pause(1))
        first = start(host(0))
        M.use_tool_id(1, "x")
        M.register_callback(1, M.events.PY_RESUME, lambda *args: None)
        M.set_events(1, M.events.PY_START | M.events.PY_RESUME | M.events.PY_YIELD)
        finish(first)
        M.set_events(1, 0)
        kept, armed = [], False
        def hook(event, args):
            global armed
            if event == "code.__new__" and armed:
                armed = False
                kept.extend(start(host(n)) for n in range(1, count))
        sys.addaudithook(hook)
        for number in (0, 0):
            armed = True
            kept.append(start(host(number)))
        junk = [bytearray(40 + n % 200) for n in range(10000)]
        for _ in range(200): drive(host(0))
        for coroutine in kept: finish(coroutine)
    """,
    "a deep chain is resumed near the recursion limit, and handles an exception": """
        def deep(n):
            if n: return deep(n - 1)
            result = ohwait(pause(1))
            try: raise KeyError
            except KeyError:
                try: return call(result)
                except RecursionError: return "too deep"
        def call(x): return x
        def with_left(calls, coroutine):
            if _core.recursion_left() > calls: return with_left(calls, coroutine)
            return step(coroutine.send, "value")
        before = stack()
        for depth in (5, 49, 60, 200, 500):
            for calls in (12, 30, 45):
                kind, result = with_left(calls, start(host_of(lambda: deep(depth))))
                right = result in ("value", "too deep") if kind == "return" else result["type"] == "RecursionError"
                assert right, result
                assert stack() == before
    """,
    "frame objects of the host and its chain outlive both": """
        import io, traceback
        host = start(roomy(lambda: [stubborn(), 1]))
        frames = [host.cr_frame]
        node = host.cr_await
        while hasattr(node, "cr_frame"): frames.append(node.cr_frame); node = node.cr_await
        for frame in frames:
            step(frame.clear)
        del node, host
        gc.collect()
        for frame in frames:
            assert isinstance(frame.f_lineno, int), frame
            frame.f_locals, frame.f_back, frame.f_lasti
            traceback.print_stack(frame, file=io.StringIO())
            frame.clear()
        del frame, frames; gc.collect()
        assert chains() == (0, 0)
    """,
    "a tight host is thrown into": """
        async def inner():
            try: return await pause(1)
            except ValueError: return await pause("rescued")
        def plain(): return ohwait(inner())
        async def tight(): return plain()
        assert outcome(tight(), ValueError(), 5) == [("yield", 1), ("yield", "rescued"), ("return", 5)]
        async def waits():
            try: await pause(1)
            except GeneratorExit: log.append("closed"); raise
        def plain(): return ohwait(waits())
        start(tight()).close()
        assert log == ["closed"], log
    """,
    "the chain is kept and its host is gone": """
        for depth in (0, 1, 20):
            host = start(roomy(lambda: below(depth, stubborn)))
            chain = host.cr_await
            del host; gc.collect()
            others = [start(roomy(lambda: below(depth, stubborn))) for _ in range(50)]
            chain.cr_frame, chain.cr_await, chain.cr_running
            for action in (lambda: chain.send(None), lambda: chain.throw(ValueError()), chain.close,
                           lambda: ~chain, lambda: chain[1]):
                step(action)
            del chain
            while others:
                other = others.pop()
                try: other.close()
                except RuntimeError: pass
                del other
        gc.collect()
        assert chains() == (0, 0), chains()
    """,
    "local events of monitoring set for ohwait's own code": """
        M = getattr(sys, "monitoring", None)
        if M is None: skip("this CPython has no sys.monitoring")
        M.use_tool_id(1, "x")
        def raises(*args): raise KeyError
        for name in ("PY_START", "PY_RETURN", "LINE", "INSTRUCTION", "PY_YIELD", "PY_RESUME", "CALL"):
            event = getattr(M.events, name)
            for action in (lambda *args: log.append(name), raises):
                M.register_callback(1, event, action)
                try: M.set_local_events(1, ohwait.__code__, event)
                except Exception: continue
                def plain():
                    try: return ohwait(pause())
                    finally: log.append("finally")
                log.clear()
                host = host_of(lambda: below(2, plain))
                step(host.send, None)
                step(host.send, None)
                host.close()
                assert "finally" in log, (name, log)
                M.set_local_events(1, ohwait.__code__, 0)
        assert chains()[0] == 0
    """,
    "the awaitable replaces what is found on its type": """
        class Odd:
            def __await__(self): return self
            def __iter__(self): return self
            def __next__(self):
                type(self).__next__ = lambda self: 5
                return 1
            @property
            def throw(self): raise ZeroDivisionError("looking throw up")
            @property
            def close(self): raise ZeroDivisionError("looking close up")
        def plain():
            try: return ohwait(Odd())
            except ZeroDivisionError as error: return str(error)
        assert step(start(host_of(plain)).throw, KeyError()) == ("return", "looking throw up")
        host = start(host_of(plain))
        step(host.close)
        step(host.close)
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_crash(case: str) -> None:
    passes_or_skips(BEGINNING + textwrap.dedent(CASES[case]))
