"""What is particular to scopes on one event loop."""

import asyncio
import contextvars
import gc
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scopes import Enter, Forever, by_run, by_with, double, every_form, fail

import ohwait
from ohwait import Scope, scope, sleep

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def auto() -> Iterator[None]:
    yield
    ohwait.use_auto()


def import_trio() -> Any:
    return pytest.importorskip("trio", reason="trio is not installed")


def import_curio() -> Any:
    try:
        ohwait.use_curio()
    except ohwait.BackendError as error:
        pytest.skip(str(error))
    import curio

    return curio


def run_trio(function: Callable[[], Any]) -> Any:
    async def host() -> Any:
        return function()

    return import_trio().run(host)


class TestAsyncio:
    """What is particular to asyncio."""

    @every_form
    def test_the_count_of_cancellations_is_kept(self, within_scope: Enter) -> None:
        def body(s: Scope) -> None:
            s.spawn(fail, LookupError())
            sleep(1000)

        async def main() -> int:
            with pytest.raises(ExceptionGroup):
                within_scope(body)
            task = asyncio.current_task()
            assert task is not None
            await asyncio.sleep(0)
            return task.cancelling()

        assert asyncio.run(main()) == 0

    @every_form
    def test_a_task_that_is_cancelled_ends_cancelled(self, within_scope: Enter) -> None:
        child = Forever()

        async def plain() -> None:
            within_scope(lambda s: s.spawn(child))

        async def main() -> bool:
            task = asyncio.create_task(plain())
            await asyncio.sleep(0.002)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()

        assert asyncio.run(main())
        assert child.log == ["started", "cancelled"]

    @pytest.mark.skipif(sys.version_info < (3, 13), reason="asyncio itself lets errors replace a cancellation then")
    def test_cancellation_is_not_lost_to_an_error(self) -> None:
        """The group goes first, the cancellation comes again at the next await (as in asyncio of 3.13)."""

        class Clumsy(Forever):
            def clean_up(self) -> None:
                raise ArithmeticError

        def body(s: Scope) -> None:
            s.spawn(Clumsy())
            sleep(1000)

        async def plain() -> str:
            try:
                by_run(body)
            except* ArithmeticError:
                pass
            await asyncio.sleep(0)
            return "not cancelled"

        async def main() -> bool:
            task = asyncio.create_task(plain())
            await asyncio.sleep(0.002)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()

        assert asyncio.run(main())

    def test_children_cancelled_by_others_before_they_start(self) -> None:
        """asyncio.run cancels all tasks at its end: a scope does not wait forever for those that never start."""

        async def main() -> bool:
            async def plain() -> None:
                with scope() as s:
                    handle = s.spawn(double, 1)
                    handle._task.cancel()

            await asyncio.wait_for(plain(), 5)
            return True

        assert asyncio.run(main())

    @pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="asyncio has no eager tasks before 3.12")
    @every_form
    def test_eager_tasks(self, within_scope: Enter) -> None:
        def fail_at_once() -> None:
            raise LookupError

        def main() -> int:
            asyncio.get_running_loop().set_task_factory(vars(asyncio)["eager_task_factory"])
            with pytest.raises(ExceptionGroup):
                within_scope(lambda s: s.spawn(fail_at_once))
            sleep(0)
            sleep(0.001)
            handles = within_scope(lambda s: [s.spawn(double, 2, 0.001), s.spawn(double, 1)])
            return sum([handle.result() for handle in handles])

        ohwait.use_asyncio()
        assert ohwait.run(main) == 6

    def test_keyboard_interrupt_in_a_child_ends_the_program(self) -> None:
        def main() -> None:
            with scope() as s:
                s.spawn(fail, KeyboardInterrupt())
                sleep(1000)

        with pytest.raises(KeyboardInterrupt):
            ohwait.run(main)

    def test_children_have_the_context_of_their_spawner(self) -> None:
        variable = contextvars.ContextVar("variable", default=0)

        def main() -> tuple[int, int]:
            with scope() as s:
                variable.set(1)
                handle = s.spawn(variable.get)
                s.spawn(variable.set, 2)
            return handle.result(), variable.get()

        assert ohwait.run(main) == (1, 1)


class TestTrio:
    """Nurseries and cancel scopes nest as always."""

    @every_form
    def test_cancel_scopes_around_a_scope_cancel_its_children(self, within_scope: Enter) -> None:
        trio, child = import_trio(), Forever()
        body_went_on: list[bool] = []

        def body(s: Scope) -> None:
            s.spawn(child)
            with trio.CancelScope(shield=True):  # The body does not notice for a while, the child does.
                child.wait_for_start()
                outer.cancel()
                sleep(0.01)
                assert child.log == ["started", "cancelled"]
                body_went_on.append(True)

        outer = trio.CancelScope()

        def main() -> None:
            with outer:
                within_scope(body)
            assert outer.cancelled_caught

        run_trio(main)
        assert body_went_on

    @every_form
    def test_children_have_the_deadline_of_the_scopes_around(self, within_scope: Enter) -> None:
        trio = import_trio()

        def main() -> bool:
            with trio.CancelScope(deadline=trio.current_time() + 100) as outer:
                handle = within_scope(lambda s: s.spawn(trio.current_effective_deadline))
            return bool(handle.result() == outer.deadline)

        assert run_trio(main)

    @pytest.mark.usefixtures("without_c_frames")
    def test_left_behind_children_do_not_disturb_the_nurseries_around(self) -> None:
        trio, child = import_trio(), Forever(cleanup=0.005)

        def body(s: Scope) -> None:
            s.spawn(child)
            child.wait_for_start()
            raise LookupError

        async def main() -> tuple[list[object], float]:
            with trio.CancelScope(deadline=trio.current_time() + 100) as outer:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep, 0.01)
                    with pytest.raises(ohwait.CFunctionError):
                        by_with(body)
                    task = trio.lowlevel.current_task()
                    nurseries = list(task.child_nurseries)
                    assert trio.current_effective_deadline() == outer.deadline
                    await trio.sleep(0.02)
                    assert child.log == ["started", "cancelled"]
                assert nurseries == [nursery]
            return task.child_nurseries, trio.current_effective_deadline()

        assert trio.run(main) == ([], float("inf"))

    @pytest.mark.usefixtures("without_c_frames")
    def test_children_left_behind_in_a_cancelled_scope(self) -> None:
        """The scope that cancels the body ends before the children do."""
        trio = import_trio()

        class Slow(Forever):
            def clean_up(self) -> None:
                with trio.CancelScope(shield=True):
                    sleep(0.01)
                self.log.append("cleaned up")

        child = Slow()

        def body(s: Scope) -> None:
            s.spawn(child)
            child.wait_for_start()
            outer.cancel()
            sleep(1000)

        outer = trio.CancelScope()

        def main() -> bool:
            with pytest.raises(ohwait.CFunctionError):
                with outer:
                    by_with(body)
            still_running = "cleaned up" not in child.log
            sleep(0.03)
            return still_running

        assert run_trio(main)
        assert child.log == ["started", "cancelled", "cleaned up"]


class TestCurio:
    """A task of curio's can be cancelled once; a failing child must not use that up, nor a timeout in effect."""

    @every_form
    def test_timeouts_and_cancellation_after_a_failure(self, within_scope: Enter) -> None:
        curio = import_curio()

        def body(s: Scope) -> None:
            s.spawn(fail, LookupError())
            sleep(1000)

        async def worker() -> str:
            async with curio.ignore_after(0.02) as timeout:
                with pytest.raises(ExceptionGroup):
                    within_scope(body)
                await curio.sleep(1000)
            assert timeout.expired
            with pytest.raises(curio.TaskCancelled):
                await curio.sleep(1000)
            return "cancelled"

        async def main() -> str:
            task = await curio.spawn(worker)
            await curio.sleep(0.04)
            await task.cancel()
            result: str = task.result
            return result

        assert curio.run(main) == "cancelled"

    def test_a_timeout_that_a_child_does_not_catch_is_an_error(self) -> None:
        curio = import_curio()

        async def child() -> None:
            async with curio.timeout_after(0.001):
                await curio.sleep(1000)

        def main() -> None:
            with pytest.raises(BaseExceptionGroup) as caught:
                by_with(lambda s: s.spawn(child))
            assert [type(error) for error in caught.value.exceptions] == [curio.TaskTimeout]

        ohwait.run(main)

    def test_nothing_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        """curio logs tasks that crash or are never joined: children of a scope do neither."""

        import_curio()

        def main() -> None:
            with pytest.raises(ExceptionGroup):
                by_with(lambda s: [s.spawn(double, 1), s.spawn(Forever()), s.spawn(fail, LookupError())])

        with caplog.at_level(logging.WARNING):
            ohwait.run(main)
            gc.collect()
        assert caplog.records == []
