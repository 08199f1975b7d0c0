"""The plots: one for each question, a panel for each interpreter. They show on white and on black."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.cases import Case, cases
from benchmarks.contenders import CONTENDERS, NATIVE, OHWAIT
from benchmarks.results import Results, figure

# Each has a contrast of at least 3:1 to white and to black (and to the dark grey of code hosts' pages).
TEXT = "#7a828e"
GRID = "#7a828e44"
COLOURS = {"native": "#7a828e", "ohwait": "#e0661a", "awaitlet": "#3f83d6"}
OTHERS = ("#2f9e57", "#b65fd0", "#c0452f", "#1f9aa8", "#a98200")
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


def colour(name: str) -> str:
    """The colour of the contender called `name`: the same one in every plot."""
    others = [each.name for each in CONTENDERS if each.name not in COLOURS]
    return COLOURS[name] if name in COLOURS else OTHERS[others.index(name) % len(OTHERS)]


def _panel(axes: Any, case: Case, results: Results) -> None:
    depths = results.depths(case.name, case.unit)
    places = range(len(depths))
    for each in CONTENDERS:
        ratios = [results.ratio(case.name, depth, each.name, case.unit) for depth in depths]
        points = [(place, ratio) for place, ratio in zip(places, ratios, strict=True) if ratio is not None]
        if not points:
            continue
        x, known = [place for place, _ in points], [ratio for _, ratio in points]
        style = {"linestyle": "--"} if each is NATIVE else {"marker": "o", "markersize": 4}
        axes.plot(x, [ratio.value for ratio in known], color=colour(each.name), label=each.title, **style)
        if each is not NATIVE:
            axes.fill_between(
                x, [r.low for r in known], [r.high for r in known], color=colour(each.name), alpha=0.25, linewidth=0
            )
            for place, ratio in (points[0], points[-1]):
                axes.annotate(
                    figure(ratio.value),
                    (place, ratio.value),
                    xytext=(0, -13 if each is OHWAIT else 6),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                    color=colour(each.name),
                )
    axes.set_title(f"CPython {results.title}", fontsize=10)
    axes.set_xticks(list(places), [str(depth) for depth in depths])
    axes.set_xlabel("depth of the chain")


def plot(case: Case, found: list[Results], path: Path) -> None:
    """Plot `case` by depth into the SVG file `path`."""
    with matplotlib.rc_context(rc=STYLE):
        shape, axes = pyplot.subplots(
            1,
            len(found),
            sharey=True,
            squeeze=False,
            layout="constrained",
            figsize=(max(4.5, 1.2 + 2.3 * len(found)), 3.2),
        )
        for panel, results in zip(axes[0], found, strict=True):
            _panel(panel, case, results)
            panel.set_yscale("log")
            panel.yaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]))
            panel.yaxis.set_minor_locator(NullLocator())
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            panel.grid(axis="y", color=GRID, linewidth=0.6)
            panel.margins(x=0.12, y=0.12)
        axes[0][0].set_ylabel("native await = 1")
        handles, labels = axes[0][0].get_legend_handles_labels()
        shape.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        shape.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(shape)


def plot_all(found: list[Results], directory: Path) -> list[Path]:
    """Plot every case that was measured; return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for case in cases():
        having = [results for results in found if results.depths(case.name, case.unit)]
        if having:
            path = directory / f"{case.name}.svg"
            plot(case, having, path)
            written.append(path)
    return written
