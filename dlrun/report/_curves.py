"""Curves as inline SVG. All geometry is worked out here; the page's script only shows, hides and reads out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlrun.files import number
from dlrun.report._markup import Html, el, join

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 22, 12, 40  # of the plot inside the picture
MOST_POINTS = 400  # of a line
MOST_POINTS_OF_MANY = 120  # where a picture has more than eight lines
SMOOTHING, SMOOTHED_FROM = 0.9, 20  # factor of the moving average; epochs from which on it is offered
COLOURS = 8

Values = Sequence[float | None]


@dataclass(frozen=True)
class Series:
    """Lines of one name and colour; `style` is one of `line`, `dashed`, `dotted`, `thin` and `dots`."""

    name: str
    lines: Sequence[Values]
    style: str = "line"
    colour: int = 0


@dataclass(frozen=True)
class Chart:
    """Series over the same epochs, counted from 1 (or from `first`). `levels` are horizontal lines, `marked` is an
    epoch with a vertical one, `stages` are the epochs after which a stage of training began.
    """

    title: str
    series: Sequence[Series]
    levels: Mapping[str, float] = field(default_factory=dict)
    marked: int | None = None
    stages: Sequence[int] = ()
    along: str = "epoch"
    first: int = 1


@dataclass(frozen=True)
class _Scale:
    """From values to heights in the picture, linear or logarithmic."""

    low: float
    high: float
    log: bool = False

    def height(self, value: float) -> float:
        bend = math.log10 if self.log else float
        low, high = bend(self.low), bend(self.high)
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (bend(value) - low) / (high - low))


def draw(chart: Chart) -> Html | None:
    """The figure of a chart; None when it has no value."""
    every = [v for one in chart.series for line in one.lines for v in line if v is not None and math.isfinite(v)]
    if not every:
        return None
    every += chart.levels.values()
    length = max(len(line) for one in chart.series for line in one.lines)
    across = _across(chart.first, chart.first + length - 1)
    linear = _Scale(*_widened(min(every), max(every)))
    positive = min(every) > 0 and max(every) > min(every)
    log = _Scale(*_widened_log(min(every), max(every)), log=True) if positive else None
    svg = el(
        "svg",
        el("title", f"{chart.title} by {chart.along}"),
        _grid(linear, "ticks-linear"),
        _grid(log, "ticks-log") if log else None,
        _marks_below(chart, length, across),
        *(_level(place, level, linear, log) for place, level in enumerate(chart.levels.values())),
        _mark(chart, across),
        *(_upright("stage", across(chart.first + done - 0.5)) for done in chart.stages if 0 < done < length),
        *(_drawn(place, one, chart, across, (linear, log)) for place, one in enumerate(chart.series)),
        el("line", class_="cross", x1=0, x2=0, y1=TOP, y2=HEIGHT - BOTTOM),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=_in_words(chart),
        tabindex="0",
    )
    controls = el("div", _legend(chart), _buttons(length, log is not None), class_="controls")
    readout = el("p", "", class_="readout", aria_live="polite")
    data = el("script", _for_script(chart, length), type="application/json")
    return el("figure", el("figcaption", chart.title), svg, readout, controls, data, class_="chart")


def _across(first: int, last: int) -> Callable[[float], float]:
    """From epochs to places in the picture."""
    span = max(1, last - first)
    middle = 0.5 if last == first else 0.0
    return lambda epoch: LEFT + (WIDTH - LEFT - RIGHT) * (middle + (epoch - first) / span)


def _widened(low: float, high: float) -> tuple[float, float]:
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    room = (high - low) * 0.05
    return (0.0 if 0 <= low < (high - low) * 0.25 else low - room), high + room


def _widened_log(low: float, high: float) -> tuple[float, float]:
    room = (high / low) ** 0.05
    return low / room, high * room


def _drawn(place: int, one: Series, chart: Chart, across: Any, scales: tuple[_Scale, _Scale | None]) -> Html:
    """The paths of a series: as it is, and for the script with another scale, smoothed, and both."""
    most = _most_points(chart)
    paths = []
    for line in one.lines:
        told: dict[str, str] = {}
        for name, values in (("", line), ("smooth", smoothed(line) if _smooths(chart, line) else [])):
            for kind, scale in zip(("", "log"), scales, strict=True):
                if scale and values:
                    key = "-".join(word for word in ("data", name, kind) if word)
                    path = _path(thinned(values, most), chart.first, across, scale, dots=one.style == "dots")
                    told["d" if key == "data" else key] = path
        paths.append(el("path", **told))
    return el("g", *paths, class_=f"series c{one.colour % COLOURS} {one.style}", data_series=place)


def _most_points(chart: Chart) -> int:
    return MOST_POINTS_OF_MANY if sum(len(one.lines) for one in chart.series) > COLOURS else MOST_POINTS


def _smooths(chart: Chart, line: Values) -> bool:
    return chart.along == "epoch" and len(line) >= SMOOTHED_FROM


def thinned(values: Values, most: int) -> list[tuple[int, float]]:
    """Places and values, at most so many: of each stretch the lowest and the highest, so that no spike is lost. A gap
    is a value that is not a number.
    """
    points = [
        (place, math.nan if value is None or not math.isfinite(value) else float(value))
        for place, value in enumerate(values)
    ]
    if len(points) <= most:
        return points
    stretch = -(-len(points) // (most // 2))
    kept = []
    for start in range(0, len(points), stretch):
        part = [point for point in points[start : start + stretch] if point[1] == point[1]]
        ends = sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}) if part else [(start, math.nan)]
        kept += ends
    return kept if kept[-1][0] == points[-1][0] else [*kept, points[-1]]


def smoothed(values: Values, factor: float = SMOOTHING) -> list[float | None]:
    """The exponential moving average, without the pull of its beginning; gaps stay gaps."""
    found: list[float | None] = []
    total = weight = 0.0
    for value in values:
        if value is None or not math.isfinite(value):
            found.append(None)
            continue
        total, weight = factor * total + (1 - factor) * value, factor * weight + 1 - factor
        found.append(total / weight)
    return found


def _path(points: Sequence[tuple[int, float]], first: int, across: Any, scale: _Scale, *, dots: bool = False) -> str:
    """A path that is interrupted where there is no value; a value alone is a dot, with `dots` each is one."""
    parts, pen = [], "M"
    for number_, (place, value) in enumerate(points):
        if value != value:
            pen = "M"
            continue
        spot = f"{pen}{across(first + place):.1f} {scale.height(value):.1f}"
        after = points[number_ + 1][1] if number_ + 1 < len(points) else math.nan
        alone = dots or (pen == "M" and after != after)
        parts.append(spot + ("h0" if alone else ""))
        pen = "M" if dots else "L"
    return "".join(parts)


def _grid(scale: _Scale, kind: str) -> Html:
    lines = []
    for value in log_ticks(scale.low, scale.high) if scale.log else ticks(scale.low, scale.high):
        y = round(scale.height(value), 1)
        lines.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        lines.append(el("text", f"{value:.4g}", x=LEFT - 6, y=y, dy="0.32em", text_anchor="end"))
    return el("g", *lines, class_=f"grid {kind}", aria_hidden="true")


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two bounds."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * 0.999)
    start = math.ceil(low / step)
    return [
        round(place * step, 12) if abs(step) > 1e-9 else place * step
        for place in range(start, math.floor(high / step) + 1)
    ]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Powers of ten between two bounds; more where these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for nices in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        found = [nice * 10.0**power for power in powers for nice in nices if low <= nice * 10.0**power <= high]
        if len(found) >= 3:
            return found[:: -(-len(found) // most)]
    return ticks(low, high)


def _marks_below(chart: Chart, length: int, across: Any) -> Html:
    last = chart.first + length - 1
    places = [value for value in ticks(chart.first, last) if value == int(value)] if length > 1 else [chart.first]
    y = HEIGHT - BOTTOM
    texts = [
        el("text", f"{int(value):,}", x=round(across(value), 1), y=y + 16, text_anchor="middle") for value in places
    ]
    label = el("text", chart.along, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, text_anchor="middle", class_="along")
    return el("g", el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="axis"), *texts, label, aria_hidden="true")


def _level(place: int, level: float, linear: _Scale, log: _Scale | None) -> Html:
    def across(scale: _Scale) -> str:
        return f"M{LEFT} {scale.height(level):.1f}H{WIDTH - RIGHT}"

    return el("path", class_=f"level l{place}", d=across(linear), data_log=across(log) if log else None)


def _mark(chart: Chart, across: Any) -> Html | None:
    if chart.marked is None:
        return None
    return _upright("mark", across(chart.marked))


def _upright(kind: str, x: float) -> Html:
    return el("line", class_=kind, x1=round(x, 1), x2=round(x, 1), y1=TOP, y2=HEIGHT - BOTTOM)


def _legend(chart: Chart) -> Html:
    entries = []
    for place, one in enumerate(chart.series):
        kind = f"swatch c{one.colour % COLOURS} {one.style}"
        entries.append(el("button", _swatch(kind), one.name, type="button", aria_pressed="true", data_series=place))
    for place, (name, level) in enumerate(chart.levels.items()):
        entries.append(el("span", _swatch(f"swatch level l{place}"), f"{name} {number(level)}"))
    if chart.marked is not None:
        entries.append(el("span", _swatch("swatch mark"), f"{chart.along} {chart.marked}"))
    if any(chart.stages):
        entries.append(el("span", _swatch("swatch stage"), "next stage"))
    return el("div", *entries, class_="legend")


def _swatch(kind: str) -> Html:
    return el("svg", el("path", d="M2 6H22"), class_=kind, viewBox="0 0 24 12", aria_hidden="true")


def _buttons(length: int, log: bool) -> Html:
    """Shown by the script, without which they would do nothing."""
    wanted = [("log", "log scale")] * log + [("smooth", "smooth")] * (length >= SMOOTHED_FROM)
    buttons = [el("button", text, type="button", aria_pressed="false", data_view=view) for view, text in wanted]
    return el("div", *buttons, class_="views", hidden="hidden") if buttons else join([])


def _in_words(chart: Chart) -> str:
    parts = []
    for one in chart.series:
        values = [value for value in one.lines[-1] if value is not None and math.isfinite(value)]
        if values and len(one.lines) == 1:
            parts.append(f"{one.name} from {number(values[0])} to {number(values[-1])}")
    return f"{chart.title} by {chart.along}: {'; '.join(parts)}. Arrow keys read out values."


def _for_script(chart: Chart, length: int) -> Html:
    """The points to read out, as JSON inside a script element: no `<` that could end it."""
    across = _across(chart.first, chart.first + length - 1)
    most = _most_points(chart)
    series = [
        {
            "name": one.name,
            "points": [
                [chart.first + place, float(f"{value:.6g}"), round(across(chart.first + place), 1)]
                for place, value in thinned(one.lines[0], most)
                if value == value
            ]
            if len(one.lines) == 1
            else [],
        }
        for one in chart.series
    ]
    text = json.dumps({"along": chart.along, "series": series}, separators=(",", ":"))
    return Html(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
