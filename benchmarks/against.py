"""Compare two revisions of ohwait: `python -m benchmarks --against REV`, before merging anything in the core.

Both are built, each in an environment of its own, and measured by turns in the same rounds, native await with them.
"""

import argparse
import io
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmarks import environment as environments
from benchmarks import instructions, schedule
from benchmarks.cases import Case, Point
from benchmarks.contenders import NATIVE, OHWAIT
from benchmarks.environment import CACHE, ROOT, SOURCES, BenchmarkError, Environment
from benchmarks.report.terminal import console, progress
from benchmarks.results import INSTRUCTION, Measurement, figure
from benchmarks.schedule import Method, Plan, Subject
from benchmarks.significance import Difference
from benchmarks.significance import compare as judge

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE, THERE = "this", "against"
EXACT = 1.002
"""Instruction counts that differ by less than this are called equal: hash tables may lie differently."""
BEARABLE, BEARABLE_COUNT = 1.03, 1.02
"""What makes the command fail: a significant slowdown beyond the first, or so many more instructions and not faster."""


def sources(revision: str) -> Path:
    """The sources of a commit of this repository, below the build folder, or `revision` itself where it is a folder."""
    if Path(revision).is_dir():
        return Path(revision).resolve()
    found = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    target = CACHE / "revisions" / found[:12]
    if not target.exists():
        there = set(_git("ls-tree", "--name-only", found).decode().split())
        archive = _git("archive", "--format=tar", found, *(name for name in SOURCES if name in there))
        partial = target.with_name(f"{target.name}.partial")
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(partial, filter="data")
        partial.rename(target)
    return target


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True)
    except OSError as error:
        raise BenchmarkError(f"git cannot be run ({error}): give --against a folder with sources instead") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or "no such revision"
        raise BenchmarkError(f"git {' '.join(arguments[:4])}: {said} (--against also takes a folder with sources)")
    return done.stdout


def compared(plan: Plan, chosen: bool) -> Plan:
    """The core cases, or those that were chosen; of contenders, native await and ohwait alone."""
    cases = plan.cases if chosen else tuple(case for case in plan.cases if case.core)
    having = tuple(case for case in cases if OHWAIT.name in case.contenders)
    return replace(plan, cases=having, contenders=(NATIVE, OHWAIT))


def points_of(case: Case, plan: Plan) -> "Sequence[Point]":
    """The points of a case, for a core case those that count."""
    return case.core if case.core and plan.points is None else plan.points_of(case)


def differences(case: Case, plan: Plan, subjects: list[Subject], method: Method, step: Any) -> list[dict[str, Any]]:
    """For each point of `case`, how the two differ and what either takes of native await's time."""
    points = points_of(case, plan)
    table = schedule.measure(case, points, subjects, method, step)
    rows: list[dict[str, Any]] = []
    for point in points:
        made = {name: table.made.get((name, point, case.unit)) for name in (HERE, THERE, NATIVE.name)}
        failed = [f"{name}: {table.errors[name, point]}" for name in (HERE, THERE) if (name, point) in table.errors]
        if failed:
            rows.append({"point": point, "error": "; ".join(failed)})
            continue
        rows.append({"point": point, "difference": judge(_ratios(made[HERE], made[THERE])), "made": made})
    return rows


def _ratios(upper: Measurement | None, lower: Measurement | None) -> list[float]:
    assert upper is not None and lower is not None
    return [a / b for a, b in zip(upper.of_round(), lower.of_round(), strict=False)]


def counted(case: Case, plan: Plan, subjects: list[Subject], step: Any) -> dict[Point, float]:
    """How many times as many instructions this revision executes as the other one, by point."""
    pair = [each for each in subjects if each.name != NATIVE.name]
    table = instructions.count(case, points_of(case, plan), pair, step)
    found = {}
    for point in points_of(case, plan):
        here, there = (table.made.get((name, point, INSTRUCTION)) for name in (HERE, THERE))
        if here and there:
            found[point] = here.median() / there.median()
    return found


def show(case: Case, rows: list[dict[str, Any]], counts: dict[Point, float], other: str) -> None:
    """Print what was found for a case."""
    made = Table(title=f"{case.title}: this tree's time divided by that of {other}", title_justify="left")
    heads = (case.axis, "ratio", "95 %", "", f"native = 1: {other}", "this", "instructions")
    for head in heads if counts else heads[:-1]:
        made.add_column(head, justify="left" if head in (case.axis, "") else "right")
    for row in rows:
        point = row["point"]
        if "error" in row:
            made.add_row(f"{point}", "-", "-", row["error"])
            continue
        found: Difference = row["difference"]
        native = row["made"][NATIVE.name]
        beside = ["-", "-"]
        if native is not None:
            beside = [figure(row["made"][name].median() / native.median()) for name in (THERE, HERE)]
        cells = [f"{point}", f"{found.ratio:.3f}", f"{found.low:.3f}-{found.high:.3f}", found.verdict, *beside]
        if counts:
            count = counts.get(point)
            cells.append("-" if count is None else "equal" if 1 / EXACT < count < EXACT else f"{count:.3f}")
        made.add_row(*cells)
    console.print(made)


def compare(options: argparse.Namespace, plan: Plan, method: Method) -> int:
    """Do what `--against` says; the exit status is 1 when something has become significantly slower."""
    tree, other = options.tree.resolve(), sources(options.against)
    plan = compared(plan, bool(options.case))
    method = replace(method, rounds=max(2, method.rounds), gauges=max(4, method.gauges))  # One round shows no noise.
    counting = instructions.available() if options.instructions is None else options.instructions
    slower: list[str] = []
    for executable in options.python or [sys.executable]:
        on = environments.interpreter(executable)
        subjects = _subjects(on, plan, tree, other)
        with progress(on.id, len(plan.cases)) as steps:
            for case, step in zip(plan.cases, steps, strict=True):
                rows = differences(case, plan, subjects, method, step)
                counts = counted(case, plan, subjects, step) if counting and case.core else {}
                show(case, rows, counts, options.against)
                slower += [f"{on.id}: {case.title}, {row['point']}" for row in rows if is_slower(row, counts)]
    console.print("\n".join(["slower than before:", *slower]) if slower else "nothing has become slower", markup=False)
    return 1 if slower else 0


def is_slower(row: dict[str, Any], counts: dict[Point, float]) -> bool:
    """Whether this tree is slower at a point: by more than is bearable, and not by chance."""
    found: Difference | None = row.get("difference")
    if found is None:
        return False
    if counts.get(row["point"], 1) > BEARABLE_COUNT and found.ratio > 1:
        return True
    return found.significant and found.ratio > BEARABLE and counts.get(row["point"], EXACT) >= 1


def _subjects(on: environments.Interpreter, plan: Plan, tree: Path, other: Path) -> list[Subject]:
    built: dict[str, Environment] = {}
    for name, folder in ((HERE, tree), (THERE, other)):
        with console.status(f"{on.id}: building {folder.name}"):
            built[name] = environments.prepare(on, plan.needed(), folder, console.print)
    return [
        Subject(NATIVE.name, NATIVE, built[HERE]),
        Subject(HERE, OHWAIT, built[HERE]),
        Subject(THERE, OHWAIT, built[THERE]),
    ]
