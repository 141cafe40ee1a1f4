"""The tables of the page, as HTML that needs no script: figures of merit, and what failed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rnncodec.evaluation import plots
from rnncodec.evaluation.results import Result


@dataclass(frozen=True)
class Column:
    """One figure of merit.

    Attributes:
        title: the head of its column; a new line may break it.
        digits: after the point.
        low_is_better: as for rates; a click sorts the best to the top.
        signed: write a plus before a gain, as in BD-rates.
    """

    title: str
    digits: int
    low_is_better: bool = False
    signed: bool = False


@dataclass(frozen=True)
class Cell:
    """A figure with its 95 % interval, or why there is none.

    Attributes:
        value: None where the curve does not cover what the figure needs.
        low, high: ends of the interval; None where there is none.
        absent: what stands in place of the value.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    absent: str = "not covered"


@dataclass(frozen=True)
class MeritTable:
    """Figures of merit: one row of cells per codec, in the columns' order.

    Attributes:
        columns: the figures.
        rows: codec -> its cells.
        notes: how the figures are defined, one sentence or more each.
    """

    columns: Sequence[Column]
    rows: dict[str, Sequence[Cell]]
    notes: Sequence[str] = ()


def merits_html(table: MeritTable, ours: Sequence[str], codecs: Sequence[str]) -> str:
    """The section of the merits.

    Args:
        table: the figures.
        ours: the codecs whose names are set in bold.
        codecs: those of the plot, in its order, whose colours go before the names.
    """
    heads = "".join(head(column) for column in table.columns)
    body = "".join(
        row_html(name, table, name in ours, codecs.index(name) if name in codecs else None)
        for name in table.rows
    )
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in table.notes)
    return (
        '<section aria-labelledby="merits-title"><h2 id="merits-title">Figures of merit</h2>'
        '<div class="scroll" tabindex="0" role="group" aria-labelledby="merits-title">'
        '<table class="merits"><thead><tr><th scope="col" data-first="ascending">'
        f'<button type="button">codec</button></th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{notes}</section>"
    )


def head(column: Column) -> str:
    """A column's head, which sorts by it."""
    first = "ascending" if column.low_is_better else "descending"
    return (
        f'<th scope="col" data-first="{first}">'
        f'<button type="button">{escape(column.title)}</button></th>'
    )


def row_html(name: str, table: MeritTable, ours: bool, position: int | None) -> str:
    """One codec's row."""
    swatch = ""
    if position is not None:
        swatch = f'<span class="swatch c{position % len(plots.COLOURS)}"></span>'
    cells = "".join(
        cell_html(cell, column)
        for cell, column in zip(table.rows[name], table.columns, strict=True)
    )
    kind = ' class="ours"' if ours else ""
    return f'<tr{kind}><th scope="row">{swatch}{escape(name)}</th>{cells}</tr>'


def cell_html(cell: Cell, column: Column) -> str:
    """A figure with its interval beneath."""
    if cell.value is None:
        return f'<td class="absent">{escape(cell.absent)}</td>'
    interval = ""
    if cell.low is not None and cell.high is not None:
        ends = f"{written(cell.low, column)} to {written(cell.high, column)}"
        interval = f'<span class="interval">{ends}</span>'
    return f'<td data-value="{cell.value!r}">{written(cell.value, column)}{interval}</td>'


def written(value: float, column: Column) -> str:
    """A figure with its digits and a true minus sign.

    Examples:
        >>> written(-12.34, Column("BD-rate", 1, signed=True))
        '−12.3'
        >>> written(12.34, Column("BD-rate", 1, signed=True))
        '+12.3'
    """
    sign = "+" if column.signed else ""
    return f"{value:{sign}.{column.digits}f}".replace("-", "−")


def failures_html(results: Sequence[Result]) -> str:
    """What is missing from the averages, with its reason; nothing where nothing is."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for result in results:
        if result.reason:
            counts[result.codec, result.image, result.reason] += 1
    if not counts:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(codec)}</th><td>{escape(image)}</td>'
        f"<td>{count}</td><td>{escape(reason)}</td></tr>"
        for (codec, image, reason), count in counts.items()
    )
    return (
        '<section aria-labelledby="missing-title"><h2 id="missing-title">What is missing</h2>'
        "<p>These are absent from the averages above; no number stands in for them.</p>"
        '<div class="scroll"><table class="reasons"><thead><tr><th scope="col">codec</th>'
        '<th scope="col">image</th><th scope="col">rows</th><th scope="col">reason</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )
