"""The drawing of a model, told by its numbers: nothing lies on anything else."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest

from dlrun.model_picture import Box, Graph, draw_model

SVG = "{http://www.w3.org/2000/svg}"


def graph(text):
    """A graph from `a>b b>c`, boxes in the order of their names in the text."""
    joints = tuple(tuple(joint.split(">")) for joint in text.split())
    names = dict.fromkeys(name for joint in joints for name in joint)
    return Graph({name: Box(name, (f"layer {name}", "Dense", "(8)")) for name in names}, joints)


def read(svg):
    """Boxes `(left, top, right, bottom)` by name, and lines as points."""
    root = ET.fromstring(svg)
    boxes = {}
    for group in root.iter(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if title is not None and rect is not None:
            x, y, width, height = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
            boxes[title.text.split(" / ")[0].removeprefix("layer ")] = (x, y, x + width, y + height)
    paths = [line.get("d") for line in root.iter(f"{SVG}path") if line.get("class") == "line"]
    return boxes, [[tuple(map(float, point)) for point in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)] for path in paths]


def points_of(line):
    """Points on a curve, a hundred for each of its pieces."""
    for start in range(0, len(line) - 1, 3):
        a, b, c, d = line[start : start + 4]
        for t in (n / 100 for n in range(101)):
            s = 1 - t
            yield tuple(s**3 * a[i] + 3 * s * s * t * b[i] + 3 * s * t * t * c[i] + t**3 * d[i] for i in (0, 1))


GRAPHS = {
    "stack": "a>b b>c c>d",
    "inception": "i>a i>b i>c b>d c>e e>f a>j d>j f>j",
    "residual": "i>s s>a a>b b>x s>x x>c c>d d>y x>y s>z y>z",
    "two inputs": "l>s r>s s>m s>m m>o",
    "three outputs": "i>t t>a t>b t>c b>d",
    "used behind itself": "i>a a>b b>a b>c",
    "ladder": "i>a a>b b>c c>d d>e a>e b>e c>e i>e",
}


@pytest.mark.parametrize("text", GRAPHS.values(), ids=GRAPHS)
def test_boxes_stand_apart_and_inside_the_picture(text):
    svg = draw_model(graph(text), "net")
    boxes, _ = read(svg)
    assert boxes.keys() == graph(text).boxes.keys()
    for one, other in combinations(boxes.values(), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    width, height = (float(ET.fromstring(svg).get(key)) - 16 for key in ("width", "height"))
    assert all(
        left >= -16 and top >= -16 and right <= width and low <= height for left, top, right, low in boxes.values()
    )


@pytest.mark.parametrize("name", [name for name in GRAPHS if "behind" not in name])
def test_what_a_layer_takes_stands_above_it(name):
    boxes, lines = read(draw_model(graph(GRAPHS[name]), "net"))
    for source, target in graph(GRAPHS[name]).joints:
        assert boxes[source][3] < boxes[target][1]
    assert len(lines) == len(graph(GRAPHS[name]).joints)


@pytest.mark.parametrize("name", [name for name in GRAPHS if "behind" not in name])
def test_no_line_runs_through_a_box(name):
    boxes, lines = read(draw_model(graph(GRAPHS[name]), "net"))
    for line in lines:
        for x, y in points_of(line):
            assert not any(
                left + 1 < x < right - 1 and top + 1 < y < low - 1 for left, top, right, low in boxes.values()
            )


def test_lines_begin_and_end_at_the_edges_of_their_boxes_each_at_a_place_of_its_own():
    boxes, lines = read(draw_model(graph("l>s r>s s>m s>m"), "net"))
    ends = [line[-1] for line in lines]
    assert [(y == boxes["s"][1] or y == boxes["m"][1]) for _, y in ends] == [True] * 4
    assert len(set(ends)) == 4
    assert all(line[0][1] in {boxes["l"][3], boxes["r"][3], boxes["s"][3]} for line in lines)


def test_a_layer_that_takes_its_own_output_has_a_bow():
    boxes, lines = read(draw_model(graph("i>a a>a a>o"), "net"))
    bow = lines[-1]
    assert bow[0][0] == bow[-1][0] == boxes["a"][2]


def test_a_model_inside_a_model_is_a_frame_around_its_layers():
    whole = Graph(
        {
            "i": Box("i", ("layer i",)),
            "m": Box("m", ("layer m", "Sequential"), inside=graph("a>b")),
            "o": Box("o", ("layer o",)),
        },
        (("i", "m"), ("m", "o")),
    )
    boxes, _ = read(draw_model(whole, "net"))
    for inner, outer in pairwise(("a", "m")):
        assert boxes[outer][0] < boxes[inner][0]
        assert boxes[outer][1] < boxes[inner][1]
        assert boxes[inner][2] < boxes[outer][2]
        assert boxes[inner][3] < boxes[outer][3]
    assert boxes["i"][3] < boxes["m"][1] < boxes["m"][3] < boxes["o"][1]


def test_names_are_text_and_long_ones_are_cut():
    name = '<script>alert("&")</script>\x1b' + "x" * 100
    svg = draw_model(Graph({"a": Box("a", (name,))}), name)
    assert "<script>" not in svg
    assert "\x1b" not in svg
    (text,) = ET.fromstring(svg).iter(f"{SVG}text")
    assert len(text.text) == 32
    assert text.text.startswith('<script>alert("&")')


def test_a_graph_without_boxes_is_an_empty_picture():
    assert read(draw_model(Graph({}), "nothing")) == ({}, [])
