"""Plain generators in the chain, where the interpreter runs them inline: a `for` specialised for generators."""

from __future__ import annotations

import pytest
from core_tools import finish, host_of, pause, start, step

from ohwait import CFunctionError, _core, ohwait

pytestmark = pytest.mark.usefixtures("without_c_frames")  # 3.11 runs generators of a `for` through C.


def looped(values: object):
    for value in values:
        got = ohwait(pause(value))
        yield value, got


class Loop:
    """Asks that the `for` of its caller runs the generator inline."""

    def __init__(self, generator: object) -> None:
        self.generator = generator
        self.inline = False

    def __iter__(self) -> object:
        self.inline = _core.inline_next_loop()
        return self.generator


def test_a_plain_generator_in_the_chain() -> None:
    """Where the interpreter runs it in the same loop: a `for` that was specialised for generators."""

    def plain() -> object:
        found = []
        loop = Loop(looped(range(3)))
        for item in loop:
            found.append((item, ohwait(pause("body"))))
        return loop.inline, found

    host = host_of(plain)
    try:
        came = [host.send(None)]
    except CFunctionError as error:
        assert "looped" in str(error), "it says which generator"
        pytest.skip("this CPython runs generators through C, always")
    inline, found = finish(host, range(6))
    assert inline is True
    assert came == [0] and found == [((0, 0), 1), ((1, 2), 3), ((2, 4), 5)]


def inline_or_skip(generator: object) -> object:
    """A coroutine suspended within a plain generator within a plain function."""

    def plain() -> list[object]:
        return consume(Loop(generator))

    def consume(loop: Loop) -> list[object]:
        found = []
        for item in loop:
            found.append(item)
        return found

    try:
        return start(host_of(plain))
    except CFunctionError:
        pytest.skip("this CPython runs generators through C, always")


def test_generators_in_generators_in_the_chain() -> None:
    def outer(inner: object):
        for item in Loop(inner):
            yield ohwait(pause(("outer", item)))

    host = inline_or_skip(outer(outer(looped("ab"))))
    assert finish(host, range(6)) == [2, 5]


def test_a_generator_in_the_chain_is_closed_with_it() -> None:
    log = []

    def guarded():
        try:
            yield ohwait(pause())
        finally:
            log.append("finally")

    generator = guarded()
    host = inline_or_skip(generator)
    with pytest.raises(ValueError, match="generator already executing"):
        generator.send(None)
    with pytest.raises(ValueError, match="generator already executing"):
        generator.close()
    host.close()
    assert log == ["finally"]
    assert list(generator) == []


def test_an_error_in_a_generator_in_the_chain() -> None:
    def guarded():
        try:
            yield ohwait(pause())
        except ValueError as error:
            yield repr(error)
            raise KeyError("from the generator") from error

    host = inline_or_skip(guarded())
    result = step(host.throw, ValueError("v"))
    assert result[1]["type"] == "KeyError" and result[1]["cause"]["text"] == "v"
    assert [place[1] for place in result[1]["frames"]] == ["step", "host_of", "plain", "consume", "guarded"]


def test_a_dropped_chain_with_a_generator_in_it() -> None:
    """The host ignores GeneratorExit and is then dropped: the generator goes with the frames."""
    log = []

    def stubborn():
        for n in range(2):
            try:
                yield ohwait(pause(n))
            except GeneratorExit:
                log.append(n)

    host = inline_or_skip(stubborn())
    before = _core.counters()["cleared"]
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        host.close()
    assert log == [0] and _core.counters()["cleared"] == before
    host.close()
    assert log == [0, 1]
