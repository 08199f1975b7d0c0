"""Completion under every event loop: who waits gets the outcome once, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from core_tools import drive
from loops import Loop, every_loop

import ohwait
from ohwait.completion import (
    Completion,
    CompletionCancelled,
    CompletionError,
    CompletionLoopError,
    CompletionStateError,
    get_include,
)


def later(function: Callable[..., object], *args: object, seconds: float = 0.02) -> threading.Thread:
    """Call it in another thread, in a moment."""
    timer = threading.Timer(seconds, function, args)
    timer.start()
    return timer


async def outcome(completion: Completion[Any]) -> object:
    """The result, or the exception."""
    try:
        return await completion
    except Exception as error:
        return error


# ---- awaiting ----


@every_loop
@pytest.mark.parametrize("plain", [False, True], ids=["await", "ohwait"])
def test_a_thread_completes_what_a_task_waits_for(loop: Loop, plain: bool) -> None:
    async def main() -> None:
        completion: Completion[int] = Completion()
        thread = later(completion.set_result, 42)
        assert (ohwait.ohwait(completion) if plain else await completion) == 42
        assert completion.done() and completion.result() == 42 and completion.waiting == 0
        thread.join()

    loop.run_coroutine(main)


@every_loop
def test_one_who_comes_after_completion_never_waits(loop: Loop) -> None:
    async def main() -> None:
        completion: Completion[object] = Completion()
        completion.set_result(("a", "tuple"))
        for _ in range(3):
            with pytest.raises(StopIteration) as stop:
                completion.__await__().send(None)
            assert stop.value.value == ("a", "tuple")
        assert await completion == ("a", "tuple")

    loop.run_coroutine(main)


@pytest.mark.parametrize("value", [None, 1, (), (1, 2), ValueError("a value"), StopIteration(3)], ids=repr)
def test_any_value_comes_out_as_it_went_in(value: object) -> None:
    completion: Completion[object] = Completion()
    completion.set_result(value)

    async def main() -> object:
        return await completion

    assert drive(main()) is value


@every_loop
def test_many_tasks_wait_for_one(loop: Loop) -> None:
    async def main() -> None:
        completion: Completion[list[int]] = Completion()
        thread = later(completion.set_result, [1])
        with ohwait.scope() as scope:
            handles = [scope.spawn(outcome, completion) for _ in range(20)]
        results = [handle.result() for handle in handles]
        assert results == [[1]] * 20 and all(result is completion.result() for result in results)
        thread.join()

    loop.run_coroutine(main)


@every_loop
def test_an_exception_goes_to_each_with_a_traceback_of_its_own(loop: Loop) -> None:
    error = ValueError("from a thread")

    async def main() -> None:
        completion: Completion[None] = Completion()
        thread = later(completion.set_exception, error)
        lengths = []
        for _ in range(3):
            assert await outcome(completion) is error
            traceback, length = error.__traceback__, 0
            while traceback is not None:
                traceback, length = traceback.tb_next, length + 1
            lengths.append(length)
        assert lengths[0] == lengths[1] == lengths[2]
        assert completion.exception() is error
        thread.join()

    loop.run_coroutine(main)
    error.__traceback__ = None


@every_loop
@pytest.mark.parametrize("before", [True, False], ids=["before", "meanwhile"])
def test_cancelled_completion_is_an_error_of_its_own(loop: Loop, before: bool) -> None:
    async def main() -> None:
        completion: Completion[None] = Completion()
        thread = None
        if before:
            assert completion.cancel("why") is True
        else:
            thread = later(completion.cancel, "why")
        error = await outcome(completion)
        assert isinstance(error, CompletionCancelled) and error.args == ("why",)
        assert completion.cancelled() and completion.done() and completion.cancel() is False
        if thread:
            thread.join()

    loop.run_coroutine(main)


@every_loop
def test_cancelling_a_waiter_leaves_nothing_behind_and_the_others_waiting(loop: Loop) -> None:
    async def main() -> None:
        completion: Completion[int] = Completion()

        def wait() -> int:
            return ohwait.ohwait(completion)

        with ohwait.scope() as scope:
            other = scope.spawn(wait)
            assert await loop.within(0.02, wait) is None
            assert completion.waiting == 1 and not completion.done()
            completion.set_result(5)
        assert other.result() == 5

    loop.run_coroutine(main)


@every_loop
def test_completed_and_cancelled_in_one_turn(loop: Loop) -> None:
    """A wait that is cancelled between completion and wake-up: resumed once."""

    async def main() -> None:
        for first in ("complete", "cancel"):
            completion: Completion[int] = Completion()
            seen: list[object] = []

            async def wait(completion: Completion[int] = completion, seen: list[object] = seen) -> None:
                try:
                    seen.append(await completion)
                except BaseException as error:
                    seen.append(error)
                    raise

            with ohwait.scope() as scope:
                handle = scope.spawn(wait)
                await loop.sleep(0.01)
                if first == "cancel":
                    handle.cancel()
                thread = threading.Thread(target=completion.set_result, args=(1,))
                thread.start()
                thread.join()
                if first == "complete":
                    handle.cancel()
            assert len(seen) == 1 and (seen == [1] or isinstance(seen[0], BaseException))
            assert completion.result() == 1 and completion.waiting == 0
            seen.clear()

    loop.run_coroutine(main)


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_a_coroutine_that_is_closed_waits_no_longer(name: str) -> None:
    async def main() -> None:
        completion: Completion[int] = Completion()
        coroutine = outcome(completion)
        coroutine.send(None)
        coroutine.close()
        assert completion.waiting == 0
        completion.set_result(1)
        await asyncio.sleep(0.01)

    factory = asyncio.new_event_loop if name == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


@every_loop
def test_two_loops_in_two_threads(loop: Loop) -> None:
    completion: Completion[int] = Completion()
    results = []

    def other() -> None:
        results.append(asyncio.run(outcome(completion)))

    async def main() -> None:
        threads = [threading.Thread(target=other) for _ in range(3)]
        for thread in threads:
            thread.start()
        while completion.waiting < 3:
            await loop.sleep(0.001)
        later(completion.set_result, 7)
        results.append(await completion)
        for thread in threads:
            thread.join()

    loop.run_coroutine(main)
    assert results == [7] * 4


def test_a_hand_driven_coroutine_without_a_loop_is_told_so() -> None:
    completion: Completion[int] = Completion()
    with pytest.raises(CompletionLoopError, match="nothing runs in this thread that could wake"):
        drive(outcome_of := _bare(completion))
    outcome_of.close()
    assert completion.waiting == 0
    completion.set_result(3)
    assert drive(_bare(completion)) == 3


async def _bare(completion: Completion[int]) -> int:
    return await completion


def test_a_driver_that_is_no_task_is_told_so() -> None:
    async def main() -> None:
        completion: Completion[int] = Completion()
        coroutine = _bare(completion)
        yielded = coroutine.send(None)
        assert asyncio.isfuture(yielded) and yielded.get_loop() is asyncio.get_running_loop()
        with pytest.raises(CompletionLoopError, match="not by the asyncio Task"):
            coroutine.send(None)
        assert completion.waiting == 0

    asyncio.run(main())


def test_a_second_driver_does_not_take_the_wait_from_the_first() -> None:
    class Odd:
        """Lets itself be awaited twice."""

        def __init__(self, iterator: Any) -> None:
            self.iterator = iterator

        def __await__(self) -> Any:
            return self.iterator

    async def main() -> None:
        completion: Completion[int] = Completion()
        odd = Odd(completion.__await__())
        task: asyncio.Task[int] = asyncio.create_task(wait_for(odd))
        await asyncio.sleep(0)
        with pytest.raises(CompletionLoopError, match="one Task"):
            await odd
        completion.set_result(1)
        assert await task == 1

    async def wait_for(odd: Odd) -> int:
        result: int = await odd
        return result

    asyncio.run(main())


def test_a_wait_that_goes_on_in_another_loop_is_refused() -> None:
    completion: Completion[int] = Completion()
    coroutine = _bare(completion)

    async def begin() -> object:
        return coroutine.send(None)

    yielded = asyncio.run(begin())

    class Again:
        def __await__(self) -> Any:
            yield yielded
            return (yield from coroutine.__await__())

    async def go_on() -> object:
        return await Again()

    with pytest.raises(RuntimeError, match="attached to a different loop"):
        asyncio.run(go_on())
    coroutine.close()
    assert completion.waiting == 0


def test_a_pinned_backend_guards_plain_code() -> None:
    trio = pytest.importorskip("trio")
    completion: Completion[int] = Completion()

    async def main() -> None:
        ohwait.use_trio()
        try:
            with pytest.raises(ohwait.BackendError):
                ohwait.ohwait(completion)
        finally:
            ohwait.use_auto()
        assert completion.waiting == 0

    asyncio.run(main())
    assert trio is not None


def test_asyncio_takes_it_where_it_takes_awaitables() -> None:
    async def main() -> None:
        completions: list[Completion[int]] = [Completion() for _ in range(4)]
        for number, completion in enumerate(completions):
            later(completion.set_result, number)
        waited: list[Any] = [
            asyncio.gather(*completions),
            asyncio.wait_for(completions[1], 5),
            asyncio.shield(completions[2]),
            asyncio.ensure_future(completions[3]),
        ]
        assert await asyncio.gather(*waited) == [[0, 1, 2, 3], 1, 2, 3]
        never: Completion[int] = Completion()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(never, 0.01)
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.gather(never, never)
        assert not never.cancelled() and never.waiting == 0

    asyncio.run(main())


def test_asyncio_wait_takes_completions_themselves() -> None:
    async def main() -> None:
        first, second = Completion[int](), Completion[int]()
        later(first.set_result, 1)
        waited: Any = [first, second]
        done, pending = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        assert (done, pending) == ({first}, {second})
        assert second.waiting == 0

    asyncio.run(main())


def test_a_task_that_lets_the_cancellation_pass_is_cancelled_in_asyncio() -> None:
    async def main() -> None:
        completion: Completion[int] = Completion()
        task = asyncio.create_task(_bare(completion))
        await asyncio.sleep(0)
        completion.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())


def test_debug_mode_and_reprs() -> None:
    async def main() -> None:
        completion: Completion[int] = Completion()
        task = asyncio.create_task(_bare(completion))
        await asyncio.sleep(0)
        assert "wait for <Completion pending, 1 waiting>" in repr(task)
        later(completion.set_result, 1)
        assert await task == 1
        assert repr(completion) == "<Completion with result 1>"

    asyncio.run(main(), debug=True)


# ---- callbacks ----


@every_loop
def test_callbacks_are_called_once_in_their_loop_and_context(loop: Loop) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nothing")
    seen: list[tuple[object, str, bool]] = []

    def callback(completion: Completion[int]) -> None:
        seen.append((completion.result(), variable.get(), threading.current_thread() is threading.main_thread()))

    async def main() -> None:
        completion: Completion[int] = Completion()
        variable.set("mine")
        context = contextvars.copy_context()
        context.run(variable.set, "given")
        completion.add_done_callback(callback)
        completion.add_done_callback(callback, context=context)
        assert completion.waiting == 2
        thread = later(completion.set_result, 1, seconds=0)
        await completion
        thread.join()
        await loop.sleep(0.01)
        completion.add_done_callback(callback)
        await loop.sleep(0.01)

    loop.run_coroutine(main)
    in_loop = loop.name != "curio"  # curio has no means to have a loop call something: the completing thread does.
    assert seen == [(1, "mine", in_loop), (1, "given", in_loop), (1, "mine", True)]


def test_without_a_loop_who_completes_calls() -> None:
    seen: list[object] = []
    completion: Completion[int] = Completion()
    completion.add_done_callback(seen.append)
    completion.add_done_callback(seen.append)
    completion.set_result(1)
    assert seen == [completion, completion]
    completion.add_done_callback(seen.append)
    assert seen == [completion] * 3
    seen.clear()


def test_callbacks_are_removed_by_equality() -> None:
    seen: list[object] = []
    completion: Completion[int] = Completion()
    for callback in (seen.append, print, seen.append):
        completion.add_done_callback(callback)
    assert completion.remove_done_callback(seen.append) == 2
    assert completion.waiting == 1
    assert completion.remove_done_callback(print) == 1
    completion.set_result(1)
    assert seen == [] and completion.remove_done_callback(print) == 0


def test_a_comparison_that_changes_the_list_is_survived() -> None:
    completion: Completion[int] = Completion()

    class Odd:
        def __call__(self, completion: object) -> None: ...

        def __eq__(self, other: object) -> bool:
            if not completion.done():
                completion.set_result(1)
            return True

        __hash__ = None  # type: ignore[assignment]

    for _ in range(5):
        completion.add_done_callback(Odd())
    assert completion.remove_done_callback(Odd()) == 0
    assert completion.waiting == 0


def test_exceptions_of_callbacks_are_reported() -> None:
    def fail(completion: object) -> None:
        raise ValueError("in the callback")

    reported: list[Any] = []
    seen: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, facts: reported.append(facts))
        completion: Completion[int] = Completion()
        completion.add_done_callback(fail)
        completion.add_done_callback(seen.append)
        threading.Thread(target=completion.set_result, args=(1,)).start()
        await asyncio.sleep(0.02)

    asyncio.run(main())
    assert [str(facts["exception"]) for facts in reported] == ["in the callback"]
    assert len(seen) == 1
    reported.clear()
    seen.clear()

    before, sys.unraisablehook = sys.unraisablehook, reported.append
    try:
        completion: Completion[int] = Completion()
        completion.add_done_callback(fail)
        completion.set_result(2)
    finally:
        sys.unraisablehook = before
    assert [str(facts.exc_value) for facts in reported] == ["in the callback"]
    reported.clear()


def test_keyboard_interrupt_in_a_callback_is_not_kept_back() -> None:
    seen: list[object] = []

    def interrupt(completion: object) -> None:
        raise KeyboardInterrupt

    completion: Completion[int] = Completion()
    completion.add_done_callback(interrupt)
    completion.add_done_callback(seen.append)
    with pytest.raises(KeyboardInterrupt):
        completion.set_result(1)
    assert seen == [completion] and completion.result() == 1
    seen.clear()

    async def main() -> None:
        completion: Completion[int] = Completion()
        completion.add_done_callback(interrupt)
        completion.add_done_callback(seen.append)
        threading.Thread(target=completion.set_result, args=(1,)).start()
        await asyncio.sleep(1)

    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    loop.run_until_complete(asyncio.sleep(0.01))  # The others' turn.
    assert len(seen) == 1
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    seen.clear()


def test_the_order_of_events_in_one_loop_is_a_futures() -> None:
    async def events(make: Callable[[], Any]) -> list[object]:
        log: list[object] = []
        loop = asyncio.get_running_loop()
        awaitables = [make() for _ in range(3)]

        async def wait(number: int) -> None:
            await awaitables[number]
            log.append(number)

        tasks = [asyncio.create_task(wait(number)) for number in range(3)]
        await asyncio.sleep(0)
        loop.call_soon(log.append, "before")
        awaitables[2].add_done_callback(lambda _: log.append("callback"))
        awaitables[2].set_result(None)
        awaitables[0].set_result(None)
        loop.call_soon(log.append, "between")
        awaitables[1].set_result(None)
        loop.call_soon(log.append, "after")
        await asyncio.wait(tasks)
        return log

    async def main() -> None:
        expected = await events(asyncio.get_running_loop().create_future)
        assert await events(Completion) == expected

    asyncio.run(main())


# ---- errors ----


def test_completing_twice() -> None:
    completion: Completion[int] = Completion()
    completion.set_result(1)
    calls: list[Callable[[], object]] = [
        lambda: completion.set_result(2),
        lambda: completion.set_exception(ValueError()),
    ]
    for call in calls:
        with pytest.raises(CompletionStateError, match="is complete already") as caught:
            call()
        assert isinstance(caught.value, asyncio.InvalidStateError) and isinstance(caught.value, CompletionError)
        assert isinstance(caught.value, ohwait.OhwaitError)
    assert completion.cancel() is False and completion.result() == 1


def test_asking_too_early() -> None:
    completion: Completion[int] = Completion()
    for method in (completion.result, completion.exception):
        with pytest.raises(CompletionStateError, match="not complete yet"):
            method()
    completion.cancel()
    for method in (completion.result, completion.exception):
        with pytest.raises(CompletionCancelled):
            method()


def test_what_is_no_exception_is_refused() -> None:
    completion: Completion[int] = Completion()
    for wrong in (1, "text", int, StopIteration, StopIteration(1)):
        with pytest.raises(TypeError):
            completion.set_exception(wrong)  # type: ignore[arg-type]
    assert not completion.done()
    completion.set_exception(LookupError)
    assert isinstance(completion.exception(), LookupError)


def test_wrong_arguments_are_refused() -> None:
    class Same(Completion[int]):
        pass

    completion: Completion[int] = Completion()
    wrong: list[Callable[[], object]] = [
        lambda: Completion(1),  # type: ignore[call-arg]
        lambda: Same(name=1),  # type: ignore[call-arg]
        lambda: completion.add_done_callback(1),  # type: ignore[arg-type]
        lambda: completion.add_done_callback(print, context=1),  # type: ignore[arg-type]
        lambda: completion.add_done_callback(),  # type: ignore[call-arg]
        lambda: completion.set_result(),  # type: ignore[call-arg]
        lambda: completion.cancel(1, 2),  # type: ignore[call-arg]
        lambda: type(completion.__await__())(),
    ]
    for call in wrong:
        with pytest.raises(TypeError):
            call()
    assert not completion.done() and completion.waiting == 0


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_completing_after_the_loop_was_closed(name: str) -> None:
    factory = asyncio.new_event_loop if name == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    completion: Completion[int] = Completion()
    loop = factory()
    seen: list[object] = []
    loop.set_exception_handler(lambda _, facts: None)  # "Task was destroyed but it is pending!"

    async def start() -> object:
        asyncio.get_running_loop().call_soon(lambda: None)
        task = asyncio.get_running_loop().create_task(_bare(completion))
        await asyncio.sleep(0)
        return task

    task = loop.run_until_complete(start())
    loop.close()
    completion.add_done_callback(seen.append)
    with pytest.raises(CompletionLoopError, match=r"cannot be woken.*closed") as caught:
        completion.set_result(1)
    assert caught.value.__cause__ is not None
    assert completion.result() == 1 and completion.waiting == 0 and seen == [completion]
    seen.clear()
    del task
    gc.collect()


def test_completing_after_trio_has_ended() -> None:
    trio = pytest.importorskip("trio")
    completion: Completion[int] = Completion()

    async def main() -> None:
        completion.add_done_callback(print)

    trio.run(main)
    with pytest.raises(CompletionLoopError, match="cannot be woken"):
        completion.set_result(1)
    assert completion.result() == 1


def test_destroyed_while_awaited() -> None:
    """Nobody holds it but the task that waits for it: both go, as with a Future."""
    told: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, facts: told.append(facts["message"]))
        completion: Completion[int] = Completion()
        reference = weakref.ref(completion)
        task = asyncio.create_task(_bare(completion))
        await asyncio.sleep(0)
        del completion, task
        gc.collect()
        assert reference() is None
        await asyncio.sleep(0)

    asyncio.run(main())
    assert told == ["Task was destroyed but it is pending!"]


# ---- the object ----


def test_it_can_be_subclassed_and_parametrised() -> None:
    class Named(Completion[int]):
        def __init__(self, name: str) -> None:
            self.name = name

    named = Named("mine")
    named.set_result(1)
    assert (named.name, named.result(), repr(named)) == ("mine", 1, "<Named with result 1>")
    assert Completion[int].__origin__ is Completion


def test_a_cycle_with_its_own_result_is_collected() -> None:
    completion: Completion[Any] = Completion()
    completion.set_result([completion])
    assert "..." in repr(completion)
    pending: Completion[Any] = Completion()
    pending.add_done_callback(lambda _, pending=pending: None)
    references = [weakref.ref(completion), weakref.ref(pending)]
    del completion, pending
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_completions_in_completions_are_dropped_without_recursion() -> None:
    outer: Completion[Any] = Completion()
    for _ in range(200_000):
        inner, outer = outer, Completion()
        outer.set_result(inner)
    del inner, outer


def test_the_c_module_alone_configures_itself() -> None:
    script = """if True:
        import sys
        from ohwait import _completion
        assert "ohwait.completion" not in sys.modules
        async def wait(): await _completion.Completion()
        try:
            wait().send(None)
        except RuntimeError as error:
            print(type(error).__name__)
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "CompletionLoopError\n", "")


def test_what_the_collector_shows_can_be_called() -> None:
    """A callback in the list is of the same type as a wait; nothing done to it by way of gc brings harm."""
    completion: Completion[int] = Completion()
    seen: list[object] = []
    completion.add_done_callback(seen.append)
    (entry,) = gc.get_referents(completion)
    waiter: Any = entry
    for call in (
        waiter.close,
        waiter.done,
        waiter.cancel,
        waiter.result,
        waiter.cancelled,
        lambda: waiter.remove_done_callback(print),
        lambda: repr(waiter),
        lambda: waiter._asyncio_future_blocking,
    ):
        call()
    for call in (
        lambda: waiter.send(None),
        lambda: next(waiter),
        lambda: waiter.throw(ValueError),
        lambda: waiter.add_done_callback(print),
        lambda: waiter.get_loop(),
        lambda: waiter.throw(1),
    ):
        with pytest.raises((TypeError, ValueError, CompletionError)):
            call()
    completion.set_result(1)
    assert seen == [completion]
    seen.clear()


def test_the_header_is_where_it_is_said_to_be() -> None:
    with open(f"{get_include()}/ohwait.h") as header:
        assert "ohwait_create" in header.read()
