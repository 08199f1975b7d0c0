"""Measure one case with one contender, in this process: `python worker.py REQUEST`.

REQUEST is a JSON object (`schedule.py` makes it): "verb", "case", "contender", "points", "answer" (the file for the
results), and for the verb

- "time": "loops" (of each point, those missing are calibrated), "values", "warmups", "seconds_a_value", "affinity".
  A worker process of pyperf takes the values, one point after the other.
- "gauge": nothing more.
- "count": "loops" (of each point). Calls `os.getppid` before and after the operations of each point, which tells
  callgrind where to begin anew; what the process answers does not matter.

The answer has, for each point, the values for each unit, or an error where the contender cannot do it.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # The installed contenders come first, not the ones that lie beside this folder.
    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parent.parent)]

from benchmarks.cases import Case, Point, case

RECURSION_LIMIT = 10_000
MAX_LOOPS = 1 << 22

Answer = dict[str, Any]


def _runner(request: dict[str, Any]) -> Any:
    """The worker of pyperf, pinned."""
    import pyperf

    runner = pyperf.Runner()
    options = ["--worker", "--quiet", "--loops=1", f"--values={request['values']}", f"--warmups={request['warmups']}"]
    if request["affinity"] is not None:
        options.append(f"--affinity={request['affinity']}")
    runner.parse_args(options)
    return runner


def _calibrated(measure: Callable[[int], float], least: float) -> int:
    """How many operations make a value that lasts `least` seconds."""
    measure(1)  # Imports what is imported when first used, say.
    loops = 1
    while (elapsed := min(measure(loops), measure(loops))) < least and loops < MAX_LOOPS:
        loops = max(2 * loops, min(int(loops * 0.9 * least / max(elapsed, 1e-9)), 50 * loops))
    return loops


def time_points(question: Case, subject: Any, request: dict[str, Any]) -> Callable[[Point], Answer]:
    """A function that times a point."""
    runner = _runner(request)

    def time(point: Point) -> Answer:
        def measure(loops: int) -> float:
            assert question.measure is not None
            return question.measure(subject, point, loops)

        fixed = question.loops
        loops = fixed or request["loops"].get(str(point)) or _calibrated(measure, request["seconds_a_value"])
        runner.args.loops = 1 if fixed else loops
        if fixed:
            runner.args.values, runner.args.warmups = 1, 0
        made = runner.bench_time_func(f"{point}", lambda count: measure(fixed or count), inner_loops=fixed)
        return {"loops": loops, "values": {question.unit: list(made.get_values())}}

    return time


def gauge_points(question: Case, subject: Any, request: dict[str, Any]) -> Callable[[Point], Answer]:
    """A function that gauges a point."""

    def gauge(point: Point) -> Answer:
        assert question.gauge is not None
        figures = question.gauge(subject, point)
        return {"loops": 1, "values": {unit: [value] for unit, value in figures.items()}}

    return gauge


def count_points(question: Case, subject: Any, request: dict[str, Any]) -> Callable[[Point], Answer]:
    """A function that does the operations of a point between two marks."""
    loops: int = request["loops"]
    assert question.measure is not None
    measure = question.measure

    def count(point: Point) -> Answer:
        measure(subject, point, loops)
        os.getppid()
        measure(subject, point, loops)
        os.getppid()
        return {"loops": loops, "values": {}}

    return count


VERBS = {"time": time_points, "gauge": gauge_points, "count": count_points}


def reason(error: BaseException) -> str:
    """What went wrong, in one line."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def main(request: dict[str, Any]) -> None:
    """Do what the module's docstring says of `request`."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    question = case(request["case"])
    answers: dict[str, Answer] = {}
    try:
        do = VERBS[request["verb"]](question, question.subject(request["contender"]), request)
    except Exception as error:
        answers = {str(point): {"error": reason(error)} for point in request["points"]}
    else:
        for point in request["points"]:
            try:
                answers[str(point)] = do(point)
            except Exception as error:
                answers[str(point)] = {"error": reason(error)}
    Path(request["answer"]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
