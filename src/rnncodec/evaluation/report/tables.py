"""The tables of the page, as HTML that needs no script: figures of merit, and what failed."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import TypeAlias

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

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
    """The section of the merits: two tables whose heads sort them, and what figures mean."""
    notes = (*conventions(), *merits.absent)  # failures have a table of their own
    areas, rates = area_columns(merits), rate_columns(merits)
    return section("merits_section", merits, areas, rates, count(merits), notes)


def failures_html(merits: Merits) -> str:
    """What is missing from the averages, with its reason; nothing where nothing is."""
    return section("failures_section", merits.failures)


def section(macro: str, *arguments: object) -> str:
    """What a macro of the template makes of its arguments, as markup."""
    found: str = getattr(template("tables.html").module, macro)(*arguments)
    return found


@functools.cache
def template(name: str) -> Template:
    """A template of the page; all that it is given is escaped, unless it is markup."""
    environment = Environment(
        loader=FunctionLoader(asset), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["written"] = written
    environment.globals |= {"files": FILES, "colours": len(COLOURS)}
    return environment.get_template(name)


def asset(name: str) -> str:
    """A file of this package's ``assets`` folder."""
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def written(value: float, form: str) -> str:
    """A figure with its digits and a true minus sign.

    Examples:
        >>> written(-12.34, "+.1f"), written(12.34, "+.1f")
        ('−12.3', '+12.3')
    """
    return format(value, form).replace("-", "−")
