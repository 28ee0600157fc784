"""Draws the winner as a block diagram, in layers, with Sugiyama's method."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, LINE, HEAD, GAP = 188, 16, 30, 34
MOST_LINES = 5
COLUMN_FIELDS = ("feat_column_id", "key_column", "value_column")
KINDS = (
    ("Mapper", "mapper"),
    ("Interaction", "interactor"),
    ("Parallel", "interactor"),
    ("Optimizer", "optimizer"),
)


@dataclass(frozen=True)
class Box:
    """One block of the diagram; `x` and `y` are its upper left corner in pixels."""

    title: str
    kind: str
    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Diagram:
    """A diagram: size in pixels, boxes, and the points of each arrow."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def paths(self) -> list[str]:
        """The arrows as SVG paths that start and end vertically."""
        return [_curve(points) for points in self.arrows]


@dataclass(frozen=True)
class _Node:
    title: str
    kind: str
    lines: tuple[str, ...]
    parents: tuple[str, ...]


def draw(recommender: Mapping[str, Any], columns: Sequence[str]) -> Diagram:
    """Lays out a recommender from its inputs at the top to its optimizer at the bottom.

    Args:
        recommender: The winner's description from `Recommender.get_config`.
        columns: The names of the encoded id columns, in order.
    """
    nodes = dict(_nodes(recommender, columns))
    vertices, edges = _laid_out(nodes)
    left = min(vertex.view.xy[0] for vertex in vertices.values()) - WIDTH / 2
    top = min(vertex.view.xy[1] - vertex.view.h / 2 for vertex in vertices.values())
    tallest: dict[float, float] = {}
    for vertex in vertices.values():
        row = vertex.view.xy[1]
        tallest[row] = max(tallest.get(row, 0.0), vertex.view.h)
    boxes = {
        name: Box(
            nodes[name].title,
            nodes[name].kind,
            nodes[name].lines,
            vertex.view.xy[0] - WIDTH / 2 - left,
            vertex.view.xy[1] - tallest[vertex.view.xy[1]] / 2 - top,  # aligns the tops of a layer
            WIDTH,
            vertex.view.h,
        )
        for name, vertex in vertices.items()
    }
    arrows = []
    for edge in edges:
        start, end = boxes[edge.v[0].data], boxes[edge.v[1].data]
        # An arrow that passes between the blocks of a layer goes straight down there.
        between = [
            (x - left, y + side * tallest.get(y, 0.0) / 2 - top)
            for x, y in edge.view._pts[1:-1]
            for side in (-1, 1)
        ]
        leaves = (start.x + WIDTH / 2, start.y + start.height)
        arrives = (end.x + WIDTH / 2, end.y - 2)
        arrows.append((leaves, *between, arrives))
    return Diagram(
        width=max(box.x + box.width for box in boxes.values()),
        height=max(box.y + box.height for box in boxes.values()),
        boxes=tuple(boxes.values()),
        arrows=tuple(arrows),
    )


def _laid_out(nodes: Mapping[str, _Node]) -> tuple[dict[str, Any], list[Any]]:
    """Returns the blocks as vertices with positions, and the edges with their points."""
    from grandalf.graphs import Edge, Graph, Vertex
    from grandalf.layouts import SugiyamaLayout, VertexViewer
    from grandalf.routing import EdgeViewer, route_with_lines

    vertices = {name: Vertex(name) for name in nodes}
    for name, vertex in vertices.items():
        vertex.view = VertexViewer(w=WIDTH, h=_height(nodes[name]))
    edges = [
        Edge(vertices[parent], vertices[name]) for name in nodes for parent in nodes[name].parents
    ]
    for edge in edges:
        edge.view = EdgeViewer()
    for part in Graph(list(vertices.values()), edges).C:
        layout = SugiyamaLayout(part)
        layout.xspace, layout.yspace, layout.route_edge = 20, GAP, route_with_lines
        roots = [vertex for vertex in part.sV if not list(vertex.e_in())]
        layout.init_all(roots=roots, inverted_edges=[])
        layout.draw(8)
    return vertices, edges


def _nodes(recommender: Mapping[str, Any], columns: Sequence[str]) -> Iterator[tuple[str, _Node]]:
    """Yields the blocks by name. The branches of a parallel block become separate blocks."""
    instead: dict[str, list[str]] = {}
    for entry in recommender["nodes"]:
        name, block = entry["name"], entry.get("block")
        parents = tuple(
            final for parent in entry.get("parents", ()) for final in instead.get(parent, [parent])
        )
        if block is None:
            count = entry["shape"][0]
            lines = (f"{count} {'column' if count == 1 else 'columns'}", entry["dtype"])
            yield name, _Node(f"Input: {name}", "input", lines, ())
        elif block["block"] == "Parallel" and not block["branches"]:
            instead[name] = list(parents)
        elif block["block"] == "Parallel":
            instead[name] = [f"{name}/{place}" for place in range(len(block["branches"]))]
            for branch, inner in zip(instead[name], block["branches"], strict=True):
                yield branch, _node(inner, parents, columns)
        else:
            yield name, _node(block, parents, columns)


def _node(block: Mapping[str, Any], parents: Sequence[str], columns: Sequence[str]) -> _Node:
    kind = next((kind for ending, kind in KINDS if ending in block["block"]), "interactor")
    lines = tuple(_settings(block, columns))
    if len(lines) > MOST_LINES:
        lines = (*lines[: MOST_LINES - 1], f"and {len(lines) - MOST_LINES + 1} more")
    return _Node(_words(block["block"]), kind, lines, tuple(dict.fromkeys(parents)))


def _settings(block: Mapping[str, Any], columns: Sequence[str]) -> Iterator[str]:
    """Yields the settings of a block, one line each, columns first. Skips empty settings."""
    for key, value in sorted(block.items(), key=lambda item: item[0] not in COLUMN_FIELDS):
        if key in COLUMN_FIELDS:
            word = {"feat_column_id": "", "key_column": "of ", "value_column": "with "}[key]
            yield f"{word}{columns[value]}"
        elif key == "vocabulary_sizes":
            ids = sum(value)
            yield f"{len(value)} columns, {ids:,} ids"
        elif key in ("block", "columns", "id_num", "key_num", "value_num") or value in (None, []):
            continue
        elif isinstance(value, list):
            yield f"{key}: {', '.join(map(_plain, value))}"
        else:
            yield f"{key}: {_plain(value)}"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    """Turns `LatentFactorMapper` into "Latent factor mapper". Keeps acronyms in capitals."""
    name = name.removesuffix("Interaction").removesuffix("Optimizer")
    parts = re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z][a-z0-9]*", name) or [name]
    first, *rest = parts
    return " ".join([first, *(part if part.isupper() else part.lower() for part in rest)])


def _height(node: _Node) -> float:
    return HEAD + LINE * len(node.lines) + (8 if node.lines else 0)


def _curve(points: Sequence[tuple[float, float]]) -> str:
    (x, y), *others = points
    path = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in others:
        middle = (y + to_y) / 2
        path.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return " ".join(path)
