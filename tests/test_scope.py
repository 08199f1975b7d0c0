"""Scopes: structured concurrency for plain functions, the same on every event loop."""

import functools
import gc
import time
from collections.abc import Callable, Iterator

import pytest
from loops import Loop, every_loop
from scopes import Enter, by_exit_stack, by_with, double, double_async, every_form, fail

import ohwait
from ohwait import Handle, Scope, scope, sleep

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def auto() -> Iterator[None]:
    yield
    ohwait.use_auto()


@every_loop
@every_form
def test_children_run_at_the_same_time_and_end_before_the_scope(loop: Loop, within_scope: Enter) -> None:
    def main() -> tuple[list[Handle[int]], int]:
        before = loop.tasks()
        handles = within_scope(lambda s: [s.spawn(double, n, 0.05) for n in range(20)])
        return handles, loop.tasks() - before

    started = time.monotonic()
    handles, more_tasks = loop.run(main)
    assert time.monotonic() - started < 0.8
    assert all(handle.done() for handle in handles)
    assert more_tasks <= (20 if loop.backend == "asyncio" else 0)  # asyncio counts tasks until their callbacks ran.
    assert [handle._outcome() for handle in handles] == [2 * n for n in range(20)]


@every_loop
@pytest.mark.parametrize(
    "function",
    [double, double_async, functools.partial(double, seconds=0), functools.partial(double_async), lambda n: double(n)],
)
def test_functions_of_every_kind(loop: Loop, function: Callable[[int], int]) -> None:
    assert loop.run(lambda: by_with(lambda s: s.spawn(function, 4).result())) == 8


@every_loop
@every_form
def test_result_of_the_body(loop: Loop, within_scope: Enter) -> None:
    assert loop.run(lambda: within_scope(lambda s: "result")) == "result"


@every_loop
def test_await_a_handle(loop: Loop) -> None:
    async def main() -> int:
        async with scope() as s:
            return await s.spawn(double, 4, 0.001)

    assert loop.run_coroutine(main) == 8


@every_loop
@every_form
def test_nested(loop: Loop, within_scope: Enter) -> None:
    def inner(n: int) -> int:
        handles = within_scope(lambda s: [s.spawn(double, n, 0.001) for _ in range(3)])
        return sum([handle.result() for handle in handles])

    def outer(s: Scope) -> int:
        handles = [s.spawn(inner, n) for n in range(5)]
        return sum([handle.result() for handle in handles]) + inner(100)

    assert loop.run(lambda: within_scope(outer)) == 6 * (0 + 1 + 2 + 3 + 4) + 600


@every_loop
@every_form
def test_children_spawn_siblings(loop: Loop, within_scope: Enter) -> None:
    ended = []

    def child(s: Scope, depth: int) -> None:
        sleep(0.001)
        if depth:
            s.spawn(child, s, depth - 1)
        ended.append(depth)

    loop.run(lambda: within_scope(lambda s: s.spawn(child, s, 5)))
    assert ended == [5, 4, 3, 2, 1, 0]


@every_loop
def test_spawn_below_a_c_function(loop: Loop) -> None:
    def body(s: Scope) -> list[int]:
        return [handle.result() for handle in list(map(functools.partial(s.spawn, double), range(5)))]

    assert loop.run(lambda: by_with(body)) == [0, 2, 4, 6, 8]


@every_loop
@every_form
def test_thousand_children(loop: Loop, within_scope: Enter) -> None:
    def main() -> int:
        handles = within_scope(lambda s: [s.spawn(double, n, 0.001 * (n % 7)) for n in range(1000)])
        return sum([handle.result() for handle in handles])

    assert loop.run(main) == 999 * 1000


@every_loop
def test_a_generator_as_body(loop: Loop) -> None:
    def numbers() -> Iterator[int]:
        with scope() as s:
            for handle in [s.spawn(double, n) for n in range(3)]:
                while not handle.done():
                    yield -1
                yield handle.result()

    def main() -> list[int]:
        found, generator = [], numbers()
        while (n := next(generator, None)) is not None:
            if n >= 0:
                found.append(n)
            else:
                sleep(0.001)
        return found

    assert loop.run(main) == [0, 2, 4]


@every_loop
def test_exit_stack(loop: Loop) -> None:
    assert loop.run(lambda: by_exit_stack(lambda s: s.spawn(double, 2)).result()) == 4


@every_loop
def test_misuse(loop: Loop) -> None:
    def main() -> None:
        s = scope()
        with pytest.raises(ohwait.OhwaitError, match=r"has not been entered; write `with ohwait\.scope\(\) as s:`"):
            s.spawn(double, 1)
        assert "not entered" in repr(s)
        with s:
            assert "open, 0 running" in repr(s)
        assert "ended" in repr(s)
        with pytest.raises(ohwait.OhwaitError, match="a scope that has ended"):
            s.spawn(double, 1)
        with pytest.raises(ohwait.OhwaitError, match="entered once"):
            s.__enter__()

    loop.run(main)


@pytest.mark.usefixtures("without_c_frames")
@every_loop
def test_run_where_nothing_can_be_waited_for_starts_nothing(loop: Loop) -> None:
    called: list[Scope] = []

    def main() -> None:
        with pytest.raises(ohwait.CFunctionError):
            list(map(scope().run, [called.append]))

    loop.run(main)
    assert called == []


@every_loop
def test_memory_of_a_scope_is_freed(loop: Loop) -> None:
    class Big:
        pass

    def work(big: Big) -> Big:
        sleep(0)
        return big

    def main() -> None:
        with pytest.raises(ExceptionGroup):
            by_with(lambda s: (s.spawn(work, Big()), s.spawn(fail, LookupError(Big()))))

    loop.run(main)
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, (Big, Scope))]
