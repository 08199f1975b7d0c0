"""The command: measure, compare, write the report, or check that README.md shows the results."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import environment as environments
from benchmarks.cases import Point, cases
from benchmarks.contenders import CONTENDERS, NATIVE
from benchmarks.environment import CACHE, ROOT, BenchmarkError
from benchmarks.report import check, write
from benchmarks.results import DIRECTORY, Results, load, save

if TYPE_CHECKING:
    from benchmarks.environment import Environment
    from benchmarks.schedule import Method, Plan

QUICK_DIRECTORY = CACHE / "quick"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What a suspension costs with ohwait, as a ratio to native await and beside everything else.",
    )
    action = made.add_mutually_exclusive_group()
    action.add_argument("--report", action="store_true", help="only write the report from the results that are there")
    action.add_argument("--check", action="store_true", help="fail when README.md or RESULTS.md differs from results")
    action.add_argument("--list", action="store_true", help="the cases and contenders")
    action.add_argument(
        "--against", metavar="REV", help="compare with another commit (or folder of sources): faster or slower?"
    )
    amount = made.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="two minutes, rough; not kept with the project's results")
    amount.add_argument("--brief", action="store_true", help="everything, with fewer and shorter values")
    made.add_argument("--python", action="append", metavar="EXE", help="an interpreter to measure on (again for more)")
    made.add_argument("--case", action="append", choices=[each.name for each in cases()], help="only this case")
    made.add_argument("--skip", action="append", choices=[each.name for each in cases()], help="not this case")
    made.add_argument(
        "--contender",
        action="append",
        choices=[each.name for each in CONTENDERS[1:]],
        help="only this one beside native await",
    )
    made.add_argument(
        "--depth", "--point", dest="point", action="append", metavar="N", help="only chains of this depth (this point)"
    )
    made.add_argument("--rounds", type=int, metavar="N", help="processes for each figure")
    made.add_argument("--resume", action="store_true", help="leave out cases that have results of the same sources")
    made.add_argument(
        "--instructions",
        action=argparse.BooleanOptionalAction,
        help="count instructions too, for the core cases (needs valgrind; usual where that is, but with --quick)",
    )
    made.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="the ohwait sources to measure")
    made.add_argument(
        "--results", type=Path, metavar="DIR", help="where to keep results (README.md then stays as it is)"
    )
    return made


def point(text: str) -> Point:
    """A point as it is written on the command line."""
    return int(text) if text.lstrip("-").isdigit() else text


def plan_of(options: argparse.Namespace) -> "Plan":
    """What the command line asks to measure. Native await is always in it."""
    from benchmarks.schedule import Plan

    chosen = [each for each in cases() if not options.case or each.name in options.case]
    chosen = [each for each in chosen if each.name not in (options.skip or ())]
    if options.quick:
        chosen = [each for each in chosen if each.quick]
    wanted = [each for each in CONTENDERS if not options.contender or each.name in options.contender]
    if NATIVE not in wanted:
        wanted.insert(0, NATIVE)
    points = tuple(dict.fromkeys(point(each) for each in options.point)) if options.point else None
    return Plan(tuple(chosen), tuple(wanted), points, options.quick)


def method_of(options: argparse.Namespace) -> "Method":
    """How much the command line asks to measure."""
    from dataclasses import replace

    from benchmarks.schedule import BRIEF, QUICK, Method

    method = QUICK if options.quick else BRIEF if options.brief else Method()
    return replace(method, rounds=options.rounds) if options.rounds else method


def prepared(executable: str, options: argparse.Namespace, plan: "Plan", tree: Path) -> "Environment":
    """The environment for an interpreter, with what `plan` needs."""
    from benchmarks.report.terminal import console

    on = environments.interpreter(executable)
    with console.status(f"{on.id}: preparing the environment"):
        environment = environments.prepare(on, plan.needed(), tree, console.print)
    for name, reason in environment.missing.items():
        console.print(f"{on.id}: {name} is left out: {reason}", style="yellow", markup=False)
    return environment


def known(environment: "Environment", directory: Path) -> Results:
    """The results of this interpreter that are there, or none yet."""
    from benchmarks import machine

    described = {key: value for key, value in vars(environment.interpreter).items() if key != "executable"}
    path = directory / f"{described['id']}.json"
    if path.exists():
        try:
            found = load(path)
        except ValueError as error:
            raise BenchmarkError(f"{error} (remove the file first)") from error
        if (found.interpreter, found.machine) == (described, machine.describe()):
            return found
    return Results(described, machine.describe())


def measure_on(executable: str, options: argparse.Namespace, plan: "Plan", directory: Path) -> Results:
    """Measure `plan` on one interpreter; what is finished is kept at once, beside the results of other cases."""
    from benchmarks import instructions, schedule
    from benchmarks.report.terminal import console, progress

    tree, method = options.tree.resolve(), method_of(options)
    environment = prepared(executable, options, plan, tree)
    results = known(environment, directory)
    counting = options.instructions
    if counting is None:
        counting = instructions.available() and not options.quick
    left = [
        case
        for case in plan.cases
        if not (options.resume and schedule.is_measured(case, plan, results.cases.get(case.name), tree, method))
    ]
    with progress(environment.interpreter.id, len(left)) as steps:
        for case, step in zip(left, steps, strict=True):
            try:
                made = schedule.run_case(case, plan, environment, tree, method, step)
                if counting and case.core:
                    made.measurements += instructions.of_case(case, plan, environment, step)
            except BenchmarkError as error:
                console.print(f"{case.name}: {error}", style="red", markup=False)
                continue
            results.cases[case.name] = made
            results.cases = {each.name: results.cases[each.name] for each in cases() if each.name in results.cases}
            save(results, directory)
    return results


def measure(options: argparse.Namespace) -> int:
    """Measure, keep the results and write the report; the exit status is 1 when ohwait or native await has failed."""
    from benchmarks.report.terminal import show

    directory = options.results or (QUICK_DIRECTORY if options.quick else DIRECTORY)
    plan = plan_of(options)
    failures: list[str] = []
    for executable in options.python or [sys.executable]:
        results = measure_on(executable, options, plan, directory)
        show(results, plan.cases)
        failures += failed(results, plan)
    report(directory)
    print("\n".join(failures), end="\n" if failures else "", file=sys.stderr)
    return 1 if failures else 0


def failed(results: Results, plan: "Plan") -> Iterator[str]:
    """What went wrong, in one line each, that is not merely a contender's limit."""
    for case in plan.cases:
        found = results.cases.get(case.name)
        if found is None:
            yield f"{results.id}: {case.name} was not measured"
            continue
        for each in found.left_out:
            expected = each.reason.startswith(("CFunctionError", "ModuleNotFoundError", "ImportError", "NotOffered"))
            if each.contender in ("native", "ohwait") and not expected:
                yield f"{results.id}: {case.name}: {each.contender} at {each.points}: {each.reason}"


def report(directory: Path) -> None:
    """Write the report of the results in `directory`, and README.md's table if they are the project's."""
    for path in write(directory):
        print(f"written: {path}")


def show_list() -> None:
    """Print the cases and the contenders."""
    for case in cases():
        print(f"{case.name}: {case.question}")
    for contender in CONTENDERS:
        print(f"{contender.name}: {contender.title}. {contender.way}")


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks, with the packages at hand that draw progress and plots."""
    if options.report:
        report(options.results or DIRECTORY)
        return 0
    if options.against:
        from benchmarks.against import compare

        return compare(options, plan_of(options), method_of(options))
    return measure(options)


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    options = parser().parse_args(arguments)
    if options.list:
        show_list()
        return 0
    try:
        if options.check:
            differences = check(options.results or DIRECTORY)
            print("\n".join(differences) or "README.md and RESULTS.md show the results")
            return 1 if differences else 0
        try:
            import matplotlib  # noqa: F401
            import rich  # noqa: F401
        except ImportError:
            environments.restart_with_reporters(list(arguments))
        return run(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks: interrupted; the cases that were finished are kept (--resume goes on)", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
