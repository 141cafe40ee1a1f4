"""The tables of the page, as HTML that needs no script: figures of merit, and what failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

from rnncodec.evaluation.metrics import METRICS, described
from rnncodec.evaluation.plots import COLOURS
from rnncodec.evaluation.rd_points import FILES
from rnncodec.evaluation.statistics import Estimate
from rnncodec.evaluation.summary import CodecMerits, Merits
from rnncodec.evaluation.tables import areas_of, conventions, count, deltas_of, name_of

Figure: TypeAlias = Callable[[CodecMerits], Estimate | None]


@dataclass(frozen=True)
class Column:
    """One figure of merit.

    Attributes:
        title: the head of its column; a new line may break it.
        figure: what stands in it; None where the figure is not defined for a codec.
        form: as in :func:`format`.
        low_is_better: as for rates; a click sorts the best to the top.
    """

    title: str
    figure: Figure
    form: str
    low_is_better: bool = False


def area_columns(merits: Merits) -> list[Column]:
    """Areas under the curves, and deltas against the anchor if there is one."""
    areas = areas_of(merits)
    first = next(iter(areas))
    found = [
        Column(f"{name_of(metric)}\nAUC{unit(metric)}", figure_of("auc", metric), form)
        for metric, form in areas.items()
    ]
    nominal = Column(
        f"{name_of(first)}\nAUC nominal", figure_of("auc_nominal", first), areas[first]
    )
    found.insert(1, nominal)
    if merits.anchor is None:
        return found
    found += [
        Column(
            f"AUC − anchor\n{described(metric).heading}",
            figure_of("auc_delta", metric),
            f"+{form}",
        )
        for metric, form in areas.items()
    ]
    return found + [
        Column(
            f"BD-rate (%)\n{name_of(metric).replace(' (dB)', ', dB')}",
            figure_of("bd_rate", metric),
            "+.1f",
            low_is_better=True,
        )
        for metric in deltas_of(merits)
    ]


def unit(metric: str) -> str:
    """A metric's unit in brackets, after a space; "" without one."""
    return f" ({described(metric).unit})" if described(metric).unit else ""


def figure_of(kind: str, metric: str) -> Figure:
    """A figure of merit, an attribute of CodecMerits, of one metric."""

    def figure(entry: CodecMerits) -> Estimate | None:
        by_metric: dict[str, Estimate] = getattr(entry, kind)
        return by_metric.get(metric)

    return figure


def rate_columns(merits: Merits) -> list[Column]:
    """Bits per pixel at equal quality."""
    return [
        Column(f"{name_of(metric)}\n{level:g}", rate_figure(metric, level), ".3f", True)
        for metric in areas_of(merits)
        if merits.images.get(metric)
        for level in METRICS[metric].levels
    ]


def rate_figure(metric: str, level: float) -> Figure:
    """The rate at which a codec reaches a level of a metric."""
    return lambda entry: entry.rate_at.get(metric, {}).get(level)


def merits_html(merits: Merits) -> str:
    """The section of the merits: two tables, and what their figures mean."""
    against = f"; deltas against {merits.anchor}" if merits.anchor else ""
    told = (*conventions(), *merits.absent)  # failures have a table of their own
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in told)
    return (
        '<section aria-labelledby="merits-title"><h2 id="merits-title">Figures of merit</h2>'
        f'<p class="note">Over {escape(count(merits))}, with 95 % intervals{escape(against)}.</p>'
        f"{table_html(merits, area_columns(merits), 'Figures of merit')}"
        '<h3 id="rates-title">Bits per pixel at equal quality</h3>'
        f"{table_html(merits, rate_columns(merits), 'Bits per pixel at equal quality')}"
        f"{notes}</section>"
    )


def table_html(merits: Merits, columns: Sequence[Column], name: str) -> str:
    """One table, whose heads sort it."""
    heads = "".join(head(column) for column in columns)
    places = list(dict.fromkeys(entry.codec for entry in merits.codecs))
    body = "".join(
        row_html(entry, columns, merits.anchor, places.index(entry.codec))
        for entry in merits.codecs
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(name)}">'
        '<table class="merits"><thead><tr><th scope="col" data-first="ascending">'
        f'<button type="button">codec</button></th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def head(column: Column) -> str:
    """A column's head, which sorts by it."""
    first = "ascending" if column.low_is_better else "descending"
    return (
        f'<th scope="col" data-first="{first}">'
        f'<button type="button">{escape(column.title)}</button></th>'
    )


def row_html(entry: CodecMerits, columns: Sequence[Column], anchor: str | None, place: int) -> str:
    """One codec's row, with the colour of its curve."""
    hollow = "" if entry.rates == FILES else " hollow"
    cells = "".join(cell_html(column.figure(entry), column.form) for column in columns)
    kind = ' class="ours"' if entry.ours and entry.rates == FILES else ""
    remark = ' <span class="interval">anchor</span>' if entry.name == anchor else ""
    return (
        f'<tr{kind}><th scope="row"><span class="swatch c{place % len(COLOURS)}{hollow}"></span>'
        f"{escape(entry.name)}{remark}</th>{cells}</tr>"
    )


def cell_html(figure: Estimate | None, form: str) -> str:
    """A figure with its interval beneath; without one, the reason stands there."""
    if figure is None:
        return '<td class="absent">–</td>'
    if figure.value is None:
        return f'<td class="absent">–<span class="reason">{escape(figure.reason)}</span></td>'
    beneath = f'<span class="reason">{escape(figure.reason)}</span>' if figure.reason else ""
    if figure.low is not None and figure.high is not None:
        ends = f"{written(figure.low, form)} to {written(figure.high, form)}"
        beneath = f'<span class="interval">{ends}</span>'
    return f'<td data-value="{figure.value!r}">{written(figure.value, form)}{beneath}</td>'


def written(value: float, form: str) -> str:
    """A figure with its digits and a true minus sign.

    Examples:
        >>> written(-12.34, "+.1f"), written(12.34, "+.1f")
        ('−12.3', '+12.3')
    """
    return format(value, form).replace("-", "−")


def failures_html(merits: Merits) -> str:
    """What is missing from the averages, with its reason; nothing where nothing is."""
    if not merits.failures:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(failure.codec)}</th><td>{escape(failure.image)}</td>'
        f"<td>{failure.rows}</td><td>{escape(failure.reason)}</td></tr>"
        for failure in merits.failures
    )
    return (
        '<section aria-labelledby="missing-title"><h2 id="missing-title">What is missing</h2>'
        "<p>These are absent from the averages above; no number stands in for them.</p>"
        '<div class="scroll" tabindex="0" role="group" aria-label="What is missing">'
        '<table class="reasons"><thead><tr><th scope="col">codec</th>'
        '<th scope="col">image</th><th scope="col">rows</th><th scope="col">reason</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )
