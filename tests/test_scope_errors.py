"""Scopes whose children or body fail or are cancelled, on every event loop."""

import sys
from collections.abc import Iterator

import pytest
from loops import Loop, every_loop
from scopes import Enter, Forever, by_run, by_with, double, every_form, every_waiting_form, fail

import ohwait
from ohwait import Handle, Scope, sleep

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def auto() -> Iterator[None]:
    yield
    ohwait.use_auto()


@every_loop
@every_form
def test_error_of_a_child(loop: Loop, within_scope: Enter) -> None:
    """It cancels the siblings, interrupts the body, and arrives in a group."""
    error, other, after = LookupError(), Forever(cleanup=0.002), []

    def body(s: Scope) -> None:
        s.spawn(other)
        other.wait_for_start()
        s.spawn(fail, error)
        sleep(1000)
        after.append("the body went on")

    def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            within_scope(body)
        assert caught.value.exceptions == (error,)
        assert other.log == ["started", "cancelled"]
        sleep(0)  # The interruption is over: nothing of it is left in the task.
        sleep(0.001)

    loop.run(main)
    assert after == []


@every_loop
@every_form
def test_error_of_a_child_while_the_body_waits_at_its_end(loop: Loop, within_scope: Enter) -> None:
    error, other = LookupError(), Forever()

    def body(s: Scope) -> None:
        s.spawn(other)
        s.spawn(fail, error)

    def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            within_scope(body)
        assert caught.value.exceptions == (error,)
        sleep(0.001)

    loop.run(main)
    assert other.log == ["started", "cancelled"]


@every_loop
@every_form
def test_errors_of_several(loop: Loop, within_scope: Enter) -> None:
    class Clumsy(Forever):
        def clean_up(self) -> None:
            raise ArithmeticError

    def body(s: Scope) -> None:
        child = Clumsy()
        s.spawn(child)
        child.wait_for_start()
        s.spawn(fail, LookupError())
        sleep(1000)

    def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            within_scope(body)
        assert [type(error) for error in caught.value.exceptions] == [LookupError, ArithmeticError]

    loop.run(main)


@every_loop
@every_form
def test_error_of_the_body_alone(loop: Loop, within_scope: Enter) -> None:
    error = LookupError()

    def body(s: Scope) -> None:
        s.spawn(double, 1).result()
        raise error

    def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            within_scope(body)
        assert caught.value.exceptions == (error,)
        assert caught.value.__cause__ is None
        sleep(0.001)

    loop.run(main)


@every_loop
@every_waiting_form
def test_error_of_the_body_while_children_run(loop: Loop, within_scope: Enter) -> None:
    error, child = LookupError(), Forever(cleanup=0.002)

    def body(s: Scope) -> None:
        s.spawn(child)
        child.wait_for_start()
        raise error

    def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            within_scope(body)
        assert caught.value.exceptions == (error,)
        assert child.log == ["started", "cancelled"]

    loop.run(main)


@every_loop
def test_the_group_says_which_loops_it_is(loop: Loop) -> None:
    messages = {
        "asyncio": "unhandled errors in a TaskGroup",
        "trio": "Exceptions from Trio nursery",
        "curio": "unhandled errors in a scope",
    }

    def main() -> str:
        with pytest.raises(ExceptionGroup) as caught:
            by_with(lambda s: s.spawn(fail, LookupError()))
        return caught.value.message

    assert loop.run(main) == messages[loop.backend]


@every_loop
@every_form
def test_result_of_a_child_that_failed(loop: Loop, within_scope: Enter) -> None:
    """In a sibling it is raised as it is, in the body the loop's cancellation comes first; there is one error only."""
    error, seen = LookupError(), []

    def watch(handle: Handle[None]) -> None:
        try:
            handle.result()
        except LookupError as raised:
            seen.append(raised)

    def body(s: Scope) -> None:
        handle = s.spawn(fail, error, 0.002)
        s.spawn(watch, handle)
        handle.result()

    def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            within_scope(body)
        assert caught.value.exceptions == (error,)
        sleep(0.001)

    loop.run(main)
    assert seen in ([error], [])  # The sibling may have been cancelled first.


@every_loop
def test_result_of_a_child_that_failed_after_the_scope(loop: Loop) -> None:
    error, handles = LookupError(), []

    def main() -> None:
        with pytest.raises(ExceptionGroup):
            by_with(lambda s: handles.append(s.spawn(fail, error)))
        with pytest.raises(LookupError) as caught:
            handles[0].result()
        assert caught.value is error
        assert handles[0].done() and not handles[0].cancelled()

    loop.run(main)


@every_loop
def test_cancel_a_child(loop: Loop) -> None:
    child, unstarted = Forever(), Forever()

    def body(s: Scope) -> None:
        handle, other = s.spawn(child), s.spawn(double, 3, 0.01)
        child.wait_for_start()
        assert not handle.done()
        assert handle.cancel()
        with pytest.raises(ohwait.OhwaitError, match=r"Forever.*was cancelled: it has no result"):
            handle.result()
        assert handle.done() and handle.cancelled()
        assert not handle.cancel()
        never = s.spawn(unstarted)
        never.cancel()
        assert other.result() == 6
        sleep(0.001)
        assert never.cancelled()

    loop.run(lambda: by_with(body))
    assert (child.log, unstarted.log) == (["started", "cancelled"], [])


@every_loop
def test_a_child_that_does_not_let_itself_be_cancelled(loop: Loop) -> None:
    def stubborn() -> str:
        try:
            sleep(1000)
        except BaseException:
            return "done all the same"
        return "not cancelled"

    def body(s: Scope) -> str:
        handle = s.spawn(stubborn)
        sleep(0.002)
        handle.cancel()
        result = handle.result()
        assert not handle.cancelled()
        return result

    assert loop.run(lambda: by_with(body)) == "done all the same"


@every_loop
@every_form
def test_cancelled_from_outside_at_the_end_of_the_body(loop: Loop, within_scope: Enter) -> None:
    children = [Forever(), Forever(cleanup=0.01)]

    def body(s: Scope) -> None:
        for child in children:
            s.spawn(child)
            child.wait_for_start()

    def plain() -> str:
        within_scope(body)
        return "not cancelled"

    async def main() -> tuple[object, list[list[str]]]:
        result = await loop.within(0.1, plain)
        log = [list(child.log) for child in children]
        sleep(0.001)
        return result, log

    assert loop.run_coroutine(main) == (None, [["started", "cancelled"]] * 2)


@every_loop
@every_waiting_form
def test_cancelled_from_outside_in_the_body(loop: Loop, within_scope: Enter) -> None:
    child = Forever(cleanup=0.01)

    def body(s: Scope) -> None:
        s.spawn(child)
        child.wait_for_start()
        sleep(1000)

    async def main() -> tuple[object, list[str]]:
        result = await loop.within(0.1, lambda: within_scope(body))
        return result, list(child.log)

    assert loop.run_coroutine(main) == (None, ["started", "cancelled"])


@every_loop
@every_waiting_form
def test_cancelled_from_outside_with_an_error_besides(loop: Loop, within_scope: Enter) -> None:
    class Clumsy(Forever):
        def clean_up(self) -> None:
            raise ArithmeticError

    child = Clumsy()

    def body(s: Scope) -> None:
        s.spawn(child)
        child.wait_for_start()
        sleep(1000)

    async def main() -> None:
        with pytest.raises(BaseExceptionGroup) as caught:
            await loop.within(0.1, lambda: within_scope(body))
        assert caught.group_contains(ArithmeticError)

    loop.run_coroutine(main)


@every_loop
@every_form
def test_an_error_passes_through_nested_scopes(loop: Loop, within_scope: Enter) -> None:
    child = Forever()

    def inner() -> None:
        def body(s: Scope) -> None:
            s.spawn(child)
            s.spawn(fail, LookupError(), 0.005)

        within_scope(body)

    def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            within_scope(lambda s: s.spawn(inner))
        (group,) = caught.value.exceptions
        assert isinstance(group, ExceptionGroup)
        assert isinstance(group.exceptions[0], LookupError)

    loop.run(main)
    assert child.log == ["started", "cancelled"]


@every_loop
def test_no_child_starts_in_a_scope_that_ends_because_of_an_error(loop: Loop) -> None:
    late: list[int] = []

    def body(s: Scope) -> None:
        s.spawn(fail, LookupError())
        try:
            sleep(1000)
        finally:
            with pytest.raises(ohwait.OhwaitError, match="is ending because of an error"):
                s.spawn(late.append, 1)

    def main() -> None:
        with pytest.raises(ExceptionGroup):
            by_run(body)

    loop.run(main)
    assert late == []


def test_the_scope_is_no_frame_in_the_way_of_errors() -> None:
    """A child's traceback leads to the line that raised."""

    def main() -> list[str]:
        with pytest.raises(ExceptionGroup) as caught:
            by_with(lambda s: s.spawn(fail, LookupError()))
        names, traceback = [], caught.value.exceptions[0].__traceback__
        while traceback is not None:
            names.append(traceback.tb_frame.f_code.co_name)
            traceback = traceback.tb_next
        return names

    assert ohwait.run(main)[-1] == "fail"
    assert sys.exc_info() == (None, None, None)
