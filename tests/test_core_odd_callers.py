"""ohwait called from odd places: it works, or says clearly why not; it never crashes. In processes of their own."""

from __future__ import annotations

import textwrap

import pytest
from core_tools import passes_or_skips

from ohwait import _core

pytestmark = pytest.mark.unrepeatable("each case is a process of its own")

BEGINNING = """
import functools, gc, operator, sys, threading, types, weakref, _thread, warnings
import ohwait as package
from ohwait import _core, ohwait
from core_tools import skip, below, drive, finish, host_of, outcome, pause, ready, start, step, Waiting
OURS = (package.CFunctionError, package.NoCoroutineError)
results = []
def attempt(function=lambda: ohwait(pause(1))):
    try:
        results.append(function())
    except BaseException as error:
        results.append(type(error).__name__)
        if not isinstance(error, (*OURS, TypeError, RuntimeError, SystemError)):
            raise
async def roomy(function): return [0, 0, 0, function()][3]
def end(*expected):
    assert results == list(expected), results
    c = _core.counters()
    assert c["lifted"] == c["spliced"] + c["cleared"], c
"""

CASES = {
    "in __del__": """
        class Dying:
            def __del__(self): attempt()
        def plain():
            thing = Dying(); del thing
            return ohwait(pause(2))
        assert drive(host_of(plain), [3]) == 3
        Dying()
        end("CFunctionError", "NoCoroutineError")
    """,
    "in __del__ of the awaitable itself": """
        class Dying(Waiting):
            def __del__(self): attempt()
        def plain(): return ohwait(Dying()), ohwait(Dying(1))
        assert drive(host_of(plain), [5]) == ([], [5])
        end("CFunctionError", "CFunctionError")
    """,
    "in __del__ of a value sent, yielded and thrown": """
        class Dying(Exception):
            def __del__(self): attempt()
        def plain():
            ohwait(pause(Dying()))
            try: ohwait(pause())
            except Dying: pass
            return ohwait(pause())
        host = host_of(plain)
        host.send(None); host.send(Dying()); host.throw(Dying()); finish(host)
        del host; gc.collect()
        assert results and set(results) <= {"CFunctionError", "NoCoroutineError"}, results
    """,
    "in a signal handler": """
        import signal
        signal.signal(signal.SIGUSR1, lambda number, frame: attempt())
        def plain():
            signal.raise_signal(signal.SIGUSR1)
            return ohwait(pause())
        assert drive(host_of(plain), [4]) == 4
        signal.raise_signal(signal.SIGUSR1)
        end("CFunctionError", "NoCoroutineError")
    """,
    "in a weakref callback": """
        class Thing: pass
        def plain():
            thing = Thing(); ref = weakref.ref(thing, lambda ref: attempt()); del thing
            return ohwait(pause())
        drive(host_of(plain))
        end("CFunctionError")
    """,
    "in a collector callback": """
        def callback(phase, info):
            if phase == "start": attempt()
        def plain():
            gc.callbacks.append(callback)
            gc.collect()
            gc.callbacks.clear()
            return ohwait(pause())
        drive(host_of(plain))
        end("CFunctionError")
    """,
    "in a tracing function": """
        def trace(frame, event, arg):
            attempt()
            return trace
        def plain():
            sys.settrace(trace)
            x = ohwait(ready(1))
            sys.settrace(None)
            return x, ohwait(pause())
        assert drive(host_of(plain), [6]) == (1, 6)
        assert results and set(results) <= {"CFunctionError"}, results
    """,
    "in a profiling function, switched on while suspended": """
        def profile(frame, event, arg):
            attempt()
        def plain():
            return ohwait(pause()), ohwait(pause())
        host = start(host_of(lambda: below(2, plain)))
        sys.setprofile(profile)
        host.send(1)
        sys.setprofile(None)
        assert finish(host, [2]) == (1, 2)
        assert results and set(results) <= {"CFunctionError", "NoCoroutineError"}, results
    """,
    "in an audit hook": """
        active = []
        def hook(event, args):
            if active and event == "code.__new__": attempt()
        sys.addaudithook(hook)
        def plain(): return ohwait(pause())
        active.append(1)
        assert drive(host_of(plain), [6]) == 6
        active.clear()
        assert set(results) <= {"CFunctionError"}, results
    """,
    "in sys.monitoring callbacks": """
        if not hasattr(sys, "monitoring"): skip("this CPython has no sys.monitoring")
        m = sys.monitoring
        m.use_tool_id(3, "odd")
        names = ["PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME", "CALL", "RAISE", "PY_UNWIND", "PY_THROW"]
        events = sum(getattr(m.events, name) for name in names)
        for bit in range(20):
            event = 1 << bit
            if events & event: m.register_callback(3, event, lambda *args: attempt())
        def plain():
            try: ohwait(pause())
            except ValueError: pass
            return ohwait(pause())
        host = host_of(lambda: below(2, plain))
        m.set_events(3, events)
        host.send(None); host.throw(ValueError()); result = finish(host, [7])
        m.set_events(3, 0)
        assert result == 7
        assert results and set(results) <= {"CFunctionError", "NoCoroutineError"}, set(results)
    """,
    "map, sorted, filter, functools.reduce, min, a comparison, str.join": """
        class Odd:
            def __lt__(self, other): return ohwait(pause())
            def __str__(self): return ohwait(pause())
            def __getattr__(self, name): return ohwait(pause())
            def __iter__(self): return ohwait(pause())
            def __len__(self): return ohwait(pause())
        def plain():
            odd = Odd()
            attempt(lambda: list(map(ohwait, [pause()])))
            attempt(lambda: sorted([2, 1], key=lambda x: ohwait(pause())))
            attempt(lambda: functools.reduce(lambda a, b: ohwait(pause()), [1, 2]))
            attempt(lambda: min(odd, odd))
            attempt(lambda: f"{odd}")
            attempt(lambda: str(odd))
            attempt(lambda: list(odd))
            attempt(lambda: len(odd))
            attempt(lambda: exec("ohwait(pause())", globals()))
            attempt(lambda: eval("ohwait(pause())", globals()))
            return ohwait(pause())
        assert drive(host_of(plain), [1]) == 1
        end(*["CFunctionError"] * 10)
        def never():
            return list(map(ohwait, [ready(1), ready(2)]))
        attempt(lambda: drive(host_of(never)))
        print(results[-1])
    """,
    "functools.partial, operator.call, methods, as attribute": """
        def outer():
            attempt(functools.partial(ohwait, pause(1)))
            attempt(lambda: operator.call(ohwait, pause(1)))
            attempt(lambda: ohwait.__call__(pause(1)))
            attempt(types.MethodType(ohwait, pause(1)))
            class Class: wait = ohwait
            class Awaitable(Waiting): wait = ohwait
            attempt(lambda: Class.wait(pause(1)))
            attempt(lambda: Awaitable(1, 2).wait())
            return "end"
        drive(host_of(outer), range(20))
        assert all(result == "CFunctionError" or isinstance(result, (int, list)) for result in results), results
        assert len(results) == 6, results
    """,
    "attributes and properties": """
        class Prop:
            @property
            def value(self): return ohwait(pause("p"))
            def __getitem__(self, key): return ohwait(pause("i"))
            def __add__(self, other): return ohwait(pause("+"))
            def __call__(self): return ohwait(pause("c"))
            def __init__(self, wait=False):
                self.got = ohwait(pause("init")) if wait else None
        def plain():
            for _ in range(20):     # Specialised in the end: then some of them are inlined.
                p = Prop()
                attempt(lambda: p.value)
                attempt(lambda: p[0])
                attempt(lambda: p + 1)
                attempt(lambda: p())
                attempt(lambda: Prop(True).got)
            return "end"
        assert drive(host_of(plain), range(500)) == "end"
        assert len(results) == 100 and all(r == "CFunctionError" or isinstance(r, int) for r in results), results
    """,
    "a loop callback and a thread": """
        import asyncio
        async def main():
            asyncio.get_running_loop().call_soon(attempt)
            await asyncio.sleep(0)
            thread = threading.Thread(target=attempt); thread.start(); thread.join()
            _thread.start_new_thread(ohwait, (pause(),))
            await asyncio.sleep(0.05)
        sys.stderr = open("/dev/null", "w")
        asyncio.run(main())
        assert len(results) == 2 and set(results) <= {"NoCoroutineError", "CFunctionError"}, results
    """,
    "without arguments, on a thread without frames": """
        import time
        hook = next(c for c in ohwait.__code__.co_consts if type(c).__name__ == "Hook")
        sys.stderr = open("/dev/null", "w")
        for function in (ohwait, _core.obstacle, _core.inline_next_loop, hook.__invert__, _core.data_stack):
            _thread.start_new_thread(function, ())
            time.sleep(0.02)
    """,
    "the hook object": """
        hook = next(c for c in ohwait.__code__.co_consts if type(c).__name__ == "Hook")
        def plain():
            attempt(lambda: ~hook)
            attempt(lambda: operator.invert(hook))
            attempt(hook.__invert__)
            attempt(lambda: type(hook)())
            return ohwait(pause())
        plain_results = drive(host_of(plain), [1])
        attempt(lambda: ~hook)
        end(*["TypeError"] * 5)
    """,
    "copies of its code": """
        code = ohwait.__code__
        same = types.FunctionType(code, {})
        def other(awaitable, /): pass
        other.__code__ = code
        renamed = types.FunctionType(code.replace(co_name="renamed"), {})
        generator = types.FunctionType(code.replace(co_flags=code.co_flags | 0x20), {})
        coroutine = types.FunctionType(code.replace(co_flags=code.co_flags | 0x80), {})
        def plain():
            attempt(lambda: same(pause()))
            attempt(lambda: other(pause()))
            attempt(lambda: renamed(ready(1)))
            attempt(lambda: list(generator(ready(1))))
            attempt(lambda: drive(coroutine(ready(1))))
            attempt(lambda: exec(code))
            attempt(lambda: eval(code, {}))
            return ohwait(pause())
        for _ in range(100):
            drive(host_of(plain), [1, 2, 3, 4])
        print(results[:7])
        gc.collect()
    """,
    "its attributes changed": """
        ohwait.__defaults__ = (None,)
        def plain():
            attempt(lambda: ohwait())
            return ohwait(pause())
        assert drive(host_of(plain), [5]) == 5
        ohwait.__defaults__ = None
        ohwait.__kwdefaults__ = {"awaitable": 1}
        assert drive(host_of(plain), [5]) == 5
        code = ohwait.__code__
        ohwait.__code__ = (lambda awaitable: "replaced").__code__
        assert ohwait(1) == "replaced"
        ohwait.__code__ = code
        attempt(lambda: drive(host_of(lambda: ohwait(pause())), [5]))
        assert results[-1] in (5, "TypeError"), results
        end("TypeError", "TypeError", results[-1])
    """,
    "the module's dictionary emptied and reloaded": """
        import importlib
        keep = ohwait
        vars(_core).clear()
        del sys.modules["ohwait._core"]
        gc.collect()
        assert drive(host_of(lambda: keep(pause())), [5]) == 5
        again = importlib.import_module("ohwait._core")
        assert drive(host_of(lambda: again.ohwait(pause())), [6]) == 6
        assert drive(host_of(lambda: keep(pause())), [5]) == 5
    """,
    "a ctypes callback": """
        ctypes = __import__("ctypes")
        callback = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: attempt() or 0)
        def plain():
            callback()
            return ohwait(pause())
        assert drive(host_of(plain), [5]) == 5
        end("CFunctionError")
    """,
    "the chain's own operators, by hand": """
        def plain():
            return ohwait(pause(1)), ohwait(pause(2))
        for action in (lambda c: ~c, lambda c: -c, lambda c: c % ValueError("v"), lambda c: c % 1, lambda c: c[5],
                       bool, lambda c: c.send(None), lambda c: c.throw(ValueError("v")), lambda c: c.close(),
                       lambda c: next(c),
                       lambda c: iter(c), lambda c: c.throw(), lambda c: c.throw(1), lambda c: type(c)(), repr, hash,
                       lambda c: c.send(c), lambda c: c % c, lambda c: c[c]):
            host = start(roomy(lambda: below(2, plain)))
            chain = host.cr_await
            for _ in range(3): step(action, chain)
            del chain
            step(host.send, 1); step(host.send, 2); host.close()
        gc.collect()
        c = _core.counters()
        assert c["lifted"] == c["spliced"] + c["cleared"] and c["alive"] == 0, c
    """,
    "the hidden resumption, by hand": """
        def is_hidden(function):
            hooks = [c for c in function.__code__.co_consts if type(c).__name__ == "Hook"]
            return function.__name__ == "_resume" and hooks
        resume = [f for f in gc.get_objects() if isinstance(f, types.FunctionType) and is_hidden(f)]
        host = start(roomy(lambda: below(2, lambda: (0, 0, 0, ohwait(pause())))))
        landing = host.cr_frame.f_code
        resume += [c for c in landing.co_consts if isinstance(c, types.FunctionType)]
        chain = host.cr_await
        assert resume
        for function in resume:
            for argument in (chain, None, 5):
                attempt(lambda: function(argument))
            attempt(lambda: function())
            async def coroutine(): attempt(lambda: function(chain))
            drive(coroutine())
        assert set(results) <= {"SystemError", "TypeError"}, results
        assert finish(host, [4]) == (0, 0, 0, 4)
    """,
    "the landing's code, run by hand": """
        def plain(): return 0, 0, 0, ohwait(pause())
        async def roomy(a): return [1, 2, a, plain()]
        host = start(roomy(1))
        landing = host.cr_frame.f_code
        host.close()
        attempt(lambda: landing.co_code)
        import dis, io
        dis.dis(landing, file=io.StringIO())
        list(landing.co_lines()); list(landing.co_positions()); hash(landing); repr(landing)
        assert landing == landing
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_ohwait(case: str) -> None:
    passes_or_skips(BEGINNING + textwrap.dedent(CASES[case]), OHWAIT_C_FRAMES="0")


ENDING = """
for _ in range(3): gc.collect()
assert package.stats().slices_alive == 0, package.stats()
"""


@pytest.mark.skipif(_core.c_frames_status() is not None, reason=f"no C frames here: {_core.c_frames_status()}")
@pytest.mark.parametrize("case", CASES)
def test_ohwait_where_c_frames_are_set_aside(case: str) -> None:
    """Most of it works then, other than the case expects; nothing may crash or be left behind."""
    body = textwrap.indent(textwrap.dedent(CASES[case]), "    ")
    attempted = f"try:\n{body}\nexcept (AssertionError, ValueError): pass\n"
    passes_or_skips(BEGINNING + attempted + ENDING)
