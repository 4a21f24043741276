"""A model as an SVG drawing: boxes for layers, in rows by how far they are from the inputs, and lines between them.

The layout is a layered one (Sugiyama, Tagawa, Toda 1981): rows by the longest way from an input, places in a row by
what a box is joined to, and lines that pass other rows beside the boxes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from dlrun.errors import visible

GAP, ROW_GAP, MARGIN = 24.0, 40.0, 16.0  # between boxes, between rows, around everything; pixels, as all sizes here
LINE, SIDE, LETTER, BOLD = 16.0, 12.0, 7.1, 7.9  # of text: height of a line, space beside it, width of letters
MOST_LETTERS = 32
SWEEPS = 8  # up and down through the rows, in each of which boxes move to what they are joined to
STYLE = """
.box{fill:#fff;stroke:#64748b}.io{fill:#eff6ff;stroke:#2563eb}.frozen{fill:#f1f5f9;stroke-dasharray:4 3}
.frame{fill:#94a3b81a;stroke:#64748b}text{fill:#0f172a;font:12px system-ui,sans-serif;text-anchor:middle}
.name{font-weight:600}.more{fill:#475569}.line{fill:none;stroke:#64748b;stroke-width:1.4}.head{fill:#64748b}
@media(prefers-color-scheme:dark){.box{fill:#1e293b;stroke:#94a3b8}.io{fill:#172554;stroke:#60a5fa}
.frozen{fill:#0f172a}text{fill:#f1f5f9}.more{fill:#cbd5e1}.line{stroke:#94a3b8}.head{fill:#94a3b8}.ground{fill:#0b1120}}
"""


@dataclass(frozen=True)
class Box:
    """A layer, or a model inside a model: lines of text (its name first), how it looks, and what is in it."""

    name: str
    lines: tuple[str, ...]
    look: str = "box"  # or io (inputs and outputs), frozen
    inside: Graph | None = None


@dataclass(frozen=True)
class Graph:
    """Boxes by key, and joints `(from, to)`: one for each time that a layer is used."""

    boxes: dict[str, Box]
    joints: tuple[tuple[str, str], ...] = ()


@dataclass
class _Place:
    """Where something is drawn: middle and upper edge. Without a box it is where a line passes a row."""

    width: float
    height: float
    box: Box | None = None
    x: float = 0.0
    y: float = 0.0


@dataclass
class _Drawing:
    width: float
    height: float
    parts: list[str] = field(default_factory=list)


def draw_model(graph: Graph, title: str) -> str:
    """The SVG of a graph, with colours for light and dark screens."""
    inner = _draw(graph, 0.0, 0.0)
    width, height = inner.width + 2 * MARGIN, inner.height + 2 * MARGIN
    arrow = '<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">',
            f"<title>{escape(visible(title))}</title><style>{STYLE}</style>",
            f'<defs>{arrow}<path class="head" d="M0 0L8 4L0 8z"/></marker></defs>',
            '<rect class="ground" width="100%" height="100%" fill="#fff"/>',
            f'<g transform="translate({MARGIN:.0f} {MARGIN:.0f})">',
            *inner.parts,
            "</g></svg>\n",
        ]
    )


def _draw(graph: Graph, left: float, top: float) -> _Drawing:
    """A graph at a place, as wide and as high as it needs."""
    rows, chains = _rows(graph)
    places = {key: _place(graph.boxes.get(key)) for row in rows for key in row}
    links = [link for chain in chains for link in pairwise(chain)]
    _order(rows, links)
    _spread(rows, links, places)
    shift = left - min((p.x - p.width / 2 for p in places.values()), default=0.0)
    height = top
    for row in rows:
        tallest = max(places[key].height for key in row)
        for key in row:
            places[key].x += shift
            places[key].y = height + (tallest - places[key].height) / 2
        height += tallest + ROW_GAP
    width = max((p.x + p.width / 2 for p in places.values()), default=left) - left
    width, loops = width + (GAP if any(a == b for a, b in graph.joints) else 0), _loops(graph, places)
    lines = [*_lines(chains, places), *loops]
    boxes = [part for place in places.values() if place.box for part in _box(place, place.box)]
    return _Drawing(width, max(0.0, height - ROW_GAP - top), [*lines, *boxes])


def _place(box: Box | None) -> _Place:
    if box is None:
        return _Place(GAP, 0.0)
    widths = [len(_cut(line)) * (LETTER if number else BOLD) for number, line in enumerate(box.lines)]
    width, height = max(widths) + 2 * SIDE, len(box.lines) * LINE + SIDE
    if box.inside:
        inner = _draw(box.inside, 0.0, 0.0)
        width, height = max(width, inner.width + 2 * SIDE), height + inner.height + SIDE
    return _Place(width, height, box)


def _rows(graph: Graph) -> tuple[list[list[str]], list[list[str]]]:
    """Keys by row, with one for each row that a line passes; and the line of each joint as the keys it leads through.

    A joint that closes a circle (a layer that is used behind itself) does not count for the rows, and its line leads
    upwards.
    """
    ranks = _ranks(graph)
    rows: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for key, rank in ranks.items():
        rows[rank].append(key)
    chains = []
    for number, (source, target) in enumerate(graph.joints):
        if source == target:
            continue
        step = 1 if ranks[target] >= ranks[source] else -1
        between = range(ranks[source] + step, ranks[target], step)
        passed = [f"\0{number}/{rank}" for rank in between]
        for rank, key in zip(between, passed, strict=True):
            rows[rank].append(key)
        chains.append([source, *passed, target])
    return rows, chains


def _ranks(graph: Graph) -> dict[str, int]:
    """The longest way from an input to each box, counted in joints; in the order of the boxes."""
    place = {key: number for number, key in enumerate(graph.boxes)}  # boxes stand behind those they take from
    ranks = dict.fromkeys(graph.boxes, 0)
    forward = [(a, b) for a, b in dict.fromkeys(graph.joints) if place[a] < place[b]]
    for source, target in sorted(forward, key=lambda joint: place[joint[1]]):
        ranks[target] = max(ranks[target], ranks[source] + 1)
    for key in reversed(ranks):  # inputs stand just above what takes them
        below = [ranks[b] for a, b in forward if a == key]
        if below and all(b != key for _, b in forward):
            ranks[key] = min(below) - 1
    return ranks


def _order(rows: list[list[str]], links: Sequence[tuple[str, str]]) -> None:
    """Sort each row by the mean place of what its boxes are joined to, down and up again, to cross few lines."""
    above, below = _neighbours(links)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        places = {key: float(n) for row in rows for n, key in enumerate(row)}
        for row in rows if downwards else reversed(rows):
            joined = above if downwards else below
            wanted = {
                key: sum(places[k] for k in joined[key]) / len(joined[key]) if joined.get(key) else places[key]
                for key in row
            }
            row.sort(key=wanted.__getitem__)
            places |= {key: float(n) for n, key in enumerate(row)}


def _spread(rows: Sequence[Sequence[str]], links: Sequence[tuple[str, str]], places: dict[str, _Place]) -> None:
    """Give each box its `x`: side by side first, then as near to what it is joined to as there is room."""
    above, below = _neighbours(links)
    for row in rows:
        _push(row, places, dict.fromkeys(row, 0.0))
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            joined = above if sweep % 2 == 0 else below
            wanted = {}
            for key in row:
                found = [places[k].x for k in joined.get(key, ())]
                wanted[key] = sum(found) / len(found) if found else places[key].x
            _push(row, places, wanted)


def _push(row: Sequence[str], places: dict[str, _Place], wanted: dict[str, float]) -> None:
    """Set a row's boxes where they are wanted, apart from each other: the mean of pushing them from either side."""
    lefts, rights = [], []
    edge = float("-inf")
    for key in row:
        half = places[key].width / 2
        lefts.append(max(wanted[key], edge + half))
        edge = lefts[-1] + half + GAP
    edge = float("inf")
    for key in reversed(row):
        half = places[key].width / 2
        rights.append(min(wanted[key], edge - half))
        edge = rights[-1] - half - GAP
    for key, left, right in zip(row, lefts, reversed(rights), strict=True):
        places[key].x = (left + right) / 2


def _neighbours(links: Sequence[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above, below = dict[str, list[str]](), dict[str, list[str]]()
    for source, target in links:
        above.setdefault(target, []).append(source)
        below.setdefault(source, []).append(target)
    return above, below


def _lines(chains: Sequence[Sequence[str]], places: dict[str, _Place]) -> list[str]:
    """Curves from box to box. Those that leave or reach the same box stand beside each other."""
    leaving, reaching = dict[str, list[int]](), dict[str, list[int]]()
    for number, chain in enumerate(chains):
        leaving.setdefault(chain[0], []).append(number)
        reaching.setdefault(chain[-1], []).append(number)
    for numbers in leaving.values():
        numbers.sort(key=lambda n: (places[chains[n][1]].x, n))
    for numbers in reaching.values():
        numbers.sort(key=lambda n: (places[chains[n][-2]].x, n))
    return [
        _curve(
            [places[key] for key in chain],
            _port(places[chain[0]], leaving[chain[0]], number),
            _port(places[chain[-1]], reaching[chain[-1]], number),
        )
        for number, chain in enumerate(chains)
    ]


def _port(place: _Place, numbers: Sequence[int], number: int) -> float:
    """Where on the side of a box a line stands: evenly over its middle part."""
    step = min(28.0, place.width * 0.6 / len(numbers))
    return place.x + (numbers.index(number) - (len(numbers) - 1) / 2) * step


def _curve(passed: Sequence[_Place], start: float, end: float) -> str:
    """A smooth line through the rows that it passes, from the lower edge of the first box to the upper of the last."""
    upwards = passed[-1].y < passed[0].y
    first = (start, passed[0].y if upwards else passed[0].y + passed[0].height)
    last = (end, passed[-1].y + passed[-1].height if upwards else passed[-1].y)
    points = [first, *((p.x, p.y + p.height / 2) for p in passed[1:-1]), last]
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        path += f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return f'<path class="line" marker-end="url(#arrow)" d="{path}"/>'


def _loops(graph: Graph, places: dict[str, _Place]) -> list[str]:
    """A bow at the right side of each layer that takes what it gave itself."""
    found = []
    for key in dict.fromkeys(a for a, b in graph.joints if a == b):
        place = places[key]
        right, low, high = place.x + place.width / 2, place.y + place.height * 0.75, place.y + place.height * 0.25
        path = f"M{right:.1f} {low:.1f}C{right + GAP:.1f} {low:.1f} {right + GAP:.1f} {high:.1f} {right:.1f} {high:.1f}"
        found.append(f'<path class="line" marker-end="url(#arrow)" d="{path}"/>')
    return found


def _box(place: _Place, box: Box) -> list[str]:
    """A box with its text, and what is in it."""
    left, look = place.x - place.width / 2, "frame" if box.inside else box.look
    parts = [
        f"<g><title>{escape(visible(' / '.join(box.lines)))}</title>",
        f'<rect class="box {look}" x="{left:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="6"/>',
    ]
    for number, line in enumerate(box.lines):
        y = place.y + SIDE / 2 + LINE * (number + 0.75)
        style = "more" if number else "name"
        parts.append(f'<text class="{style}" x="{place.x:.1f}" y="{y:.1f}">{escape(_cut(line))}</text>')
    parts.append("</g>")
    if box.inside:
        inner = _draw(box.inside, 0.0, 0.0)
        parts += _draw(box.inside, place.x - inner.width / 2, place.y + len(box.lines) * LINE + SIDE).parts
    return parts


def _cut(line: str) -> str:
    line = visible(line)
    return line if len(line) <= MOST_LETTERS else line[: MOST_LETTERS - 1] + "…"
