"""Scopes that an exception leaves while children run and nothing can be waited for."""

import gc
import logging
from collections.abc import Iterator

import pytest
from loops import Loop, every_loop
from scopes import Forever, by_with, double

import ohwait
from ohwait import Handle, Scope, sleep

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def auto() -> Iterator[None]:
    yield
    ohwait.use_auto()


@pytest.mark.usefixtures("without_c_frames")
class TestLeftBehind:
    """An exception leaves the body of a ``with`` statement while children run: nothing can be waited for there."""

    @every_loop
    def test_it_is_an_error_and_the_children_end(self, loop: Loop) -> None:
        error, children = LookupError("of the body"), [Forever(), Forever(cleanup=0.002)]
        handles: list[Handle[None]] = []

        def body(s: Scope) -> None:
            handles.extend(s.spawn(child) for child in children)
            children[1].wait_for_start()
            children[0].wait_for_start()
            raise error

        def main() -> None:
            before = loop.tasks()
            with pytest.raises(ohwait.CFunctionError, match=r"scope\(\)\.run\(body\)") as caught:
                by_with(body)
            assert caught.value.__cause__ is error
            assert caught.value.function == "by_with"
            assert caught.value.filename == by_with.__code__.co_filename
            assert "LookupError('of the body') left the body" in str(caught.value)
            assert "2 of its children ran" in str(caught.value)
            gc.collect()
            for handle in handles:
                with pytest.raises(ohwait.OhwaitError, match="was cancelled"):
                    handle.result()
            sleep(0.01)
            assert loop.tasks() == before

        loop.run(main)
        assert [child.log for child in children] == [["started", "cancelled"]] * 2
        assert not ohwait._scope._left_behind

    @every_loop
    def test_the_program_may_end_at_once(self, loop: Loop) -> None:
        child = Forever(cleanup=0.002)

        def body(s: Scope) -> None:
            s.spawn(child)
            child.wait_for_start()
            raise LookupError

        def main() -> None:
            with pytest.raises(ohwait.CFunctionError):
                by_with(body)

        loop.run(main)
        gc.collect()
        assert child.log == ["started", "cancelled"]
        assert not ohwait._scope._left_behind

    @every_loop
    def test_late_errors_are_logged(self, loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
        class Clumsy(Forever):
            def clean_up(self) -> None:
                raise ArithmeticError("while it was cleaning up")

        def body(s: Scope) -> None:
            child = Clumsy()
            s.spawn(child)
            child.wait_for_start()
            raise LookupError

        def main() -> None:
            with pytest.raises(ohwait.CFunctionError):
                by_with(body)
            sleep(0.01)

        with caplog.at_level(logging.ERROR, logger="ohwait"):
            loop.run(main)
        assert [record.name for record in caplog.records] == ["ohwait"]
        assert "while it was cleaning up" in caplog.text

    @every_loop
    def test_scopes_around_it_are_not_disturbed(self, loop: Loop) -> None:
        """Cancel scopes, timeouts and groups outside end in order, and the next scope of the task works."""
        child = Forever(cleanup=0.002)

        def body(s: Scope) -> None:
            s.spawn(child)
            child.wait_for_start()
            raise LookupError

        def inside(s: Scope) -> int:
            sibling = s.spawn(double, 1, 0.01)
            with pytest.raises(ohwait.CFunctionError):
                by_with(body)
            assert by_with(lambda s: s.spawn(double, 1).result()) == 2
            return sibling.result()

        async def main() -> int | None:
            result = await loop.within(10, lambda: by_with(inside))
            sleep(0.01)
            return result

        assert loop.run_coroutine(main) == 2
        assert child.log == ["started", "cancelled"]

    @every_loop
    def test_cancelled_in_the_body(self, loop: Loop) -> None:
        child = Forever(cleanup=0.002)

        def body(s: Scope) -> None:
            s.spawn(child)
            child.wait_for_start()
            sleep(1000)

        async def main() -> None:
            with pytest.raises(ohwait.CFunctionError, match="left the body"):
                await loop.within(0.1, lambda: by_with(body))
            sleep(0.01)

        loop.run_coroutine(main)
        assert child.log == ["started", "cancelled"]
