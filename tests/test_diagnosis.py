"""`can_wait()` and the text of the errors: which C function stands in between, called where, and what to do."""

import asyncio
import contextlib
import functools
import linecache
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from types import coroutine
from typing import Any

import pytest

import ohwait
from ohwait import CFunctionError, NoCoroutineError, WaitCheck, _core, can_wait
from ohwait._instruction import describe

pytestmark = pytest.mark.usefixtures("without_c_frames")


@coroutine
def pause() -> Generator[None, None, None]:
    yield


def in_coroutine(function: Callable[[], Any]) -> Any:
    """Call a plain function in a coroutine that is driven by hand and does not suspend."""

    async def host() -> Any:
        return function()

    with pytest.raises(StopIteration) as stop:
        host().send(None)
    return stop.value.value


class Probe:
    """Asks `can_wait` in whatever way it is used; keeps the answers."""

    def __init__(self) -> None:
        self.answers: list[WaitCheck] = []

    def ask(self, *args: Any) -> Any:
        self.answers.append(can_wait())
        return args[0] if args else 0

    __add__ = __radd__ = __lt__ = __getitem__ = __neg__ = __call__ = ask

    def __setitem__(self, key: object, value: object) -> None:
        self.ask()

    def __contains__(self, item: object) -> bool:
        return bool(self.ask(1))

    def __bool__(self) -> bool:
        return bool(self.ask(1))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.ask()

    def __iter__(self) -> Iterator[int]:
        self.ask()
        return iter(())

    def __format__(self, spec: str) -> str:
        return str(self.ask("text"))

    def __str__(self) -> str:
        return str(self.ask("text"))

    def __hash__(self) -> int:
        return int(self.ask(1))

    __eq__ = object.__eq__


class Items:
    """An iterator with a Python ``__next__``."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def __iter__(self) -> "Items":
        return self

    def __next__(self) -> int:
        self._probe.ask()
        raise StopIteration


class Manager:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def __enter__(self) -> None:
        self._probe.ask()

    def __exit__(self, *exc: object) -> bool:
        self._probe.ask()
        return True


SITUATIONS: dict[str, Callable[[Probe], Any]] = {}


def situation(callee: str) -> Callable[[Callable[[Probe], Any]], Callable[[Probe], Any]]:
    """Register a function that asks with `callee` in between."""

    def register(function: Callable[[Probe], Any]) -> Callable[[Probe], Any]:
        SITUATIONS[callee] = function
        return function

    return register


@situation("sorted()")
def _(probe: Probe) -> None:
    sorted([2, 1], key=probe.ask)


@situation("numbers.sort()")
def _(probe: Probe) -> None:
    numbers = [2, 1]
    numbers.sort(key=lambda number: probe.ask(number))


@situation("functools.reduce()")
def _(probe: Probe) -> None:
    functools.reduce(lambda one, other: probe.ask(one), [1, 2])


@situation("bytes()")
def _(probe: Probe) -> None:
    bytes(probe.ask(number) for number in [1])


@situation("bound()")
def _(probe: Probe) -> None:
    bound = functools.partial(probe.ask, 1)
    bound()


@situation("min()")
def _(probe: Probe) -> None:
    min([1] if probe.answers else [2, 3], key=probe.ask)


@situation("max()")
def _(probe: Probe) -> None:
    max(*[1, 2], key=probe.ask)


@situation("str()")
def _(probe: Probe) -> None:
    str(probe)


@situation("str.join()")
def _(probe: Probe) -> None:
    ", ".join(probe.ask("text") for _ in [1])


@situation("probe()")
def _(probe: Probe) -> None:
    probe(1)


@situation("make()()")
def _(probe: Probe) -> None:
    def make() -> Probe:
        return probe

    make()(1)


@situation("a C function")
def _(probe: Probe) -> None:
    (min if probe.answers else max)([1, 2], key=probe.ask)


@situation("operator +")
def _(probe: Probe) -> None:
    _ = probe + 1


@situation("operator <")
def _(probe: Probe) -> None:
    _ = probe < 1


@situation("operator -")
def _(probe: Probe) -> None:
    _ = -probe


@situation("operator []")
def _(probe: Probe) -> None:
    _ = probe[1]


@situation("operator []=")
def _(probe: Probe) -> None:
    probe[1] = 2


@situation("operator in")
def _(probe: Probe) -> None:
    _ = 1 in probe


@situation("truth test")
def _(probe: Probe) -> str:
    return "true" if probe else "false"


@situation("attribute .anything")
def _(probe: Probe) -> None:
    _ = probe.anything


@situation("start of a for loop")
def _(probe: Probe) -> None:
    for _ in probe:
        pass


@situation("for loop")
def _(probe: Probe) -> None:
    for _ in Items(probe):
        pass


@situation("unpacking")
def _(probe: Probe) -> None:
    with contextlib.suppress(ValueError):
        _one, _other = probe


@situation("unpacking with *")
def _(probe: Probe) -> None:
    [*Items(probe)]


@situation("formatting")
def _(probe: Probe) -> None:
    _ = f"{probe}"


@situation("display of a set or dict")
def _(probe: Probe) -> None:
    _ = {probe}


@situation("with statement (leaving it with an exception)")
def _(probe: Probe) -> None:
    manager = Manager(probe)
    with manager:
        probe.answers.clear()
        raise KeyError


@situation("class statement")
def _(probe: Probe) -> None:
    class Body:
        probe.ask()


@pytest.mark.parametrize("callee", SITUATIONS)
def test_names_the_c_function_in_between(callee: str) -> None:
    probe = Probe()
    function = SITUATIONS[callee]
    in_coroutine(lambda: function(probe))
    check = probe.answers[0]
    assert not check
    assert check.kind == "c-function"
    assert check.callee == callee
    assert check.filename == __file__
    assert check.lineno in range(function.__code__.co_firstlineno, function.__code__.co_firstlineno + 8)
    assert linecache.getline(__file__, check.lineno).strip() in str(check)


def test_names_the_caller_the_callee_and_the_function_that_was_entered() -> None:
    probe = Probe()

    def report() -> None:
        sorted([2, 1], key=probe.ask)

    in_coroutine(report)
    line = report.__code__.co_firstlineno + 1
    place = f"{report.__qualname__}() in {__file__}, line {line}:"
    reason = _core.c_frames_status()
    allow = "allow it with ohwait.configure(c_frames=True), or " if reason and "configure" in reason else ""
    assert str(probe.answers[0]).splitlines() == [
        "ohwait() cannot suspend here: the built-in function sorted() stands between this call and the coroutine that "
        "runs it.",
        f"  This was in {place}",
        "      sorted([2, 1], key=probe.ask)",
        f"  It called Probe.ask() in {__file__}, line {Probe.ask.__code__.co_firstlineno}.",
        f"  Its C frames cannot be set aside: {reason}.",
        f"  What to do: {allow}do in Python code what sorted() does (a loop, a comprehension), or wait first and hand "
        "it the results.",
    ]


def test_a_class_is_told_from_a_function() -> None:
    probe = Probe()
    options: dict[str, Any] = {}

    class Thing:
        def __init__(self, *, option: int = 0) -> None:
            probe.ask()

    def make() -> None:
        Thing(**options)  # With keywords: no CPython runs __init__ in the same interpreter loop.

    in_coroutine(make)
    check = probe.answers[0]
    assert check.callee == "Thing()"
    assert "the class Thing stands between" in str(check)
    assert "wait in an ordinary function that makes the object, not in Thing.__init__()" in str(check)


def test_a_finalizer_is_named() -> None:
    probe = Probe()

    class Resource:
        def __del__(self) -> None:
            probe.ask()

    def drop() -> None:
        resource = Resource()
        del resource

    in_coroutine(drop)
    assert probe.answers[0].callee == f"finalizer {Resource.__qualname__}.__del__()"
    assert "close the object by a method that you call" in str(probe.answers[0])


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="the platform has no SIGUSR1")
def test_a_signal_handler_is_named() -> None:
    probe = Probe()

    def on_signal(number: int, frame: object) -> None:
        probe.ask()

    def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        while not probe.answers:
            pass

    before = signal.signal(signal.SIGUSR1, on_signal)
    try:
        in_coroutine(interrupted)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert probe.answers[0].callee == f"signal handler {on_signal.__qualname__}()"
    assert "add_signal_handler" in str(probe.answers[0])


def test_a_tracing_function_is_named() -> None:
    probe = Probe()

    def tracer(*event: object) -> None:
        probe.ask()

    def traced() -> None:
        before = sys.getprofile()
        sys.setprofile(tracer)
        try:
            len([])
        finally:
            sys.setprofile(before)

    in_coroutine(traced)
    assert probe.answers[0].callee == f"tracing function {tracer.__qualname__}()"


def test_a_call_with_star_arguments_is_explained_where_it_goes_through_c() -> None:
    probe = Probe()

    def wrapper(*args: object) -> None:
        probe.ask(*args)  # A method: CPython calls it through C up to now, a function only in 3.11.

    in_coroutine(lambda: wrapper(1))
    check = probe.answers[0]
    assert check or (check.callee == "probe.ask()" and "pass the arguments one by one" in str(check))


def test_entering_a_with_statement_is_named_where_it_goes_through_c() -> None:
    probe = Probe()

    def plain() -> None:
        with Manager(probe):
            pass

    in_coroutine(plain)
    entering, leaving = probe.answers
    assert entering or entering.callee == "with statement"
    assert leaving or leaving.callee == "with statement"


def test_ohwait_called_by_c_itself() -> None:
    def plain() -> str:
        with pytest.raises(CFunctionError) as caught:
            list(map(ohwait.ohwait, [pause()]))
        return str(caught.value)

    text = in_coroutine(plain)
    assert "the class list stands between" in text
    assert "It called" not in text


def test_the_error_says_what_can_wait_says() -> None:
    checks: list[WaitCheck] = []

    def key(number: int) -> int:
        checks.append(can_wait())
        ohwait.ohwait(pause())
        return number

    def plain() -> CFunctionError:
        with pytest.raises(CFunctionError) as caught:
            sorted([1], key=key)
        return caught.value

    error, check = in_coroutine(plain), checks[0]
    assert str(error) == str(check) == check.reason
    assert (error.callee, error.function, error.filename, error.lineno) == (
        check.callee,
        check.function,
        check.filename,
        check.lineno,
    )


def test_possible() -> None:
    check = in_coroutine(can_wait_below_three_functions)
    assert check
    assert check.kind == "possible"
    assert check is in_coroutine(can_wait)
    assert str(check) == "ohwait() can suspend here"
    assert check.function is check.filename is check.lineno is check.callee is None


def can_wait_below_three_functions() -> WaitCheck:
    return (lambda: (lambda: can_wait())())()


@pytest.mark.skipif(find_spec("trio") is None, reason="trio is not installed")
def test_another_backend_than_the_selected_one_is_named() -> None:
    async def main() -> WaitCheck:
        return can_wait_below_three_functions()

    ohwait.use_trio()
    try:
        check = asyncio.run(main())
    finally:
        ohwait.use_auto()
    assert not check
    assert check.kind == "backend"
    assert str(check).startswith("trio is in use, but asyncio runs in this thread")
    assert asyncio.run(main()).kind == "possible"


def test_a_plain_script_is_told_to_start_a_loop() -> None:
    check = can_wait()
    assert not check
    assert check.kind == "no-coroutine"
    assert check.function == "test_a_plain_script_is_told_to_start_a_loop"
    assert check.filename == __file__
    assert "and no event loop either" in str(check)
    assert "ohwait.run(function, *args)" in str(check)
    with pytest.raises(NoCoroutineError, match="no coroutine runs below this call") as caught:
        ohwait.ohwait(pause())
    assert caught.value.function == check.function


def test_another_thread_is_named() -> None:
    answers: list[WaitCheck] = []
    thread = threading.Thread(target=lambda: answers.append(can_wait()), name="helper")
    thread.start()
    thread.join()
    assert answers[0].kind == "no-coroutine"
    assert "the thread 'helper'" in str(answers[0])
    assert "run_coroutine_threadsafe" in str(answers[0])


def test_a_loop_callback_is_told_to_start_a_task() -> None:
    answers: list[WaitCheck] = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: answers.append(can_wait()))
        await asyncio.sleep(0)

    asyncio.run(main())
    assert answers[0].kind == "no-coroutine"
    assert "a callback of the running event loop" in str(answers[0])
    assert "loop.create_task" in str(answers[0])


def test_a_loop_callback_above_an_unrelated_coroutine_is_a_loop_callback() -> None:
    answers: list[WaitCheck] = []

    def nested() -> None:
        loop = asyncio.new_event_loop()
        loop.call_soon(lambda: answers.append(can_wait()))
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()

    in_coroutine(nested)
    assert answers[0].kind == "no-coroutine"
    assert "a callback of the running event loop" in str(answers[0])


def test_the_awaitable_is_closed_without_having_started() -> None:
    started: list[str] = []

    async def never() -> None:
        started.append("started")

    coro = never()
    with pytest.raises(NoCoroutineError):
        ohwait.ohwait(coro)
    assert coro.cr_frame is None
    assert started == []


def test_a_check_cannot_be_changed() -> None:
    check = can_wait()
    with pytest.raises(AttributeError, match="a WaitCheck cannot be changed"):
        check.reason = "another"
    with pytest.raises(AttributeError, match="a WaitCheck cannot be changed"):
        del check.kind
    with pytest.raises(AttributeError):
        check.more = 1  # type: ignore[attr-defined]


def test_the_repr_of_a_check_shows_what_is_known() -> None:
    assert repr(in_coroutine(can_wait)) == "<WaitCheck possible>"
    probe = Probe()
    in_coroutine(lambda: sorted([1], key=probe.ask))
    shown = repr(probe.answers[0])
    assert shown.startswith("<WaitCheck c-function callee='sorted()' function=")
    assert f"filename={__file__!r}" in shown


def test_without_source_or_bytecode_the_rest_is_said() -> None:
    probe = Probe()
    namespace = {"probe": probe}
    exec(compile("def plain():\n    sorted([1], key=probe.ask)", "<nowhere>", "exec"), namespace)
    in_coroutine(namespace["plain"])  # type: ignore[arg-type]
    check = probe.answers[0]
    assert (check.callee, check.filename, check.lineno) == ("sorted()", "<nowhere>", 2)
    assert "plain() in <nowhere>, line 2\n" in str(check)


def test_when_describing_fails_the_rest_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ohwait._instruction.describe", broken)
    probe = Probe()
    in_coroutine(lambda: sorted([1], key=probe.ask))
    assert probe.answers[0].callee == "a C function"
    assert f"in {__file__}, line" in str(probe.answers[0])


def test_a_frame_that_calls_nothing_is_described_as_a_c_function() -> None:
    frame = sys._getframe()
    action = describe(frame, None)
    assert action.name == "describe()"
    generator = (number for number in [1])
    assert describe(generator.gi_frame, None).name == "a C function"
