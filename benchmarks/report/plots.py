"""The plots: one for each question, a panel for each interpreter. They show on white and on black."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.cases import Case, Point, cases
from benchmarks.contenders import CONTENDERS, OHWAIT, contender
from benchmarks.results import Ratio, Results, figure

# Each has a contrast of at least 3:1 to white and to black (and to the dark grey of code hosts' pages).
TEXT = "#7a828e"
GRID = "#7a828e44"
COLOURS = {"native": "#7a828e", "ohwait": "#e0661a"}
OTHERS = ("#3f83d6", "#2f9e57", "#b65fd0", "#c0452f", "#1f9aa8", "#a98200")
MARKERS = ("s", "^", "D", "v", "P", "X")
TICKS = [factor * 10.0**power for power in range(-3, 5) for factor in (1, 2, 5)]
STYLE: Any = {
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "savefig.transparent": True,
    # The same results give the same file, and text stays text.
    "svg.fonttype": "none",
    "svg.hashsalt": "ohwait",
    "text.color": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def look(name: str) -> dict[str, Any]:
    """Colour and marker of the contender called `name`: the same ones in every plot."""
    if name in COLOURS:
        return {"color": COLOURS[name], "marker": "o", "markersize": 5 if name == OHWAIT.name else 0}
    index = [each.name for each in CONTENDERS if each.name not in COLOURS].index(name)
    turn = index // len(OTHERS)
    return {"color": OTHERS[index % len(OTHERS)], "marker": MARKERS[index % len(MARKERS)], "markersize": 4 + turn} | (
        {"markerfacecolor": "none"} if turn else {}
    )


def _line(axes: Any, case: Case, name: str, points: list[tuple[int, Ratio]]) -> None:
    x, known = [place for place, _ in points], [ratio for _, ratio in points]
    style = look(name)
    if name == case.baseline:
        axes.axhline(1, color=style["color"], linestyle="--", linewidth=1.2, label=contender(name).title)
        return
    line = "-" if case.smooth and len(points) > 1 else "none"
    order = 4 if name == OHWAIT.name else 3
    axes.plot(x, [ratio.value for ratio in known], linestyle=line, label=contender(name).title, zorder=order, **style)
    low, high = [ratio.low for ratio in known], [ratio.high for ratio in known]
    if case.smooth:
        axes.fill_between(x, low, high, color=style["color"], alpha=0.25, linewidth=0)
    else:
        axes.vlines(x, low, high, color=style["color"], alpha=0.5, linewidth=3)
    if name == OHWAIT.name:
        for place, ratio in points if not case.smooth else {points[0], points[-1]}:
            axes.annotate(
                figure(ratio.value),
                (place, ratio.value),
                xytext=(0, -13),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=style["color"],
            )


def _panel(axes: Any, case: Case, results: Results, points: list[Point]) -> None:
    for name in results.contenders(case):
        ratios = [results.ratio(case, point, name) for point in points]
        having = [(place, ratio) for place, ratio in enumerate(ratios) if ratio is not None]
        if having:
            _line(axes, case, name, having)
    axes.set_title(f"CPython {results.title}", fontsize=10)
    labels = [f"{point:,}" if isinstance(point, int) else point for point in points]
    slant = {} if case.smooth else {"rotation": 25, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(points)), labels, **slant)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlim(-0.5, len(points) - 0.5)


def _frame(panel: Any) -> None:
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(FixedLocator(TICKS))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.grid(axis="y", color=GRID, linewidth=0.6)
    panel.margins(y=0.12)


def plot(case: Case, found: list[Results], path: Path) -> None:
    """Plot the ratios of `case` into the SVG file `path`."""
    points = [point for point in case.points if any(point in results.points(case) for results in found)]
    points += [point for results in found for point in results.points(case) if point not in points]
    with matplotlib.rc_context(rc=STYLE):
        width = max(2.3, 0.42 * len(points))
        shape, axes = pyplot.subplots(
            1,
            len(found),
            sharey=True,
            squeeze=False,
            layout="constrained",
            figsize=(max(6.0, 1.2 + width * len(found)), 3.6),
        )
        for panel, results in zip(axes[0], found, strict=True):
            _panel(panel, case, results, points)
            _frame(panel)
        shape.supxlabel(case.axis, fontsize=10)
        axes[0][0].set_ylabel(f"{contender(case.baseline).title} = 1")
        labels: dict[str, Any] = {}
        for panel in axes[0]:
            lines, names = panel.get_legend_handles_labels()
            labels |= dict(zip(names, lines, strict=True))
        columns = min(len(labels), 6 if len(found) > 2 else 3)
        shape.legend(
            list(labels.values()), list(labels), loc="outside upper center", ncols=columns, frameon=False, fontsize=9
        )
        shape.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(shape)


def plot_all(found: list[Results], directory: Path) -> list[Path]:
    """Plot every case that was measured; return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for case in cases():
        having = [results for results in found if results.points(case)]
        if having:
            path = directory / f"{case.name}.svg"
            plot(case, having, path)
            written.append(path)
    return written
