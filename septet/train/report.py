"""The page about a training: curves, last values and notes, as one file of HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from septet.base.text import seconds_text
from septet.train.log import Log, Record

Points = list[tuple[float, float]]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 460, 220, 56, 26, 14
NOT_DRAWN = ("event", "epoch", "step", "seconds")
SECONDS = 3
"""After how long a page of a training that runs renews itself."""

STYLE = """
:root { color-scheme: light dark; --train: #0072b2; --held: #d55e00; --ink: #222; --dim: #6b6b6b; --line: #ddd; --back: #fff }
@media (prefers-color-scheme: dark) { :root { --train: #56b4e9; --held: #e69f00; --ink: #eee; --dim: #aaa; --line: #444; --back: #1b1b1b } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 2rem auto; max-width: 62rem; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0 } p { color: var(--dim); margin: .2rem 0 1.2rem }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1.2rem }
figure { margin: 0 } figcaption { font-weight: 600 } svg { width: 100%; height: auto }
text { fill: var(--dim); font-size: 11px } .grid { stroke: var(--line) } polyline { fill: none; stroke-width: 1.8 }
.train { stroke: var(--train) } .held { stroke: var(--held); stroke-dasharray: 6 3 } circle.train { fill: var(--train) } circle.held { fill: var(--held) }
b.train { color: var(--train) } b.held { color: var(--held) }
table { border-collapse: collapse; margin-top: 1.5rem } td, th { padding: .15rem 1.2rem .15rem 0; text-align: right } td:first-child, th:first-child { text-align: left }
li { color: var(--dim) }
"""  # noqa: E501 (a style sheet)


def report_page(title: str, log: Log, epochs: int, steps: int | None) -> str:
    """Return the page about what a log holds so far.

    Parameters
    ----------
    title : str
    log : Log
    epochs : int
        How many are to be made.
    steps : int, optional
        Batches in an epoch.
    """
    rows = [record for record in log.records if record["event"] == "epoch"]
    batches = [record for record in log.recent if record["event"] == "batch"]
    events = [record for record in log.records if record["event"] != "note"]  # notes may follow the end
    end = events[-1] if events and events[-1]["event"] == "end" else None
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in NOT_DRAWN]
    figures = [
        _figure(
            name, [("train", "training", _points(rows, name, "epoch")), ("held", "held out", _held_out(rows, name))]
        )
        for name in names
        if not name.startswith("val_") or name[4:] not in names
    ]
    if len(batches) > 1:
        points = _points(batches, "loss", "step")
        figures.insert(0, _figure(f"loss of the last {len(points)} logged batches", [("train", "batches", points)]))
    notes = [record for record in log.records if record["event"] in ("note", "resume")]
    refresh = "" if end else f'<meta http-equiv="refresh" content="{SECONDS}">'
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{refresh}'
        f'<meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<p>{html.escape(_status(rows, log, epochs, steps, end))}</p><main>{''.join(figures)}</main>"
        f"{_table(rows, names)}{_notes(notes)}</body></html>\n"
    )


def _status(rows: Sequence[Record], log: Log, epochs: int, steps: int | None, end: Record | None) -> str:
    done = f"{len(rows)} of {epochs} epochs, {log.step} steps"
    if rows:
        done += f", {seconds_text(sum(row['seconds'] for row in rows))}"
    if end:
        return f"{end['reason']}: {done}"
    return f"running: {done}" + (f"; an epoch has {steps} batches" if steps else "")


def _points(records: Sequence[Record], name: str, place: str) -> Points:
    found = [(float(record[place]), record[name]) for record in records if name in record]
    return [(x, float(y)) for x, y in found if isinstance(y, (int, float)) and math.isfinite(y)]


def _held_out(rows: Sequence[Record], name: str) -> Points:
    return [] if name.startswith("val_") else _points(rows, f"val_{name}", "epoch")


def _figure(name: str, series: Sequence[tuple[str, str, Points]]) -> str:
    """Return a chart of some series, each with a class, a label and points."""
    shown = [(kind, label, points) for kind, label, points in series if points]
    everything = [point for _, _, points in shown for point in points]
    if not everything:
        return ""
    left, right = min(x for x, _ in everything), max(x for x, _ in everything)
    low, high = min(y for _, y in everything), max(y for _, y in everything)
    if low == high:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    wide, tall = WIDTH - LEFT - 10, HEIGHT - BOTTOM - TOP

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / (right - left) if right > left else 0.5
        return LEFT + wide * across, TOP + tall * (1 - (y - low) / (high - low))

    parts = []
    for share in (0.0, 0.5, 1.0):
        value, y = low + (high - low) * share, TOP + tall * (1 - share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">{left:g}</text>')
    parts.append(f'<text x="{WIDTH - 10}" y="{HEIGHT - 6}" text-anchor="end">{right:g}</text>')
    for kind, _, points in shown:
        if len(points) == 1:
            x, y = place(*points[0])
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        else:
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
            parts.append(f'<polyline class="{kind}" points="{line}"/>')
    words = " · ".join(f'<b class="{kind}">{label} {points[-1][1]:.4g}</b>' for kind, label, points in shown)
    return (
        f"<figure><figcaption>{html.escape(name)}: {words}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(name)}">{"".join(parts)}</svg>'
        "</figure>"
    )


def _table(rows: Sequence[Record], names: Sequence[str]) -> str:
    """Return a table of the last epochs."""
    if not rows:
        return ""
    shown = ["epoch", *names, "seconds"]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in shown)
    lines = ["".join(f"<td>{html.escape(_text(row.get(name, '')))}</td>" for name in shown) for row in rows[-10:]]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines[::-1])}</table>"


def _notes(notes: Sequence[Record]) -> str:
    if not notes:
        return ""
    texts = [note.get("text") or f"went on from {note['path']}" for note in notes]
    items = "".join(
        f"<li>step {note['step']}: {html.escape(text)}</li>" for note, text in zip(notes, texts, strict=True)
    )
    return f"<ul>{items}</ul>"


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
