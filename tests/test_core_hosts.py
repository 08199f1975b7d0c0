"""Everything that can be a host, and everything that can stand in a chain: compared with await, step by step."""

from __future__ import annotations

import types

from core_tools import (
    Waiting,
    as_if_awaited,
    below,
    drive,
    function_names,
    host_of,
    outcome,
    pause,
    ready,
    start,
    step,
)

from ohwait import ohwait


@as_if_awaited
def test_values_sent_by_hand() -> object:
    async def plain_ask(question: object) -> object:
        return question, await pause(question)

    async def plain_all() -> list[object]:
        answers = []
        for n in range(5):
            answers.append(await plain_ask(n))
        return answers

    async def host() -> object:
        first = await plain_ask("first")
        return first, await plain_all(), await plain_ask("last")

    return outcome(host(), "a", 1, None, ["list"], {}, (), StopIteration, "b"), outcome(host(), *range(7))


@as_if_awaited
def test_an_async_generator_as_host() -> object:
    """asend, athrow and aclose of a generator that calls plain functions which wait."""

    async def plain_note(log: list[object], value: object) -> object:
        try:
            log.append(("got", await pause(("out", value))))
        except ValueError as error:
            log.append(("error", repr(error)))
        except GeneratorExit:
            log.append("closed")
            raise
        return value

    async def numbers(log: list[object]):
        try:
            for n in range(3):
                try:
                    log.append(("sent", (yield await plain_note(log, n))))
                except KeyError as error:
                    log.append(("thrown", repr(error), await plain_note(log, "handler")))
        finally:
            log.append("finally")
            await plain_note(log, "at the end")

    async def read(log: list[object]) -> object:
        generator = numbers(log)
        results = [await generator.asend(None), await generator.asend("s1")]
        results.append(await generator.athrow(KeyError("k")))
        await generator.aclose()
        return results

    async def read_half(log: list[object]) -> object:
        generator = numbers(log)
        results = [item async for item in generator]
        return results

    async def close_early(log: list[object]) -> object:
        generator = numbers(log)
        first = None
        async for item in generator:
            first = item
            break
        await generator.aclose()
        return first

    results: list[object] = []
    for function in (read, read_half, close_early):
        for steps in ((), (1, 2, 3), (1, ValueError("v"), 3), (OSError("e"),), (1, OSError("e"))):
            log: list[object] = []
            results += [outcome(function(log), *steps), log]
    return results


@as_if_awaited
def test_asend_athrow_aclose_driven_by_hand() -> object:
    async def plain_wait(value: object) -> object:
        return await pause(value)

    async def generator():
        try:
            got = yield await plain_wait("a")
            yield (got, await plain_wait("b"))
        except KeyError:
            yield await plain_wait("c")
        finally:
            await plain_wait("d")

    results: list[object] = []
    for throw in (False, True):
        agen = generator()
        results.append(outcome(agen.asend(None), "s"))
        results.append(outcome(agen.athrow(KeyError("k")) if throw else agen.asend("got"), "t"))
        closing = agen.aclose()
        results += [step(closing.send, None), step(closing.throw, OSError("in finally"))]
    return results


@as_if_awaited
def test_a_generator_based_coroutine_as_host() -> object:
    async def plain_wait(value: object) -> object:
        return await pause(value)

    async def plain_twice() -> object:
        return [await plain_wait(1), await plain_wait(2)]

    @types.coroutine
    def old_style():
        first = yield "own"
        twice = yield from twice_of().__await__()
        last = yield "own again"
        return first, twice, last

    async def twice_of() -> object:
        return await plain_twice()

    async def host() -> object:
        return await old_style()

    return outcome(host(), *"abcd"), outcome(host(), "a", KeyError("k")), outcome(old_style(), *"abcd")


def test_a_generator_based_coroutine_that_calls_the_plain_function_itself() -> None:
    @types.coroutine
    def old_style():
        first = yield "own"
        second = below(3, lambda: ohwait(pause("plain")))
        return first, second, (yield "end")

    async def host() -> object:
        return await old_style()

    assert outcome(host(), 1, 2, 3)[-1] == ("return", (1, 2, 3))
    assert outcome(old_style(), 1, 2, 3) == [
        ("yield", "own"),
        ("yield", "plain"),
        ("yield", "end"),
        ("return", (1, 2, 3)),
    ]
    closed = start(old_style())
    closed.send(None)
    closed.close()


@as_if_awaited
def test_waiting_in_except_finally_and_with() -> object:
    class Manager:
        def __init__(self, log: list[object]) -> None:
            self.log = log

        def __enter__(self) -> None:
            self.log.append("enter")

        def __exit__(self, kind: object, value: object, traceback: object) -> bool:
            self.log.append(f"exit {value!r}")
            return isinstance(value, OSError)

    async def plain_steps(log: list[object]) -> object:
        with Manager(log):
            try:
                log.append(await pause("try"))
                raise KeyError(1)
            except KeyError as error:
                log.append(await pause("except"))
                log.append(repr(error))
            else:
                log.append("else")
            finally:
                log.append(await pause("finally"))
        with Manager(log), Manager(log):
            await pause("with")
            raise OSError(2)
        for n in range(3):
            try:
                if n == 1:
                    continue
                await pause(n)
            finally:
                log.append(await pause(("finally", n)))
        while True:
            try:
                return await pause("return")
            finally:
                await pause("on return")

    async def host(log: list[object]) -> object:
        with Manager(log):
            return await plain_steps(log)

    results: list[object] = []
    for count in range(11):
        for thrown in (ValueError("v"), KeyError("k"), OSError("o")):
            log: list[object] = []
            seen = outcome(host(log), *range(count), thrown)
            results.append(([kind for kind, _ in seen], seen[:-1], log))
    return results


@as_if_awaited
def test_recursion_with_the_wait_at_every_level() -> object:
    async def plain_tree(depth: int, log: list[int]) -> int:
        if depth == 0:
            return await pause(0)
        left = await plain_tree(depth - 1, log)
        log.append(await pause(depth))
        right = await plain_tree(depth - 1, log)
        return left + right + 1

    async def host(log: list[int]) -> int:
        return await plain_tree(4, log)

    log: list[int] = []
    return outcome(host(log), *range(40)), log


@as_if_awaited
def test_code_shared_by_calls_that_do_and_do_not_suspend() -> object:
    async def plain_maybe(wait: bool, value: int) -> int:
        return await (pause(value) if wait else ready(value))

    async def plain_sum(pattern: str) -> object:
        return [await plain_maybe(letter == "w", n) for n, letter in enumerate(pattern)]

    async def host(pattern: str) -> object:
        return [await plain_maybe(letter == "w", n) for n, letter in enumerate(pattern)], await plain_sum(pattern)

    return [outcome(host(pattern), *range(50, 90)) for pattern in ("wnwnw", "nnnn", "w", "nw" * 12, "wwwnnn", "n")]


def test_comprehensions_in_the_chain() -> None:
    """They are frames of their own on CPython 3.11 and part of the function on later ones."""

    def plain() -> object:
        rows = [[ohwait(pause((a, b))) for b in range(2)] for a in range(2)]
        keys = {ohwait(pause(n)): ohwait(pause(n)) for n in range(2)}
        return rows, keys, {ohwait(pause(9)) for _ in range(2)}

    assert drive(host_of(plain), range(10)) == ([[0, 1], [2, 3]], {4: 5, 6: 7}, {8, 9})


def test_many_kinds_of_python_call_in_the_chain() -> None:
    class Kinds:
        attribute = 5

        def method(self, a: int, *, b: int = 2) -> object:
            return a, b, ohwait(pause(a))

        @classmethod
        def of_class(cls, a: int) -> object:
            return cls, ohwait(pause(a))

        @staticmethod
        def static(a: int = 3) -> object:
            return a, ohwait(pause(a))

    def default(a: int, b: int = 4, *rest: int, c: int = 6, **more: int) -> object:
        return a, b, rest, c, more, ohwait(pause(a))

    kinds = Kinds()

    def plain() -> list[object]:
        bound = kinds.method
        return [
            kinds.method(1),
            kinds.method(1, b=3),
            bound(4),
            Kinds.method(kinds, 5),
            Kinds.of_class(6),
            kinds.static(),
            default(1),
            default(1, 2),
            (lambda x: default(x, c=7))(8),
        ]

    results = drive(host_of(plain), "abcdefghi")
    assert [result[-1] for result in results] == list("abcdefghi")
    assert results[8] == (8, 4, (), 7, {}, "i") and results[1][:2] == (1, 3)


@as_if_awaited
def test_nested_fifty_deep() -> object:
    """A plain function waits for a coroutine that calls a plain function, and so on."""

    async def plain_level(depth: int) -> object:
        before = await pause(("down", depth))
        inner = await coroutine_level(depth - 1) if depth else None
        return depth, before, inner, await pause(("up", depth))

    async def coroutine_level(depth: int) -> object:
        return await plain_level(depth)

    return outcome(coroutine_level(50), *range(102)), outcome(coroutine_level(50), *range(60), KeyError("deep"))


def test_f_back_within_the_awaitable_at_every_step() -> None:
    """The awaitable sees all callers down to the host, at its first step and at later ones."""
    import sys

    seen = []

    async def look() -> None:
        for _ in range(3):
            seen.append(function_names(sys._getframe()))
            await pause()
        seen.append(function_names(sys._getframe()))

    def inner() -> None:
        ohwait(look())

    def outer() -> None:
        inner()

    async def host() -> None:
        outer()

    drive(host())
    assert seen == [["look", "inner", "outer", "host"]] * 4


def test_all_kinds_of_awaitable() -> None:
    async def number():
        yield await pause("in asend")

    @types.coroutine
    def old_style(value: object):
        return (yield value)

    def generator(value: object):
        return (yield value)

    class Returns:
        def __init__(self, iterator: object) -> None:
            self.iterator = iterator

        def __await__(self) -> object:
            return self.iterator

    def ask() -> list[object]:
        agen = number()
        return [
            ohwait(pause("coroutine")),
            ohwait(old_style("old")),
            ohwait(Waiting("python", "twice")),
            ohwait(Returns(iter(["C iterator", "again"]))),
            ohwait(Returns(map(str, [1]))),
            ohwait(Returns(generator("generator"))),
            ohwait(agen.asend(None)),
            ohwait(agen.aclose()),
            ohwait(pause("wrapped")),
        ]

    sent = [0, 1, 2, 3, None, None, None, 7, 8, 9]  # What C iterates takes None only.
    out = outcome(host_of(ask), *sent)
    assert [value for kind, value in out if kind == "yield"] == [
        "coroutine",
        "old",
        "python",
        "twice",
        "C iterator",
        "again",
        "1",
        "generator",
        "in asend",
        "wrapped",
    ]
    assert out[-1] == ("return", [0, 1, [2, 3], None, None, 7, 8, None, 9])
