"""Errors read as they would with await: texts, contexts and causes, tracebacks line by line, sys.exc_info()."""

from __future__ import annotations

import sys

import pytest
from core_tools import (
    Waiting,
    as_if_awaited,
    below,
    describe,
    drive,
    failing,
    host_of,
    outcome,
    pause,
    ready,
    start,
    step,
)

from ohwait import ohwait


@as_if_awaited
def test_an_error_of_the_awaitable() -> object:
    async def plain_inner(error: BaseException, value: object) -> object:
        return await failing(error, value)

    async def plain_outer(error: BaseException, value: object) -> object:
        result = await plain_inner(error, value)
        return result

    async def host(error: BaseException, value: object) -> object:
        return await plain_outer(error, value)

    class Own(Exception):
        pass

    errors = [
        ValueError("text", 1),
        KeyError("k"),
        Own(),
        KeyboardInterrupt("k"),
        SystemExit(3),
        GeneratorExit(),
        StopIteration(4),
        StopAsyncIteration(5),
        ExceptionGroup("g", [OSError(2, "no"), ValueError()]),
    ]
    return [outcome(host(error, 1)) for error in errors]


@as_if_awaited
def test_exceptions_thrown_by_hand() -> object:
    async def plain_inner() -> object:
        return await pause(1)

    async def plain_outer() -> object:
        return await plain_inner()

    async def host() -> object:
        return await plain_outer()

    thrown = [
        ValueError("v"),
        ValueError,
        KeyError(1, 2),
        KeyboardInterrupt,
        StopIteration(7),
        StopIteration,
        StopAsyncIteration(),
        SystemExit(1),
    ]
    return [outcome(host(), error) for error in thrown]


@as_if_awaited
def test_generator_exit_thrown_by_hand() -> object:
    """Natively each coroutine is closed with a GeneratorExit of its own; through plain functions it is one, which has
    passed all of them: so the lists of frames differ, and nothing else."""

    async def plain_inner(log: list[str]) -> object:
        try:
            return await pause(1)
        except GeneratorExit as error:
            log.append(f"inner {error!r} {error.__context__!r}")
            raise

    async def plain_outer(log: list[str]) -> object:
        try:
            return await plain_inner(log)
        finally:
            log.append("outer")

    async def host(log: list[str]) -> object:
        return await plain_outer(log)

    results = []
    for error in (GeneratorExit, GeneratorExit("x")):
        log: list[str] = []
        seen = outcome(host(log), error)
        seen[-1][1].pop("frames")
        results.append((seen, [text.replace("('x')", "()") for text in log]))
    return results


def test_generator_exit_swallowed_by_a_plain_function() -> None:
    """It goes on as after any exception that is handled; the host may finish, or wait again, which close() reports."""

    def plain() -> str:
        try:
            ohwait(pause())
        except GeneratorExit:
            return "swallowed"
        return "not closed"

    log = []

    async def finishes() -> None:
        log.append(plain())

    async def waits_again() -> None:
        log.append(plain())
        await pause()

    start(finishes()).close()
    again = start(waits_again())
    with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
        again.close()
    assert log == ["swallowed"] * 2
    drive(again)


@as_if_awaited
def test_throw_after_some_steps() -> object:
    async def plain_outer(log: list[object]) -> object:
        for n in range(3):
            try:
                log.append(await pause(n))
            except ValueError as error:
                log.append(describe(error))
        return await pause("last")

    async def host(log: list[object]) -> object:
        return await plain_outer(log)

    results = []
    for steps in ([1, ValueError(2), 3], [ValueError(1), ValueError(2), ValueError(3)], [1, 2, KeyError(3)], [0] * 4):
        log: list[object] = []
        results.append((outcome(host(log), *steps), log))
    return results


@as_if_awaited
def test_contexts_and_causes() -> object:
    async def plain_inner(how: str) -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            if how == "context":
                await failing(ValueError("second"))
            elif how == "cause":
                try:
                    await failing(ValueError("second"))
                except ValueError as other:
                    raise OSError("third") from other
            elif how == "none":
                try:
                    await pause()
                finally:
                    raise OSError("third") from None
            elif how == "reraise":
                await pause()
                raise
            elif how == "again":
                await failing(error)

    async def plain_outer(how: str) -> None:
        try:
            await plain_inner(how)
        finally:
            await pause("finally")

    async def host(how: str) -> None:
        await plain_outer(how)

    hows = ["context", "cause", "none", "reraise", "again"]
    steps: list[tuple[object, ...]] = [(), (TypeError("thrown"),), (1, TypeError("thrown")), (KeyboardInterrupt(),)]
    return [outcome(host(how), *some) for how in hows for some in steps]


def test_the_context_is_what_is_handled_nearest_to_the_call() -> None:
    """Plain functions share the host's handled exceptions, as they do without a suspension: the innermost counts.
    (Natively each coroutine that an exception is thrown through replaces the context; the outermost is left.)"""

    def inner() -> None:
        try:
            raise KeyError("inner")
        except KeyError:
            ohwait(pause())

    def outer() -> None:
        try:
            raise IndexError("outer")
        except IndexError:
            inner()

    async def host() -> None:
        try:
            raise OSError("host")
        except OSError:
            outer()

    context = outcome(host(), ValueError("thrown"))[-1][1]["context"]
    assert [context["text"], context["context"]["text"]] == ["'inner'", "outer"]
    assert context["context"]["context"]["text"] == "host"


@as_if_awaited
def test_the_context_of_what_is_thrown_into_the_host() -> object:
    """As asyncio does with the exception of a task: it is thrown into the one that waits for it."""

    async def plain_inner(seen: list[object]) -> None:
        try:
            raise KeyError(3)
        except KeyError:
            try:
                await pause()
            except ValueError as error:
                seen.append(describe(error))
                raise

    async def host(seen: list[object]) -> None:
        await plain_inner(seen)

    results: list[object] = []
    for error in (ValueError("new"), ValueError, ValueError("with").with_traceback(None)):
        results += [outcome(host(results), error)]
    return results


@as_if_awaited
def test_a_context_given_beforehand_is_kept() -> object:
    async def plain_inner() -> None:
        try:
            raise KeyError(1)
        except KeyError:
            await pause()

    async def host() -> None:
        await plain_inner()

    error = ValueError("thrown")
    error.__context__ = OSError("before")
    return outcome(host(), error)


@as_if_awaited
def test_handlers_see_their_own_exception() -> object:
    """sys.exc_info() in nested handlers of every frame, before and after the suspension."""

    async def plain_inner(seen: list[object]) -> None:
        seen.append(("inner", repr(sys.exc_info()[1])))
        try:
            raise KeyError("inner")
        except KeyError:
            seen.append(await look(seen, "handler"))
            seen.append(("in handler", repr(sys.exc_info()[1])))
            try:
                raise OSError("nested")
            except OSError:
                await look(seen, "nested")
                seen.append(("in nested", repr(sys.exc_info()[1])))
            seen.append(("after nested", repr(sys.exc_info()[1])))
            await look(seen, "last")
        seen.append(("after", repr(sys.exc_info()[1])))
        await look(seen, "out")

    async def look(seen: list[object], where: str) -> None:
        seen.append((where, repr(sys.exc_info()[1])))
        sent = await pause(where)
        seen.append((where, sent, repr(sys.exc_info()[1])))

    async def plain_outer(seen: list[object]) -> None:
        try:
            raise IndexError("outer")
        except IndexError:
            await plain_inner(seen)
            seen.append(("outer", repr(sys.exc_info()[1])))
        seen.append(("outer after", repr(sys.exc_info()[1])))

    async def host(seen: list[object]) -> None:
        seen.append(("host", repr(sys.exc_info()[1])))
        await plain_outer(seen)
        seen.append(("host after", repr(sys.exc_info()[1])))

    results: list[object] = []
    for handled in (False, True):
        seen: list[object] = []
        try:
            if handled:
                raise RuntimeError("of the driver")
            results.append(outcome(host(seen), 1, 2, 3, 4))
        except RuntimeError:
            coroutine = host(seen)
            results.append(outcome(coroutine, 1, 2))
        results.append(seen[1:])
    return results


@as_if_awaited
def test_exceptions_driven_from_different_handlers() -> object:
    """The driver's own handled exception shows through, and may be another one at each step."""

    async def plain_inner(seen: list[object]) -> None:
        for n in range(3):
            await pause(n)
            seen.append(repr(sys.exc_info()[1]))
        raise ValueError("end")

    async def host(seen: list[object]) -> None:
        await plain_inner(seen)

    seen: list[object] = []
    coroutine = host(seen)
    coroutine.send(None)
    for error in (KeyError("a"), OSError("b"), TypeError("c")):
        try:
            raise error
        except type(error):
            seen.append(step(coroutine.send, None))
    return seen


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature:DeprecationWarning")
@as_if_awaited
def test_bad_arguments_of_throw() -> object:
    async def plain_inner() -> object:
        return await pause("waiting")

    async def host() -> object:
        return await plain_inner()

    def try_it(*args: object) -> object:
        coroutine = host()
        coroutine.send(None)
        try:
            return step(coroutine.throw, *args)
        finally:
            coroutine.close()

    try:
        raise OSError
    except OSError as error:
        traceback = error.__traceback__
    arguments: list[tuple[object, ...]] = [
        (1,),
        ("string",),
        (int,),
        (None,),
        (object(),)[:0],
        (ValueError, ValueError("v")),
        (ValueError, "text"),
        (ValueError, ("a", "b")),
        (ValueError, None, traceback),
        (ValueError("instance"), "value"),
        (ValueError, None, 5),
        (ValueError("a"), None, None),
        (BaseException,),
    ]
    results = []
    for some in arguments:
        result = try_it(*some)
        results.append((result[0], result[1] if result[0] != "raise" else (result[1]["type"], result[1]["text"])))
    return results


REFUSED = [None, 1, "text", [], object(), (n for n in ()), iter([]), type, lambda: None]


class AwaitReturns:
    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> object:
        return self.value


class AwaitFails:
    def __await__(self) -> object:
        raise ZeroDivisionError("in __await__")


@pytest.mark.parametrize("position", range(len(REFUSED) + 5))
def test_texts_for_what_await_refuses(position: int) -> None:
    coroutine = ready()
    extra = [AwaitReturns(5), AwaitReturns([]), AwaitReturns(coroutine), AwaitFails(), AwaitReturns(None)]
    refused = [*REFUSED, *extra][position]

    async def native() -> object:
        return await refused

    expected, found = step(drive, native()), step(drive, host_of(lambda: ohwait(refused)))
    coroutine.close()
    assert expected[0] == found[0] == "raise"
    keys = ("type", "text", "cause", "context", "suppressed")
    assert [found[1][key] for key in keys] == [expected[1][key] for key in keys]


@as_if_awaited
def test_texts_for_coroutines_awaited_already() -> object:
    async def plain_wait(awaitable: object) -> object:
        return await awaitable

    async def host(awaitable: object) -> object:
        return await plain_wait(awaitable)

    finished, waited = ready(), Waiting(1)
    drive(finished)
    suspended = start(host(pause()))
    inner = pause()
    held = start(host(inner))
    results = [outcome(host(finished)), outcome(host(suspended)), outcome(host(inner)), outcome(host(waited))]
    suspended.close()
    held.close()
    return results


@as_if_awaited
def test_texts_for_a_coroutine_that_runs_already() -> object:
    async def plain_wait(holder: list[object]) -> object:
        await pause()
        return await holder[0]

    async def host(holder: list[object]) -> object:
        try:
            return await plain_wait(holder)
        except (RuntimeError, ValueError) as error:
            return type(error).__name__, str(error)

    holder: list[object] = []
    holder.append(host(holder))
    result = outcome(holder[0])
    holder.clear()
    return result


def test_wrong_number_of_arguments() -> None:
    for call in (lambda: ohwait(), lambda: ohwait(1, 2), lambda: ohwait(awaitable=1), lambda: ohwait(*())):
        with pytest.raises(TypeError, match=r"ohwait\(\)"):
            drive(host_of(call))


def test_the_hidden_functions_are_in_no_traceback() -> None:
    with pytest.raises(ValueError) as caught:
        drive(host_of(lambda: below(3, lambda: ohwait(failing(ValueError("x"))))))
    names = [entry[1] for entry in describe(caught.value)["frames"]]
    assert names == [
        "test_the_hidden_functions_are_in_no_traceback",
        "drive",
        "host_of",
        "<lambda>",
        *["below"] * 4,
        "<lambda>",
        "failing",
    ]
