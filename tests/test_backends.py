"""Backends: run, sleep and current_task on every event loop, the choice of one, and what happens if it is the wrong."""

import asyncio
import functools
import gc
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loops import Loop, every_loop
from tiny_loop import TinyBackend, TinyTask

import ohwait

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def auto() -> Iterator[None]:
    yield
    ohwait.use_auto()


@pytest.fixture
def in_trio() -> Callable[[Callable[[], Any]], Any]:
    trio = pytest.importorskip("trio", reason="trio is not installed")

    def run(function: Callable[[], Any]) -> Any:
        async def host() -> Any:
            return function()

        return trio.run(host)

    return run


def in_asyncio(function: Callable[[], Any]) -> Any:
    async def host() -> Any:
        return function()

    return asyncio.run(host())


class Called:
    """Instances, methods and partial functions of it are functions in so many other shapes."""

    def __call__(self, *args: int) -> int:
        ohwait.sleep(0)
        return sum(args)

    def current_task(self) -> object:
        return ohwait.current_task()

    def method(self, *args: int) -> int:
        ohwait.sleep(0)
        return sum(args)


def add(a: int, b: int, *, c: int = 0) -> int:
    ohwait.sleep(0)
    return a + b + c


async def add_async(a: int, b: int) -> int:
    ohwait.sleep(0)
    return a + b


@every_loop
@pytest.mark.parametrize(
    "function",
    [
        add,
        add_async,
        Called(),
        Called().method,
        functools.partial(add),
        functools.partial(functools.partial(add, c=1), c=0),
        lambda a, b: add_async(a, b),
    ],
    ids=["function", "coroutine function", "instance", "method", "partial", "partial of partial", "lambda"],
)
def test_run_starts_the_selected_loop(loop: Loop, function: Callable[[int, int], int]) -> None:
    loop.use()
    assert ohwait.run(function, 2, 3) == 5


@every_loop
def test_run_raises_what_the_function_raises(loop: Loop) -> None:
    def fail() -> None:
        ohwait.sleep(0)
        raise LookupError("as it is")

    loop.use()
    with pytest.raises(LookupError, match="as it is"):
        ohwait.run(fail)


def test_run_starts_asyncio_by_default() -> None:
    task = ohwait.run(ohwait.current_task)
    assert isinstance(task, asyncio.Task)


def test_run_with_an_event_loop_of_ones_own_making() -> None:
    made = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    ohwait.use_asyncio(loop_factory=factory)
    assert ohwait.run(asyncio.get_running_loop) is made[0]


def test_run_under_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    ohwait.use_asyncio(loop_factory=uvloop.new_event_loop)
    assert isinstance(ohwait.run(asyncio.get_running_loop), uvloop.Loop)


@every_loop
def test_run_inside_a_running_loop_is_refused(loop: Loop) -> None:
    called: list[int] = []

    def main() -> None:
        with pytest.raises(ohwait.BackendError, match=rf"run\(\) was called while {loop.backend} runs"):
            ohwait.run(called.append, 1)

    loop.run(main)
    assert called == []


@every_loop
def test_sleep_suspends_the_task_alone(loop: Loop) -> None:
    log: list[str] = []

    def child(name: str, seconds: float) -> None:
        log.append(f"{name} starts")
        ohwait.sleep(seconds)
        log.append(f"{name} ends")

    def main() -> None:
        with ohwait.scope() as s:
            s.spawn(child, "slow", 0.3)
            s.spawn(child, "quick", 0.01)

    started = time.monotonic()
    loop.run(main)
    assert 0.3 <= time.monotonic() - started
    assert sorted(log[:2]) == ["quick starts", "slow starts"]
    assert log[2:] == ["quick ends", "slow ends"]


@every_loop
def test_current_task_is_the_loops_own(loop: Loop) -> None:
    async def main() -> None:
        if loop.backend == "asyncio":
            own = asyncio.current_task()
        elif loop.backend == "trio":
            own = loop.module.lowlevel.current_task()
        else:
            own = await loop.module.current_task()
        assert ohwait.current_task() is own
        assert next(map(Called.current_task, [Called()])) is own

    loop.run_coroutine(main)


def test_current_task_in_a_callback_is_refused() -> None:
    async def main() -> object:
        raised = asyncio.get_running_loop().create_future()

        def callback() -> None:
            try:
                ohwait.current_task()
            except ohwait.BackendError as error:
                raised.set_result(str(error))

        asyncio.get_running_loop().call_soon(callback)
        return await raised

    assert asyncio.run(main()) == "asyncio runs no task now, but a callback: only a task can wait"


@every_loop
def test_auto_finds_the_loop_that_runs(loop: Loop) -> None:
    def main() -> str:
        ohwait.sleep(0)
        return ohwait.current_backend().name

    assert loop.run(main) == loop.backend


@pytest.mark.parametrize("call", [lambda: ohwait.sleep(0), ohwait.current_task, lambda: ohwait.scope().__enter__()])
def test_without_a_loop(call: Callable[[], object]) -> None:
    assert ohwait.current_backend().name == "asyncio"
    with pytest.raises(ohwait.BackendError, match=r"no event loop runs in this thread; .* ohwait\.run\(fn\)"):
        call()


@every_loop
def test_another_thread_has_no_loop(loop: Loop) -> None:
    errors: list[BaseException] = []

    def other() -> None:
        try:
            ohwait.sleep(0)
        except ohwait.BackendError as error:
            errors.append(error)

    def main() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    loop.run(main)
    assert len(errors) == 1


@every_loop
def test_pinned_backend_that_does_not_run(loop: Loop) -> None:
    started = []

    async def never() -> None:
        started.append(1)

    def main() -> None:
        for call in (
            lambda: ohwait.ohwait(never()),
            lambda: ohwait.sleep(0),
            lambda: ohwait.scope().__enter__(),
            ohwait.current_task,
        ):
            with pytest.raises(ohwait.BackendError, match=f"tiny is in use, but {loop.backend} runs in this thread"):
                call()

    ohwait.use_backend(TinyBackend())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop.run(main)
        gc.collect()
    assert started == []
    assert caught == []
    ohwait.use_auto()
    assert loop.run(lambda: ohwait.ohwait(never())) is None
    assert started == [1]


@every_loop
def test_pinned_backend_that_runs(loop: Loop) -> None:
    loop.use()

    def main() -> str:
        ohwait.ohwait(loop.sleep(0))
        return ohwait.current_backend().name

    assert loop.run(main) == loop.backend


def test_pinned_asyncio_while_trio_runs(in_trio: Callable[[Callable[[], Any]], Any]) -> None:
    ohwait.use_asyncio()
    with pytest.raises(ohwait.BackendError, match="asyncio is in use, but trio runs"):
        in_trio(lambda: ohwait.ohwait(asyncio.sleep(0)))
    ohwait.use_trio()
    with pytest.raises(ohwait.BackendError, match="trio is in use, but asyncio runs"):
        in_asyncio(lambda: ohwait.ohwait(asyncio.sleep(0)))


def test_trio_as_a_guest_of_asyncio() -> None:
    trio = pytest.importorskip("trio", reason="trio is not installed")

    async def guest() -> tuple[str, bool]:
        ohwait.sleep(0)
        name = ohwait.current_backend().name
        ohwait.use_asyncio()
        try:
            with pytest.raises(ohwait.BackendError, match="asyncio is in use, but trio runs"):
                ohwait.sleep(0)
        finally:
            ohwait.use_auto()
        return name, True

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=ended.set_result
        )
        ohwait.sleep(0)
        assert ohwait.current_backend().name == "asyncio"
        return (await ended).unwrap()

    assert asyncio.run(main()) == ("trio", True)


def test_unknown_name() -> None:
    with pytest.raises(ohwait.BackendError, match="no backend is called 'twisted'; there are: curio, trio, asyncio"):
        ohwait.use_backend("twisted")


def test_an_object_that_is_no_backend() -> None:
    class Half:
        name = "half"

        def run(self) -> None: ...

    with pytest.raises(ohwait.BackendError, match="is not a backend: it has no cancelled, running, sleep,"):
        ohwait.use_backend(Half())  # type: ignore[arg-type]


def test_names_of_built_in_backends_are_taken() -> None:
    with pytest.raises(ohwait.BackendError, match="choose another"):
        ohwait.register_backend("trio", TinyBackend)


@pytest.mark.parametrize("name", ["trio", "curio"])
def test_a_loop_that_is_not_installed(name: str) -> None:
    code = f"""if True:
        import sys, ohwait
        class Missing:
            def find_spec(self, wanted, path=None, target=None):
                if wanted == {name!r}:
                    raise ModuleNotFoundError(f"No module named {{wanted}}", name=wanted)
        sys.meta_path.insert(0, Missing())
        try:
            ohwait.use_{name}()
        except ohwait.BackendError as error:
            print(error)
    """
    assert python(code) == f"{name} is not installed: pip install {name}\n"


def test_nothing_is_imported_that_is_not_used() -> None:
    code = """if True:
        import sys, ohwait
        before = {"asyncio", "trio", "curio"} & set(sys.modules)
        ohwait.run(ohwait.sleep, 0)
        print(sorted(before), sorted({"asyncio", "trio", "curio", "sniffio", "uvloop"} & set(sys.modules)))
    """
    assert python(code) == "[] ['asyncio']\n"


def python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


class TestThirdParty:
    """A loop of one's own: everything that the protocol promises, from one class."""

    def test_run_and_sleep(self) -> None:
        ohwait.use_backend(TinyBackend())
        assert ohwait.run(add, 1, 2) == 3
        assert isinstance(ohwait.run(ohwait.current_task), TinyTask)

    def test_registered_it_is_found_by_name_and_by_auto(self) -> None:
        ohwait.register_backend("tiny", TinyBackend)
        ohwait.use_backend("tiny")
        assert isinstance(ohwait.current_backend(), TinyBackend)
        backend = ohwait.current_backend()
        ohwait.use_auto()
        assert backend.run(lambda: add_async(1, 2)) == 3

    def test_scope(self) -> None:
        def child(n: int) -> int:
            ohwait.sleep(0.001 * n)
            return n

        def main() -> list[int]:
            with ohwait.scope() as s:
                handles = [s.spawn(child, n) for n in range(10)]
            return [handle.result() for handle in handles]

        ohwait.use_backend(TinyBackend())
        assert ohwait.run(main) == list(range(10))

    def test_errors_and_cancellation(self) -> None:
        log = []

        def fail() -> None:
            ohwait.sleep(0.001)
            raise LookupError

        def forever() -> None:
            try:
                ohwait.sleep(1000)
            finally:
                log.append("ended")

        def body(s: ohwait.Scope) -> None:
            s.spawn(forever)
            s.spawn(forever).cancel()
            s.spawn(fail)

        ohwait.use_backend(TinyBackend())
        with pytest.raises(ExceptionGroup) as caught:
            ohwait.run(lambda: ohwait.scope().run(body))
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
        assert log == ["ended"]
