"""Plots as SVG, written by hand: rows of dots on a logarithmic axis, on a background of their own, light or dark."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from model import Row, Section

WIDTH, LEFT, RIGHT, TOP, LINE = 860, 300, 30, 62, 22
#: By client: its color, legible on both backgrounds.
COLORS = ("#7d8590", "#2f81f7", "#c98500", "#a371f7", "#e5534b", "#3fa45b")
ORDER = ("limit", "compatapi", "requests by hand", "httpx-sse", "openai-python")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 }
.back { fill: #ffffff }
.grid { stroke: #8b949e; stroke-opacity: .35 }
.must { stroke: #1f2328; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .back { fill: #161b22 } .must { stroke: #e6edf3 }
}
"""


def plot(section: Section) -> str:
    """The rows of a section as an SVG document."""
    rows = [row for row in section.rows if len(row.figures) > 1]  # a row to another client has another scale
    low, high = _range(rows)
    height = TOP + LINE * len(rows) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(section.title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="14" y="24">{escape(section.title)}: ratio, logarithmic, less is better</text>',
        *_legend(section.clients, any(row.must is not None for row in rows)),
        *_axis(low, high, height),
    ]
    for number, row in enumerate(rows):
        parts += _row(row, TOP + LINE * number + LINE // 2, low, high)
    return "\n".join([*parts, "</svg>", ""])


def _range(rows: Iterable[Row]) -> tuple[float, float]:
    values = [ratio.middle for row in rows for ratio in row.figures.values()]
    values += [row.must for row in rows if row.must is not None]
    return min(1.0, *values) / 1.08, max(1.3, *values) * 1.08


def _at(value: float, low: float, high: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / low) / math.log(high / low)


def _legend(clients: list[str], has_targets: bool) -> list[str]:
    parts, x = [], 20.0
    for client in clients:
        parts.append(f'<circle cx="{x}" cy="44" r="5" fill="{_color(client)}"/>')
        parts.append(f'<text x="{x + 10}" y="48">{escape(client)}</text>')
        x += 30 + 7 * len(client)
    if has_targets:
        parts.append(f'<path class="must" d="M{x} 37v14"/><text x="{x + 8}" y="48">must</text>')
    return parts


def _axis(low: float, high: float, height: int) -> list[str]:
    steps = (1, 1.25, 1.5, 2, 3, 5) if high / low < 12 else (1, 2, 5) if high / low < 300 else (1,)
    places = [step * 10**power for power in range(-3, 5) for step in steps]
    parts = []
    for place in places:
        if low <= place <= high:
            x = round(_at(place, low, high), 1)
            parts.append(f'<path class="grid" d="M{x} {TOP}V{height - 28}"/>')
            parts.append(f'<text x="{x}" y="{height - 12}" text-anchor="middle">{place:g}</text>')
    return parts


def _row(row: Row, y: int, low: float, high: float) -> list[str]:
    parts = [
        f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>',
        f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>',
    ]
    if row.must is not None:
        parts.append(f'<path class="must" d="M{round(_at(row.must, low, high), 1)} {y - 7}v14"/>')
    for client, ratio in sorted(row.figures.items(), key=lambda item: item[0] == row.judged):  # that one on top
        said = f"{escape(client)}: {ratio.middle:.2f}"
        x = round(_at(ratio.middle, low, high), 1)
        parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{_color(client)}"><title>{said}</title></circle>')
    return parts


def _color(client: str) -> str:
    return COLORS[ORDER.index(client)] if client in ORDER else COLORS[-1]
