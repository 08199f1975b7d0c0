"""`EagerTaskGroup`: anyio's task groups, with functions that begin at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

anyio = pytest.importorskip("anyio", reason="anyio is not installed")

from ohwait import ohwait  # noqa: E402
from ohwait.scheduling import EagerTaskGroup, TaskStatusForwarder, create_eager_task_group  # noqa: E402


@contextmanager
def group_of(error: type[BaseException]) -> Iterator[None]:
    with pytest.raises(BaseExceptionGroup) as caught:
        yield
    assert [type(part) for part in caught.value.exceptions] == [error]


def test_the_documented_order() -> None:
    log: list[Any] = []

    async def func(task_status: Any) -> None:
        log.append("hello")
        task_status.started("world")
        await anyio.sleep(0.01)
        log.append("goodbye")

    async def main() -> None:
        async with create_eager_task_group() as group:
            start = group.start(func)
            log.append("fine")
            log.append(await start)
        log.append("world")

    anyio.run(main)
    assert log == ["hello", "fine", "world", "goodbye", "world"]


def test_start_soon() -> None:
    log: list[Any] = []

    async def func(name: str, waits: bool) -> None:
        log.append(f"{name} begins")
        if waits:
            await anyio.sleep(0.001)
        log.append(f"{name} ends")

    def plainly(group: EagerTaskGroup) -> None:
        async def with_plain_functions() -> None:
            log.append("plain begins")
            ohwait(anyio.sleep(0.005))
            log.append("plain ends")

        group.start_soon(with_plain_functions)

    async def main() -> None:
        async with create_eager_task_group() as group:
            group.start_soon(func, "a", False)
            group.start_soon(func, "b", True, name="its name")
            plainly(group)
            log.append("in the block")
            assert "its name" in {task.name for task in anyio.get_running_tasks()}

    anyio.run(main)
    assert log == ["a begins", "a ends", "b begins", "plain begins", "in the block", "b ends", "plain ends"]


def test_errors() -> None:
    async def at_once() -> None:
        raise EOFError

    async def later() -> None:
        await anyio.sleep(0)
        raise EOFError

    async def after_started(task_status: Any) -> None:
        task_status.started(1)
        raise EOFError

    async def before_started(task_status: Any) -> None:
        raise EOFError

    async def never_started(task_status: Any) -> None:
        pass

    async def main() -> None:
        async with create_eager_task_group() as group:
            with pytest.raises(EOFError):
                group.start_soon(at_once)
            with pytest.raises(EOFError):
                await group.start(before_started)
            with pytest.raises(RuntimeError, match="without calling task_status"):
                await group.start(never_started)
        with group_of(EOFError):
            async with create_eager_task_group() as group:
                group.start_soon(later)
        with group_of(EOFError):
            async with create_eager_task_group() as group:
                assert await group.start(after_started) == 1
        async with create_eager_task_group() as group:
            with pytest.raises(TypeError):
                group.start_soon(lambda: None)

    anyio.run(main)


def test_it_is_a_task_group() -> None:
    async def main() -> None:
        inner = anyio.create_task_group()
        async with EagerTaskGroup(inner) as group:
            assert isinstance(group, anyio.abc.TaskGroup)
            assert group.cancel_scope is inner.cancel_scope
            with pytest.raises(RuntimeError):
                async with group:
                    pass
            group.start_soon(asyncio.sleep, 100)
            group.cancel_scope.cancel()
        with pytest.raises(AttributeError):
            group.nonsense

    anyio.run(main)


def test_task_status_forwarder() -> None:
    told: list[Any] = []

    class Status:
        def started(self, value: object = None) -> None:
            told.append(value)

    early, late = TaskStatusForwarder(), TaskStatusForwarder()
    early.started("early")
    assert early.get_value() == "early" and late.get_value() is None
    with pytest.raises(RuntimeError, match="twice"):
        early.started("again")
    early.set_forward(Status())
    late.set_forward(Status())
    late.started()
    assert told == ["early", None]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_under_trio() -> None:
    pytest.importorskip("trio", reason="trio is not installed")

    async def immediate() -> None:
        pass

    async def main() -> None:
        async with create_eager_task_group() as group:
            group.start_soon(immediate)

    anyio.run(main, backend="trio")

    async def waits() -> None:
        await anyio.sleep(0.001)

    async def refused() -> None:
        async with create_eager_task_group() as group:
            group.start_soon(waits)

    with pytest.raises(BaseException) as caught:
        anyio.run(refused, backend="trio")
    assert "trio" in repr(caught.getrepr(style="native"))
