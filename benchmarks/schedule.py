"""Run the workers in rounds, so that the figures that are compared are measured right after one another."""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.cases import Case, Point
from benchmarks.contenders import Contender, contender, support
from benchmarks.environment import ROOT, BenchmarkError, Environment, clean_environ, fingerprint
from benchmarks.results import CaseResults, LeftOut, Measurement

WORKER = Path(__file__).with_name("worker.py")
TIMEOUT = 180


@dataclass(frozen=True)
class Method:
    """How much is measured. Each round is one process for each case and contender.

    Gauges have `gauges` rounds (half of them where they hardly vary), with a process for each point. `values` are
    taken of a point after `warmups` that are dropped; one lasts at least `seconds_a_value` seconds. Many short values:
    on a machine that does other things too, some of them are left in peace.
    """

    rounds: int = 8
    gauges: int = 4
    values: int = 15
    warmups: int = 2
    seconds_a_value: float = 0.006

    def rounds_of(self, case: Case) -> int:
        """How many rounds `case` has."""
        if case.measure:
            return self.rounds
        return max(1, self.gauges // 2) if case.steady else self.gauges


BRIEF = Method(rounds=3, gauges=2, values=10, warmups=1, seconds_a_value=0.003)
QUICK = Method(rounds=2, gauges=1, values=5, warmups=1, seconds_a_value=0.002)


@dataclass(frozen=True)
class Plan:
    """What is measured: each case at its points with those of its contenders that are chosen."""

    cases: tuple[Case, ...]
    contenders: tuple[Contender, ...]
    points: tuple[Point, ...] | None = None
    quick: bool = False

    def points_of(self, case: Case) -> tuple[Point, ...]:
        """The points of `case` to measure."""
        if self.points is None:
            return case.quick if self.quick else case.points
        return self.points if case.smooth else tuple(point for point in case.points if point in self.points)

    def contenders_of(self, case: Case) -> tuple[Contender, ...]:
        """The contenders of `case` that are chosen, its baseline always among them."""
        names = {each.name for each in self.contenders} | {case.baseline}
        return tuple(contender(name) for name in case.contenders if name in names)

    def needed(self) -> tuple[Contender, ...]:
        """All contenders that any case needs, and what the cases themselves need."""
        found = {each.name: each for case in self.cases for each in self.contenders_of(case)}
        found |= {each: support(each) for case in self.cases for each in case.packages}
        return tuple(found.values())


@dataclass(frozen=True)
class Subject:
    """A contender in an environment; `name` is what its measurements are called."""

    name: str
    contender: Contender
    environment: Environment


# Called before each process: (steps done, all steps, what is measured now).
Progress = Callable[[int, int, str], Any]


def worker(environment: Environment, request: dict[str, Any], prefix: Sequence[str] = ()) -> dict[str, Any]:
    """Run one worker process (as an argument of the command `prefix`) and return its answers by point.

    A process that dies or does not end answers with an error for all points.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [*prefix, str(environment.python), str(WORKER), json.dumps({**request, "answer": str(answer)})]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=clean_environ(), cwd=ROOT, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            reason = f"not finished after {TIMEOUT} seconds"
        else:
            if answer.exists():
                answers: dict[str, Any] = json.loads(answer.read_text())
                return answers
            end = (done.stderr.strip().splitlines() or ["no message"])[-1]
            how = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
            reason = f"{how}: {end}"
    return {str(point): {"error": reason} for point in request["points"]}


def request_for(case: Case, subject: Subject, points: Iterable[Point], method: Method) -> dict[str, Any]:
    """What a worker is told, but for the loops."""
    return {
        "verb": "time" if case.measure else "gauge",
        "case": case.name,
        "contender": subject.contender.name,
        "points": list(points),
        "loops": {},
        "values": method.values,
        "warmups": method.warmups,
        "seconds_a_value": method.seconds_a_value,
        "affinity": machine.affinity(),
    }


class Table:
    """The measurements of a case as they come in."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, Point, str], Measurement] = {}
        self.errors: dict[tuple[str, Point], str] = {}

    def add(self, subject: Subject, points: Iterable[Point], answers: dict[str, Any]) -> None:
        """Take in what a worker has answered. A point that has failed once is not asked again."""
        for point in points:
            answer = answers.get(str(point), {"error": "no answer"})
            if "error" in answer:
                self.errors[subject.name, point] = answer["error"]
                continue
            for unit, values in answer["values"].items():
                new = Measurement(point, subject.name, unit, answer["loops"])
                self.made.setdefault((subject.name, point, unit), new).runs.append(values)

    def loops(self, subject: Subject) -> dict[str, int]:
        """How many operations the values of each point are made of, where that is known."""
        return {str(point): each.loops for (name, point, _), each in self.made.items() if name == subject.name}

    def left_out(self) -> list[LeftOut]:
        """The errors, those of the same contender and reason together."""
        found: dict[tuple[str, str], LeftOut] = {}
        for (name, point), reason in self.errors.items():
            found.setdefault((name, reason), LeftOut(name, [], reason)).points.append(point)
        return list(found.values())

    def measurements(self) -> list[Measurement]:
        """What was measured at every round."""
        return [each for (name, point, _), each in self.made.items() if (name, point) not in self.errors]


def measure(
    case: Case, points: Sequence[Point], subjects: Sequence[Subject], method: Method, progress: Progress
) -> Table:
    """Measure `case`. In each round the subjects follow one another; the next round begins with another one of them."""
    table = Table()
    rounds = method.rounds_of(case)
    steps, done = rounds * len(subjects), 0
    for index in range(rounds):
        turn = index % len(subjects)
        for subject in [*subjects[turn:], *subjects[:turn]]:
            progress(done, steps, f"{case.title}, {subject.contender.title}")
            done += 1
            left = [point for point in points if (subject.name, point) not in table.errors]
            # What a gauge finds must not depend on what the process has done before.
            for together in [left] if case.measure else [[point] for point in left]:
                request = {**request_for(case, subject, together, method), "loops": table.loops(subject)}
                if together:
                    table.add(subject, together, worker(subject.environment, request))
    progress(steps, steps, "done")
    return table


def missing(case: Case, plan: Plan, environment: Environment) -> list[LeftOut]:
    """The contenders of `case` that could not be installed."""
    return [
        LeftOut(each.name, [], environment.missing[each.name])
        for each in plan.contenders_of(case)
        if each.name in environment.missing
    ]


def run_case(
    case: Case, plan: Plan, environment: Environment, tree: Path, method: Method, progress: Progress
) -> CaseResults:
    """Measure `case` and say how."""
    began = time.monotonic()
    chosen = plan.contenders_of(case)
    subjects = [Subject(each.name, each, environment) for each in chosen if each.name not in environment.missing]
    table = measure(case, plan.points_of(case), subjects, method, progress)
    if not table.made:
        reasons = "; ".join(f"{each.contender}: {each.reason}" for each in table.left_out())
        raise BenchmarkError(f"nothing could be measured of {case.name} ({reasons})")
    packages = {name for each in chosen for name in each.distributions} | {"pyperf", *case.packages}
    return CaseResults(
        method={
            "rounds": method.rounds_of(case),
            "values": method.values,
            "warmups": method.warmups,
            "seconds_a_value": method.seconds_a_value,
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(time.monotonic() - began),
            "clock": case.clock,
            "pinned": machine.affinity() is not None,
            "load": machine.load(),
            "revision": machine.revision(tree),
            "sources": fingerprint(tree),
        },
        versions={name: environment.versions[name] for name in sorted(packages & set(environment.versions))},
        measurements=table.measurements(),
        left_out=missing(case, plan, environment) + table.left_out(),
    )


def is_measured(case: Case, plan: Plan, found: CaseResults | None, tree: Path, method: Method) -> bool:
    """Whether `found` answers what `plan` asks of `case`, of these sources and with at least as many rounds."""
    if found is None or found.method.get("sources") != fingerprint(tree):
        return False
    if found.method["rounds"] < method.rounds_of(case):
        return False
    known = {(each.contender, each.point) for each in found.measurements}
    known |= {(each.contender, point) for each in found.left_out for point in each.points or plan.points_of(case)}
    return all((each.name, point) in known for each in plan.contenders_of(case) for point in plan.points_of(case))
