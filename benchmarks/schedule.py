"""Run the workers in rounds, so that the figures that are compared are measured right after one another."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.cases import Case
from benchmarks.contenders import Contender
from benchmarks.driver import CLOCK
from benchmarks.environment import Environment, run
from benchmarks.results import Measurement, Results

WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class Method:
    """How much is measured. Each round is one process for each case, depth and contender.

    `values` are taken in a process after `warmups` that are dropped; one lasts at least `seconds_a_value` seconds.
    Many short values: on a machine that does other things too, some of them are left in peace.
    """

    rounds: int = 12
    values: int = 25
    warmups: int = 3
    seconds_a_value: float = 0.008


QUICK = Method(rounds=3, values=8, warmups=1, seconds_a_value=0.004)


@dataclass(frozen=True)
class Plan:
    """What is measured: each case at its depths with each contender."""

    cases: tuple[Case, ...]
    contenders: tuple[Contender, ...]
    depths: tuple[int, ...] | None = None
    quick: bool = False

    def points(self) -> Iterator[tuple[Case, int]]:
        for case in self.cases:
            for depth in self.depths or (case.quick_depths if self.quick else case.depths):
                yield case, depth


# Called before each process with what it measures: (done, all, text).
Progress = Callable[[int, int, str], Any]


def worker(environment: Environment, case: Case, contender: Contender, depth: int, options: Iterable[str]) -> Any:
    """Run one worker process of pyperf and return its run."""
    import pyperf

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "run.json"
        command: list[str | Path] = [environment.python, WORKER, "time", case.name, contender.name, str(depth)]
        pinned = machine.affinity()
        if pinned is not None:
            command += ["--affinity", str(pinned)]
        command += ["--worker", "--quiet", "--output", output, *options]
        run(command, f"measuring {case.title} with {contender.title} at depth {depth} on {environment.interpreter.id}")
        with output.open() as file:
            return pyperf.Benchmark.load(file).get_runs()[0]


def calibrate(environment: Environment, case: Case, contender: Contender, depth: int, method: Method) -> int:
    """How many operations make a value that lasts long enough."""
    if case.loops:
        return 1
    options = ["--calibrate-loops", "--warmups=0", "--values=1", f"--min-time={method.seconds_a_value}"]
    return int(worker(environment, case, contender, depth, options).get_loops())


def measure(environment: Environment, plan: Plan, method: Method, progress: Progress) -> list[Measurement]:
    """Measure everything in `plan`.

    In a round the contenders follow one another at each point, and the next round begins with another one of them.
    """
    contenders = [each for each in plan.contenders if each.name not in environment.missing]
    table = {
        (case.name, depth, each.name): Measurement(case.name, depth, each.name, case.unit, 0)
        for case, depth in plan.points()
        for each in contenders
    }
    total, done = len(table) * (method.rounds + 1), 0
    for index in range(-1, method.rounds):
        turn = index % len(contenders)
        for case, depth in plan.points():
            for each in contenders[turn:] + contenders[:turn]:
                measurement = table[case.name, depth, each.name]
                progress(done, total, f"{case.title}, depth {depth}, {each.title}")
                done += 1
                if index < 0:
                    measurement.loops = calibrate(environment, case, each, depth, method)
                    continue
                values, warmups = (1, 0) if case.loops else (method.values, method.warmups)
                options = [f"--loops={measurement.loops}", f"--values={values}", f"--warmups={warmups}"]
                measurement.runs.append(list(worker(environment, case, each, depth, options).values))
    progress(total, total, "done")
    return list(table.values())


def results(
    environment: Environment, tree: Path, method: Method, measurements: list[Measurement], began: float
) -> Results:
    """`measurements`, which began at `time.monotonic() == began`, with all that a reader needs to know about them."""
    described = asdict(environment.interpreter)
    del described["executable"]
    return Results(
        interpreter=described,
        machine=machine.describe(),
        method={
            **asdict(method),
            "date": datetime.now(UTC).date().isoformat(),
            "minutes": round((time.monotonic() - began) / 60, 1),
            "clock": CLOCK,
            "pinned": machine.affinity() is not None,
            "load": machine.load(),
            "revision": machine.revision(tree),
        },
        versions=environment.versions,
        missing={name: reason.splitlines()[0] for name, reason in environment.missing.items()},
        measurements=measurements,
    )
