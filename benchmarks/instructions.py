"""Count instructions instead of timing: the same figure on a busy machine as on an idle one.

valgrind's callgrind runs a worker that does some operations at each point, after a warm-up, and calls `getppid` in
between; callgrind writes a file whenever that is entered. The instructions between two such calls, divided by the
operations, are the cost of one. An instruction is not a nanosecond: read these beside the times, not instead of them.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import Case, Point
from benchmarks.environment import BenchmarkError, Environment
from benchmarks.results import INSTRUCTION, Measurement
from benchmarks.schedule import Method, Plan, Progress, Subject, Table, request_for, worker

LOOPS = 500
COUNTED = ("native", "ohwait", "greenlet")
_PART = re.compile(r"^part: (\d+)", re.MULTILINE)
_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def available() -> bool:
    """Whether instructions can be counted here."""
    return shutil.which("valgrind") is not None


def count_one(case: Case, subject: Subject, points: Sequence[Point]) -> dict[str, dict[str, object]]:
    """The instructions of an operation at each of `points`, as a worker would answer."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise BenchmarkError("counting instructions needs valgrind: install it, or say --no-instructions")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        prefix = [valgrind, "--tool=callgrind", "--quiet", f"--callgrind-out-file={output}", "--dump-before=getppid"]
        # The same hashes in each process, else dictionaries differ by some instructions.
        request = request_for(case, subject, points, Method()) | {"verb": "count", "loops": LOOPS}
        answers = worker(subject.environment, request, ["env", "PYTHONHASHSEED=0", *prefix])
        totals = {}
        for path in Path(folder).iterdir():
            text = path.read_text(errors="replace")
            part, total = _PART.search(text), _TOTAL.search(text)
            if part and total:
                totals[int(part[1])] = int(total[1])
    # Part 1 ends before the first point's operations, part 2 after them, part 3 before the second point's ...
    index = 0
    for point in points:
        if "error" in answers[str(point)]:
            continue
        if 2 * index + 2 not in totals:
            answers[str(point)] = {"error": "callgrind wrote no total; is getppid traced by this valgrind?"}
            continue
        answers[str(point)] = {"loops": LOOPS, "values": {INSTRUCTION: [totals[2 * index + 2] / LOOPS]}}
        index += 1
    return answers


def count(case: Case, points: Sequence[Point], subjects: Sequence[Subject], progress: Progress) -> Table:
    """Count the instructions of an operation of `case`."""
    table = Table()
    for index, subject in enumerate(subjects):
        progress(index, len(subjects), f"counting instructions: {case.title}, {subject.contender.title}")
        table.add(subject, points, count_one(case, subject, points))
    progress(len(subjects), len(subjects), "done")
    return table


def of_case(case: Case, plan: Plan, environment: Environment, progress: Progress) -> list[Measurement]:
    """The instructions of an operation of `case` at its core points."""
    chosen = [each for each in plan.contenders_of(case) if each.name in COUNTED]
    subjects = [Subject(each.name, each, environment) for each in chosen if each.name not in environment.missing]
    points = [each for each in plan.points_of(case) if each in case.core]
    return count(case, points, subjects, progress).measurements() if points else []
