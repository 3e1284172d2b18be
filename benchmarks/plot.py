"""Pictures of a run: bars of the ratios, a roofline of the kernels, and how things grow."""

import re
from collections.abc import Sequence
from pathlib import Path

from .measure import Row
from .report import digits, fastest

OURS, THEIRS, PLAIN = "#1f6fb2", "#d1495b", "#9aa3ab"


def pictures(rows: Sequence[Row], run: dict, file: Path) -> list[Path]:
    """Draws each group that has ratios; `file` for one, a file beside it with the group's name for several.
    Returns what was written. Raises ValueError for an ending that matplotlib does not know."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    groups = list(dict.fromkeys(row.group for row in rows if row.ratio is not None))
    written = []
    for group in groups:
        found = [row for row in rows if row.group == group and row.ratio is not None]
        figures = [("", _growth if group == "scale" else _bars)]
        if any(row.work for row in found) and run["gemm"]:
            figures.append(("-roofline", _roofline))
        for suffix, draw in figures:
            name = file.stem + (f"-{group}" if len(groups) > 1 else "") + suffix
            figure = draw(pyplot, found, run)
            where = f"{run['threads']} threads on {run['machine']['cpu']}"
            title = figure.suptitle(f"{group}: {where}{', QUICK' if run['quick'] else ''}", fontsize=10)
            title.set_y(0.995)
            written.append(file.with_name(name + file.suffix))
            figure.savefig(written[-1], dpi=110, bbox_inches="tight")
            pyplot.close(figure)
    return written


def _bars(pyplot, rows, run):
    """A bar a row, from 1 to its ratio, with the interval."""
    height = 1.2 + 0.24 * len(rows)
    figure, axes = pyplot.subplots(figsize=(9.5, height), layout="constrained")
    for place, row in enumerate(rows):
        low, high = row.interval or (row.ratio, row.ratio)
        colour = OURS if low > 1 else THEIRS if high < 1 else PLAIN
        faded = 0.35 if row.verdict in ("slower layout", "not valid") else 0.9
        axes.barh(place, row.ratio - 1, left=1, color=colour, alpha=faded, height=0.7)
        axes.plot((low, high), (place, place), color="black", linewidth=1)
        axes.text(
            1.01, place, digits(row.ratio), transform=axes.get_yaxis_transform(), va="center", fontsize=7
        )
    names = [f"{row.case}  |  {row.side.replace(':', ' ')}" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xscale("log", base=2 if max(row.ratio for row in rows) < 64 else 10)
    axes.axvline(1, color="black", linewidth=0.8)
    _number(axes.xaxis)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel(
        "theirs / ours, with its 95% interval: right of 1 we are faster; pale: a slower layout, or not valid"
    )
    return figure


def _roofline(pyplot, rows, run):
    """Above: operations a second over operations a byte that must move, under the machine's roof. Below: the
    share of its memory bandwidth, for what does next to no arithmetic."""
    import numpy as np

    peak, bandwidth = run["gemm"]["rate"], run["memory"]["rate"]
    best = fastest(rows)
    worked, moved = [row for row in best if row.work], [row for row in best if not row.work]
    heights = (6, 0.6 + 0.26 * len(moved)) if moved else (6,)
    figure, panels = pyplot.subplots(
        len(heights),
        figsize=(9.5, sum(heights)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    above = panels[0, 0]
    x = [row.work / row.traffic for row in worked]
    span = np.geomspace(min(*x, peak / bandwidth) / 4, 2 * max(x), 200)
    above.plot(span, np.minimum(peak, bandwidth * span) / 1e9, color="black", linewidth=1)
    for place, (at, row) in enumerate(zip(x, worked)):
        ours, theirs = (row.work / seconds / 1e9 for seconds in (row.ours, row.theirs))
        above.plot((at, at), (ours, theirs), color=PLAIN, linewidth=0.7, zorder=1)
        above.plot(at, ours, "o", color=OURS, markersize=5, label="" if place else "ours")
        above.plot(at, theirs, "o", color=THEIRS, markersize=5, mfc="white", label="" if place else "theirs")
        above.annotate(
            str(place + 1), (at, max(ours, theirs)), (2, 3), textcoords="offset points", fontsize=6
        )
    above.set_xscale("log", base=2)
    above.set_yscale("log", base=2)
    _number(above.xaxis, above.yaxis)
    above.set_xlabel("operations per byte of inputs and results")
    above.set_ylabel("GFLOP/s, a convolution counted as the direct one")
    above.grid(alpha=0.3)
    names = [f"{place}  {row.case}" for place, row in enumerate(worked, 1)]
    above.text(1.02, 1, "\n".join(names), transform=above.transAxes, va="top", fontsize=6.5)
    rates = (
        f"{peak / 1e9:.0f} GFLOP/s ({run['gemm']['by']}), {bandwidth / 1e9:.1f} GB/s ({run['memory']['by']})"
    )
    above.legend(title=f"roof: {rates}", title_fontsize=8, fontsize=8, loc="best")
    if moved:
        _shares(panels[1, 0], moved, bandwidth)
    return figure


def _shares(axes, rows, bandwidth):
    for shift, key, colour in ((-0.2, "ours", OURS), (0.2, "theirs", THEIRS)):
        shares = [100 * row.traffic / getattr(row, key) / bandwidth for row in rows]
        axes.barh([place + shift for place in range(len(rows))], shares, 0.38, color=colour, label=key)
    axes.set_yticks(range(len(rows)), [row.case for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.axvline(100, color="black", linewidth=1)
    _number(axes.xaxis)
    axes.set_xlabel("% of the bandwidth of a large copy; inputs and results once; above 100 in cache")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=7)


def _growth(pyplot, rows, run):
    """A column a series: time above, memory below, over the number that a case's name ends in."""
    series: dict[str, list[Row]] = {}
    for row in fastest(rows):
        if found := re.fullmatch(r"(.*) (\d+)", row.case):
            series.setdefault(found[1], []).append(row)
    figure, axes = pyplot.subplots(
        2, len(series), figsize=(2.6 * len(series), 5), layout="constrained", squeeze=False
    )
    for column, (name, found) in enumerate(series.items()):
        x = [int(row.case.rsplit(" ", 1)[1]) for row in found]
        where, _, what = name.rpartition(", ")
        peaks = [(row.ours_peak, row.theirs_peak) for row in found]
        shown = (
            ([(1e3 * row.ours, 1e3 * row.theirs) for row in found], "ms"),
            ([tuple(peak / 2**20 for peak in pair) for pair in peaks if None not in pair], "MB at the peak"),
        )
        for panel, (values, unit) in zip(axes[:, column], shown):
            if len(values) == len(x):
                for key, line, colour in zip(("ours", "theirs"), zip(*values), (OURS, THEIRS)):
                    panel.plot(x, line, "o-", color=colour, markersize=4, label=key)
            panel.set_xscale("log", base=2)
            panel.set_yscale("log", base=2)
            _number(panel.xaxis, panel.yaxis)
            panel.set_xticks(x)
            panel.minorticks_off()
            panel.set_xlabel(what, fontsize=8)
            panel.tick_params(labelsize=7)
            panel.grid(alpha=0.3)
            if column == 0:
                panel.set_ylabel(unit, fontsize=8)
        axes[0, column].set_title(where, fontsize=8)
    axes[0, 0].legend(fontsize=7)
    return figure


def _number(*logarithmic):
    """Writes at least three numbers on each axis of what has been drawn: powers, or where too few are in
    sight multiples of 1, 2 or 5, which 1 is among."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    for axis in logarithmic:
        low, high = axis.get_view_interval()
        for finer in (None, LogLocator(10, (1, 2, 5)), MaxNLocator(5, steps=(1, 2, 5, 10), min_n_ticks=3)):
            if finer:
                axis.set_major_locator(finer)
            if sum(low <= tick <= high for tick in axis.get_majorticklocs()) >= 3:
                break
        axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
