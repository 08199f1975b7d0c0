"""RESULTS.md: the headline and the targets first, then a section for each question."""

from collections.abc import Iterable, Sequence

from benchmarks.cases import Case, Target, cases
from benchmarks.contenders import CONTENDERS, NATIVE, OHWAIT, contender
from benchmarks.results import Measurement, Ratio, Results, figure

METHOD = """\
Every figure is a ratio: what an operation takes with the contender, divided by what it takes with native `await`
all the way down, on the same interpreter; below 1 is faster (or smaller) than native. The driver is a bare loop over
`coroutine.send(None)`, so the costs of an event loop, the same for all, are not mixed in. *Depth* is how often
the function that the coroutine calls calls itself before it waits; at depth 0 there is one function between
the coroutine and the awaitable.

Each contender runs in processes of its own, run by pyperf, the contenders by turns in each round. Times are processor
time of the thread, which stands still while other processes have the processor. A ratio is taken
within each round, of the fastest value of each process (the one that other processes disturbed least);
the tables show the median over the rounds and, in brackets, the quartiles. Memory is what the kernel says
the process has grown by. Instructions are counted by valgrind's callgrind; they do not depend on what else
the machine does.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is aligned left, the others right."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def met(target: Target, ratio: Ratio) -> bool:
    """Whether `ratio`, as it is printed, reaches `target`, as that is printed."""
    return float(figure(ratio.value)) <= float(figure(target.at_most))


def cell(ratio: Ratio | None) -> str:
    """A ratio with its quartiles, for a table."""
    if ratio is None:
        return "-"
    if figure(ratio.low) == figure(ratio.high):
        return str(ratio)
    return f"{ratio} ({figure(ratio.low)}-{figure(ratio.high)})"


def absolute(measurement: Measurement | None) -> str:
    """A figure with its unit, for a table."""
    if measurement is None:
        return "-"
    value = measurement.median()
    if measurement.unit == "second":
        return f"{value * 1e9:,.0f} ns"
    return f"{value:,.0f} {'B' if measurement.unit == 'byte' else ''}".strip()


def targets(found: list[Results]) -> str:
    """The table of the targets, and for each interpreter whether they are met."""
    rows = []
    for case in cases():
        for target in case.targets:
            row = [f"{case.title}, depth {target.depth}, against {contender(target.against).title}"]
            row.append(f"≤ {figure(target.at_most)}")
            for results in found:
                ratio = results.ratio(case.name, target.depth, OHWAIT.name, case.unit, target.against)
                row.append("-" if ratio is None else f"{ratio} {'met' if met(target, ratio) else '**not met**'}")
            rows.append(row)
    return table(["", "target", *(results.title for results in found)], rows)


def headline(found: list[Results]) -> str:
    """One sentence on what the newest interpreter shows; empty where the figures for it are not there."""
    newest = found[-1]
    native = newest.ratio("suspend_once", 20, OHWAIT.name, "second")
    greenlet = newest.ratio("suspend_once", 20, "awaitlet", "second")
    bytes_ = newest.ratio("memory", 20, OHWAIT.name, "byte")
    if native is None or greenlet is None or bytes_ is None:
        return ""
    return (
        f"**On CPython {newest.title}, a chain of plain functions of depth 20 that suspends once takes {native} times "
        f"what native `await` takes (greenlet: {greenlet} times), and {bytes_} times its memory while suspended.**\n\n"
    )


def section(case: Case, found: list[Results]) -> str:
    """A question, its plot and its table."""
    others = [each for each in CONTENDERS if each is not NATIVE]
    counted = [each for each in others if any(_counts(results, case, each.name) for results in found)]
    head = ["CPython, depth", NATIVE.title, *(each.title for each in others)]
    head += [f"instructions: {each.title}" for each in counted]
    rows = []
    for results in found:
        for depth in results.depths(case.name, case.unit):
            row = [f"{results.title}, {depth}", absolute(results.find(case.name, depth, NATIVE.name, case.unit))]
            row += [cell(results.ratio(case.name, depth, each.name, case.unit)) for each in others]
            row += [cell(results.ratio(case.name, depth, each.name, "instruction")) for each in counted]
            rows.append(row)
    plot = f"![{case.title}, by depth](plots/{case.name}.svg)"
    return f"## {case.title.capitalize()}\n\n{case.question}\n\n{plot}\n\n{table(head, rows)}\n"


def _counts(results: Results, case: Case, name: str) -> bool:
    counted = results.depths(case.name, "instruction")
    return any(results.find(case.name, depth, name, "instruction") for depth in counted)


def origin(found: list[Results]) -> str:
    """Where the figures come from: machine, interpreters, versions."""
    packages = sorted({name for results in found for name in results.versions})
    head = ["CPython", "compiler", "optimised", "machine", "date", "rounds", "load", "commit", *packages]
    rows = []
    for results in found:
        method, host = results.method, results.machine
        rows.append(
            [
                results.interpreter["version"],
                results.interpreter["compiler"],
                "PGO" if results.interpreter["optimised"] else "no PGO",
                f"{host['processor']}, {host['processors']} processors, {host['system']}"
                + ("" if method["pinned"] else ", not pinned"),
                method["date"],
                str(method["rounds"]),
                str(method["load"]),
                method["revision"],
                *(results.versions.get(name, "-") for name in packages),
            ]
        )
    left_out = [
        f"- {results.title}: {contender(name).title} is left out: {reason}\n"
        for results in found
        for name, reason in results.missing.items()
    ]
    return table(head, rows) + "\n" + ("\n" + "".join(left_out) if left_out else "")


def document(found: list[Results]) -> str:
    """The text of RESULTS.md."""
    measured = [case for case in cases() if any(results.depths(case.name, case.unit) for results in found)]
    return (
        "# What a suspension costs\n\n"
        "Written by `python -m benchmarks` from the files in `results/`; change nothing here by hand.\n\n"
        f"{headline(found)}{targets(found)}\n\n{METHOD}\n"
        + "\n".join(section(case, found) for case in measured)
        + f"\n## Where the figures come from\n\n{origin(found)}"
    )
