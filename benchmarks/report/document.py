"""RESULTS.md: the headline and the targets first, then a section for each question."""

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.cases import Case, Target, case, cases
from benchmarks.contenders import CONTENDERS, DESCRIBED, NATIVE, OHWAIT, contender
from benchmarks.results import INSTRUCTION, Measurement, Ratio, Results, figure

METHOD = """\
Every figure is a ratio: what an operation takes with the contender, divided by what it takes with native `await`
all the way down, on the same interpreter; below 1 is faster (or smaller) than native. Unless a question says
otherwise the driver is a bare loop over `coroutine.send(None)`, so the costs of an event loop, the same for all, are
not mixed in. *Depth* is how often the function that the coroutine calls calls itself before it waits; at depth 0
there is one function between the coroutine and the awaitable.

Each contender runs in processes of its own, pinned to a processor, as workers of pyperf: calibrated, warmed up, the
contenders by turns in each round. Times are processor time of the thread (under event loops: of the process), which
stands still while other processes have the processor. A ratio is taken within each round, of the fastest value of
each process (the one that other processes disturbed least); the tables show the median over the rounds and, in
brackets, the quartiles. Memory is what the kernel says the process has grown by (smaps_rollup), and its peak (VmHWM).
Instructions are counted by valgrind's callgrind; they do not depend on what else the machine does.
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
    value, unit = measurement.median(), measurement.unit
    if unit == "second of a request":
        return f"{1 / value:,.0f} requests/s"
    if unit.startswith("second"):
        return f"{value * 1e9:,.0f} ns" if value < 1e-4 else f"{value * 1e3:,.{2 if value < 0.1 else 0}f} ms"
    if unit.startswith("byte"):
        return f"{value:,.0f} B"
    return f"{value:,.0f}{'' if unit == INSTRUCTION else ' ' + unit}"


def verdict(reached: bool) -> str:
    """For the table of the targets."""
    return "met" if reached else "**not met**"


def targets(found: list[Results]) -> str:
    """The table of the targets, and for each interpreter whether they are met."""
    rows = []
    for each in cases():
        for target in each.targets:
            row = [f"{each.title}, {target.point}, against {contender(target.against).title}"]
            row.append(f"≤ {figure(target.at_most)}")
            for results in found:
                ratio = results.ratio(each, target.point, OHWAIT.name, against=target.against)
                row.append("-" if ratio is None else f"{ratio} {verdict(met(target, ratio))}")
            rows.append(row)
        if each.growth is not None:
            row = [f"{each.title}, for one more {each.slope}", f"≤ {figure(each.growth.at_most)} ns"]
            for results in found:
                grown = results.growth(each, OHWAIT.name)
                reached = grown is not None and grown <= each.growth.at_most
                row.append("-" if grown is None else f"{figure(grown)} ns {verdict(reached)}")
            rows.append(row)
    return table(["case, depth", "target", *(results.title for results in found)], rows)


def headline(found: list[Results]) -> str:
    """One sentence on what the newest interpreter shows; empty where the figures for it are not there."""
    newest = found[-1]
    native = newest.ratio(case("suspend_once"), 20, OHWAIT.name)
    greenlet = newest.ratio(case("suspend_once"), 20, "greenlet")
    bytes_ = newest.ratio(case("memory"), 20, OHWAIT.name)
    if native is None or greenlet is None or bytes_ is None:
        return ""
    return (
        f"**On CPython {newest.title}, a chain of plain functions of depth 20 that suspends once takes {native} times "
        f"what native `await` takes (a raw greenlet: {greenlet} times), and {bytes_} times its memory meanwhile.**"
        "\n\n"
    )


def ratios(asked: Case, found: list[Results], unit: str) -> str:
    """The table of a case in one of its units: what the baseline takes, and the others' ratios to it."""
    names = [name for name in asked.contenders if any(name in results.contenders(asked, unit) for results in found)]
    others = [name for name in names if name != asked.baseline]
    head = [f"CPython, {asked.axis}" if asked.axis else "CPython"]
    head += [contender(name).title for name in (asked.baseline, *others)]
    rows = []
    for results in found:
        for point in results.points(asked, unit):
            row = [f"{results.title}, {point:,}" if isinstance(point, int) else f"{results.title}, {point}"]
            row.append(absolute(results.find(asked, point, asked.baseline, unit)))
            row += [cell(results.ratio(asked, point, name, unit)) for name in others]
            rows.append(row)
    return table(head, rows) + "\n"


def growth(asked: Case, found: list[Results]) -> str:
    """What one more step of the points costs each contender, in nanoseconds."""
    rows = []
    for name in asked.contenders:
        slopes = [results.growth(asked, name) for results in found]
        if any(slope is not None for slope in slopes):
            rows.append([contender(name).title, *("-" if slope is None else f"{slope:,.2f}" for slope in slopes)])
    head = [f"ns for one more {asked.slope}", *(results.title for results in found)]
    told = f"What one more {asked.slope} costs (the line of least squares of the relative errors):"
    return f"{told}\n\n{table(head, rows)}\n"


def left_out(asked: Case, found: list[Results]) -> str:
    """Who could not be measured, where and why: a line for each reason."""
    reasons: dict[str, list[str]] = {}
    for results in found:
        if asked.name in results.cases:
            for each in results.cases[asked.name].left_out:
                points = ", ".join(str(point) for point in each.points)
                text = f"{contender(each.contender).title}{f' ({points})' if points else ''}: {each.reason}"
                reasons.setdefault(text, []).append(results.title)
    return "".join(f"- {', '.join(titles)}: {text}\n" for text, titles in reasons.items())


def section(asked: Case, found: list[Results]) -> str:
    """A question, its plot and its tables."""
    parts = [f"## {asked.title[0].upper()}{asked.title[1:]}\n\n{asked.question}\n"]
    parts.append(f"![{asked.title}](plots/{asked.name}.svg)\n")
    parts.append(ratios(asked, found, asked.unit))
    for unit in (*asked.units[1:], INSTRUCTION):
        if any(results.points(asked, unit) for results in found):
            parts.append(f"{unit.capitalize()}{'s' if unit == INSTRUCTION else ''}:\n\n{ratios(asked, found, unit)}")
    if asked.slope:
        parts.append(growth(asked, found))
    parts.append(left_out(asked, found))
    return "\n".join(part for part in parts if part)


def several(values: Iterable[object]) -> str:
    """Different values in one cell."""
    return ", ".join(dict.fromkeys(str(value) for value in values))


def origin(found: list[Results]) -> str:
    """Where the figures come from: machine, interpreters, versions."""
    head = ["CPython", "compiler", "optimised", "machine", "date", "rounds", "load", "commit", "minutes"]
    rows, versions = [], dict[str, dict[str, str]]()
    for results in found:
        methods = [each.method for each in results.cases.values()]
        host, about = results.machine, results.interpreter
        pinned = all(method["pinned"] for method in methods)
        loads = [method["load"] for method in methods if method["load"] is not None]
        rows.append(
            [
                about["version"],
                about["compiler"],
                "PGO" if about["optimised"] else "no PGO",
                f"{host['processor']}, {host['processors']} processors, {host['system']}"
                + ("" if pinned else ", not pinned"),
                several(sorted(method["date"] for method in methods)),
                several(sorted(method["rounds"] for method in methods)),
                f"{min(loads):.1f}-{max(loads):.1f}" if loads else "-",
                several(method["revision"] for method in methods),
                f"{sum(method['seconds'] for method in methods) / 60:.1f}",
            ]
        )
        for each in results.cases.values():
            for name, version in each.versions.items():
                versions.setdefault(name, {})[results.title] = version
    named = [
        [name, *(by_title.get(results.title, "-") for results in found)] for name, by_title in sorted(versions.items())
    ]
    return f"{table(head, rows)}\n\n{table(['version', *(results.title for results in found)], named)}\n"


def contenders(found: list[Results]) -> Iterator[str]:
    """A line for each contender that was measured: how it waits."""
    measured = {name for results in found for each in cases() for name in results.contenders(each)}
    for each in CONTENDERS:
        if each.name in measured or each is NATIVE:
            yield f"- **{each.title}**: {each.way}\n"
    yield f"- {DESCRIBED}\n"


def document(found: list[Results]) -> str:
    """The text of RESULTS.md."""
    measured = [each for each in cases() if any(results.points(each) for results in found)]
    return (
        "# What a suspension costs\n\n"
        "Written by `python -m benchmarks` from the files in `results/`; change nothing here by hand.\n\n"
        f"{headline(found)}{targets(found)}\n\n{METHOD}\n"
        f"Who takes part:\n\n{''.join(contenders(found))}\n"
        + "\n".join(section(each, found) for each in measured)
        + f"\n## Where the figures come from\n\n{origin(found)}"
    )
