"""Count instructions instead of timing: the same figure on a busy machine as on an idle one.

valgrind's callgrind runs a worker twice, with few and with many operations; what the second run executed more,
divided by the operations that it did more, is the cost of one, with start-up and warm-up out of it.
An instruction is not a nanosecond: read these beside the times, not instead of them.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.contenders import Contender
from benchmarks.environment import BenchmarkError, Environment, clean_environ
from benchmarks.results import Measurement
from benchmarks.schedule import WORKER, Plan, Progress

FEW, MANY = 200, 1000
_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def total(environment: Environment, case: Case, contender: Contender, depth: int, loops: int) -> int:
    """How many instructions a process executes that does `loops` operations."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise BenchmarkError("counting instructions needs valgrind: install it, or leave --instructions out")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "callgrind.out"
        command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={output}", "--quiet"]
        command += [str(environment.python), str(WORKER), "run", case.name, contender.name, str(depth), str(loops)]
        # The same hashes in each process, else dictionaries differ by some instructions.
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environ() | {"PYTHONHASHSEED": "0"})
        if done.returncode or not output.exists():
            end = "\n".join(done.stderr.strip().splitlines()[-10:])
            raise BenchmarkError(f"valgrind failed on {case.title} with {contender.title}, depth {depth}:\n{end}")
        found = _TOTAL.search(output.read_text(errors="replace"))
    if found is None:
        raise BenchmarkError("valgrind wrote no total; is its version very old?")
    return int(found[1])


def count(environment: Environment, plan: Plan, progress: Progress) -> list[Measurement]:
    """Instructions of one operation, for every case in `plan` that is measured in time."""
    contenders = [each for each in plan.contenders if each.name not in environment.missing]
    points = [(case, depth, each) for case, depth in plan.points() if case.unit == "second" for each in contenders]
    counted: list[Measurement] = []
    for index, (case, depth, each) in enumerate(points):
        progress(index, len(points), f"counting: {case.title}, depth {depth}, {each.title}")
        few = total(environment, case, each, depth, FEW)
        many = total(environment, case, each, depth, MANY)
        value = (many - few) / (MANY - FEW)
        counted.append(Measurement(case.name, depth, each.name, "instruction", MANY - FEW, [[value]]))
    progress(len(points), len(points), "done")
    return counted
