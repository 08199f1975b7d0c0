"""The command: measure, write the report, or check that README.md shows the results."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import environment as environments
from benchmarks.cases import cases
from benchmarks.contenders import CONTENDERS
from benchmarks.environment import CACHE, ROOT, BenchmarkError
from benchmarks.report import check, write
from benchmarks.results import DIRECTORY, Results, save

if TYPE_CHECKING:
    from benchmarks.schedule import Method, Plan

QUICK_DIRECTORY = CACHE / "quick"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What a suspension costs with ohwait, as a ratio to native await and beside greenlet.",
    )
    action = made.add_mutually_exclusive_group()
    action.add_argument("--quick", action="store_true", help="two minutes, rough; not kept with the project's results")
    action.add_argument("--report", action="store_true", help="only write the report from the results that are there")
    action.add_argument("--check", action="store_true", help="fail when README.md or RESULTS.md differs from results")
    action.add_argument("--list", action="store_true", help="the cases and contenders")
    made.add_argument("--python", action="append", metavar="EXE", help="an interpreter to measure on (again for more)")
    made.add_argument("--case", action="append", choices=[each.name for each in cases()], help="only this case")
    made.add_argument(
        "--contender",
        action="append",
        choices=[each.name for each in CONTENDERS[1:]],
        help="only this one beside native await",
    )
    made.add_argument("--depth", action="append", type=int, metavar="N", help="only chains of this depth")
    made.add_argument("--rounds", type=int, metavar="N", help="processes for each figure")
    made.add_argument("--instructions", action="store_true", help="count instructions too (needs valgrind)")
    made.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="the ohwait sources to measure")
    made.add_argument(
        "--results", type=Path, metavar="DIR", help="where to keep results (README.md then stays as it is)"
    )
    return made


def plan_of(options: argparse.Namespace) -> "Plan":
    """What the command line asks to measure. Native await is always in it."""
    from benchmarks.schedule import Plan

    wanted = tuple(each for each in CONTENDERS if not options.contender or each.name in options.contender)
    return Plan(
        cases=tuple(each for each in cases() if not options.case or each.name in options.case),
        contenders=wanted if CONTENDERS[0] in wanted else (CONTENDERS[0], *wanted),
        depths=tuple(sorted(set(options.depth))) if options.depth else None,
        quick=options.quick,
    )


def measure_on(executable: str, options: argparse.Namespace, plan: "Plan", method: "Method") -> Results:
    """Measure `plan` on one interpreter."""
    from benchmarks import instructions, schedule
    from benchmarks.report.terminal import console, progress

    on = environments.interpreter(executable)
    with console.status(f"{on.id}: preparing the environment"):
        environment = environments.prepare(on, plan.contenders, options.tree.resolve(), console.print)
    for reason in environment.missing.values():
        console.print(f"{on.id}: left out: {reason}", style="yellow", markup=False)
    began = time.monotonic()
    with progress(on.id) as step:
        measurements = schedule.measure(environment, plan, method, step)
        if options.instructions:
            measurements += instructions.count(environment, plan, step)
    return schedule.results(environment, options.tree.resolve(), method, measurements, began)


def method_of(options: argparse.Namespace) -> "Method":
    """How much the command line asks to measure."""
    from dataclasses import replace

    from benchmarks.schedule import QUICK, Method

    method = QUICK if options.quick else Method()
    return replace(method, rounds=options.rounds) if options.rounds else method


def measure(options: argparse.Namespace) -> None:
    """Measure, keep the results and write the report."""
    from benchmarks.report.terminal import show

    directory = options.results or (QUICK_DIRECTORY if options.quick else DIRECTORY)
    plan, method = plan_of(options), method_of(options)
    for executable in options.python or [sys.executable]:
        results = measure_on(executable, options, plan, method)
        show(results)
        print(f"results: {save(results, directory)}")
    report(directory)


def report(directory: Path) -> None:
    """Write the report of the results in `directory`, and README.md's table if they are the project's."""
    for path in write(directory):
        print(f"written: {path}")


def show_list() -> None:
    """Print the cases and the contenders."""
    for case in cases():
        print(f"{case.name}: {case.question}")
    for contender in CONTENDERS:
        print(f"{contender.name}: {contender.title}")


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    options = parser().parse_args(arguments)
    if options.list:
        show_list()
        return 0
    directory = options.results or DIRECTORY
    try:
        if options.check:
            differences = check(directory)
            print("\n".join(differences) or "README.md and RESULTS.md show the results")
            return 1 if differences else 0
        try:
            import matplotlib  # noqa: F401
            import pyperf  # noqa: F401
            import rich  # noqa: F401
        except ImportError:
            environments.restart_with_reporters(list(arguments))
        report(directory) if options.report else measure(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks: interrupted; nothing was kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
