"""Tables for Markdown, LaTeX and terminals, and those of an evaluation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tabulate import DataRow, Line, TableFormat, tabulate

from rnncodec.evaluation.curves import FILES
from rnncodec.evaluation.metrics import DECIBEL, METRICS, described, tabled
from rnncodec.evaluation.statistics import RESAMPLES, SEED, Estimate
from rnncodec.evaluation.summary import NOT_BY_DELTA, Summary

ABSENT = "–"

TEX = {
    **{"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_"},
    **{"{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "−": "$-$", "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}"},
    "|": r"\textbar{}",
}
BOOKTABS = TableFormat(
    lineabove=Line("", "", "", r"\toprule"),
    linebelowheader=Line("", "", "", r"\midrule"),
    linebetweenrows=None,
    linebelow=Line("", "", "", r"\bottomrule"),
    headerrow=DataRow("", " & ", r" \\"),
    datarow=DataRow("", " & ", r" \\"),
    padding=0,
    with_header_hide=None,
)
"""tabulate's own, ``latex_booktabs``, escapes less than :func:`escape`."""

MARKDOWN = re.compile(r"[\\`*<|$~]|&(?=#?\w+;)|\](?=[(\[:])|(?<!\w)_|_(?!\w)")
"""What Markdown may take for more than text; an underscore inside of a word is text."""


@dataclass
class Table:
    """Rows of text under headings, with numbered remarks on what is absent.

    Attributes:
        title: what it shows.
        columns: headings.
        rows: as many cells each.
        remarks: what the marks ``(1)``, ``(2)``, ... in cells refer to.
        notes: sentences below.
        words: how many leading columns hold words; the others are set flush right.
    """

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    notes: Sequence[str] = ()
    words: int = 1

    def cell(self, figure: Estimate | None, form: str = ".4f") -> str:
        """A figure with its interval, or a mark with a remark on why it is absent."""
        if figure is None:
            return ABSENT
        if figure.reason and figure.reason not in self.remarks:
            self.remarks.append(figure.reason)
        mark = f" ({self.remarks.index(figure.reason) + 1})" if figure.reason else ""
        if figure.value is None:
            return ABSENT + mark
        text = format(figure.value, form)
        if figure.low is None or figure.high is None:
            return text + mark
        return f"{text} [{figure.low:{form}}, {figure.high:{form}}]"

    def below(self) -> list[str]:
        """Remarks and notes, one line each."""
        return [f"({k}) {text}" for k, text in enumerate(self.remarks, start=1)] + [*self.notes]

    def aligned(self, form: str) -> str:
        """Heading and rows in one of tabulate's formats."""
        align = ["left" if k < self.words else "right" for k in range(len(self.columns))]
        text: str = tabulate(
            self.rows, self.columns, tablefmt=form, colalign=align, disable_numparse=True
        )
        return text


def markdown(tables: Sequence[Table]) -> str:
    """All tables as one Markdown document."""
    parts = []
    for table in tables:
        safe = Table(table.title, [as_markdown(text) for text in table.columns], words=table.words)
        safe.rows = [[as_markdown(text) for text in row] for row in table.rows]
        below = "".join(f"{as_markdown(text)}  \n" for text in table.below())
        parts.append(f"### {as_markdown(table.title)}\n\n{safe.aligned('pipe')}\n\n{below}")
    return "\n".join(parts)


def as_markdown(text: str) -> str:
    r"""Text that Markdown shows as it is: no table's end, emphasis, mathematics, link, HTML.

    Examples:
        >>> as_markdown("a|b"), as_markdown("a_$5, a_b"), as_markdown("[0.25, 1.5] *")
        ('a\\|b', 'a\\_\\$5, a_b', '[0.25, 1.5] \\*')
    """
    return MARKDOWN.sub(r"\\\g<0>", text)


def latex(tables: Sequence[Table]) -> str:
    """All tables as LaTeX floats, no wider than a line of text.

    The preamble needs the packages booktabs and graphicx. Cells stand in braces: a bracket after
    a line's end would be read as its argument.
    """
    parts = ["% \\usepackage{booktabs,graphicx}\n"]
    for table in tables:
        align = "".join("l" if k < table.words else "r" for k in range(len(table.columns)))
        cells = [[f"{{{escape(text)}}}" for text in row] for row in (table.columns, *table.rows)]
        rows = tabulate(
            cells[1:], cells[0], tablefmt=BOOKTABS, stralign=None, disable_numparse=True
        )
        lines = [
            *(r"\begin{table}", r"\centering", rf"\caption{{{escape(table.title)}}}"),
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            *(rf"\begin{{tabular}}{{{align}}}", rows, r"\end{tabular}}"),
            *(f"\\par\\smallskip\\footnotesize {escape(text)}" for text in table.below()),
            *(r"\end{table}", ""),
        ]
        parts.append("\n".join(lines))
    return parts[0] + "\n".join(parts[1:])


def escape(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    Examples:
        >>> escape("50 % of a_b")
        '50 \\% of a\\_b'
    """
    parts = text.split("--")  # which TeX makes a dash of
    return "-{}-".join("".join(TEX.get(letter, letter) for letter in part) for part in parts)


def plain(table: Table) -> str:
    """Aligned columns for a terminal."""
    return "\n".join([table.title, "", table.aligned("plain"), *table.below()])


def areas_of(summary: Summary) -> dict[str, str]:
    """The metrics whose areas the tables show, and how."""
    present = [metric for metric, images in summary.images.items() if images]
    return {metric: f".{METRICS[metric].digits}f" for metric in tabled(present)}


def deltas_of(summary: Summary) -> list[str]:
    """The metrics whose Bjontegaard deltas the tables show; results.json has all."""
    return [DECIBEL if metric in NOT_BY_DELTA else metric for metric in areas_of(summary)]


def name_of(metric: str) -> str:
    """What a metric is called in a table: without its unit, unless that tells it apart."""
    return described(metric).heading if metric == DECIBEL else described(metric).title


def summary_tables(summary: Summary) -> list[Table]:
    """What table.md and table.tex hold."""
    deltas = [] if summary.anchor is None else [deltas_table(summary, summary.anchor)]
    return [areas_table(summary), *deltas, rates_table(summary)]


def areas_table(summary: Summary) -> Table:
    """Areas under the curves."""
    (first, form), *others = areas_of(summary).items()
    columns = ["codec", "rates", f"{name_of(first)} AUC", f"{name_of(first)} AUC nominal"]
    columns += [f"{name_of(metric)} AUC" for metric, _ in others]
    title = f"Figures of merit over {count(summary)}, with 95 % intervals"
    table = Table(title, columns, notes=[*conventions(), *summary.notes], words=2)
    for entry in summary.codecs:
        row = [entry.codec, entry.rates, table.cell(entry.auc.get(first), form)]
        row.append(table.cell(entry.auc_nominal.get(first), form))
        table.rows.append(row + [table.cell(entry.auc.get(m), form) for m, form in others])
    return table


def deltas_table(summary: Summary, anchor: str) -> Table:
    """Areas minus the anchor's, and Bjontegaard deltas."""
    areas, deltas = areas_of(summary), deltas_of(summary)
    columns = ["codec", "rates", *(f"AUC minus anchor, {name_of(metric)}" for metric in areas)]
    columns += [f"BD-rate, {name_of(metric)} (%)" for metric in deltas]
    columns += [f"BD-{name_of(metric)}" for metric in deltas]
    title = f"Against {anchor} over {count(summary)}, with 95 % intervals of the differences"
    table = Table(title, columns, words=2)
    for entry in summary.codecs:
        if entry.codec == anchor:
            cells = ["anchor" if entry.rates == FILES else ABSENT] * (len(columns) - 2)
        else:
            cells = [table.cell(entry.auc_delta.get(m), f"+{form}") for m, form in areas.items()]
            cells += [table.cell(entry.bd_rate.get(metric), "+.1f") for metric in deltas]
            cells += [table.cell(entry.bd_metric.get(metric), "+.2f") for metric in deltas]
        table.rows.append([entry.codec, entry.rates, *cells])
    return table


def rates_table(summary: Summary) -> Table:
    """Bits per pixel at equal quality; beside each the change against the anchor."""
    levels = [
        (metric, level)
        for metric in areas_of(summary)
        for level in next((e.rate_at[metric] for e in summary.codecs if metric in e.rate_at), ())
    ]
    columns = ["codec", "rates", *(f"{name_of(metric)} {level:g}" for metric, level in levels)]
    base = None if summary.anchor is None else summary.of(summary.anchor)
    title = f"Rate at equal quality over {count(summary)} (bpp)"
    if base is not None:
        title += f"; in brackets the anchor {base.codec}'s rate and the change against it"
    table = Table(title, columns, words=2)
    for entry in summary.codecs:
        row = [entry.codec, entry.rates]
        for metric, level in levels:
            own = entry.rate_at.get(metric, {}).get(level)
            anchor = base.rate_at.get(metric, {}).get(level) if base else None
            row.append(table.cell(own, ".3f") + beside(own, None if entry is base else anchor))
        table.rows.append(row)
    return table


def beside(own: Estimate | None, anchor: Estimate | None) -> str:
    """The anchor's rate and the change against it, where both exist.

    Examples:
        >>> beside(Estimate(0.5), Estimate(1.0)), beside(Estimate(0.5), None)
        (' (1.000, -50 %)', '')
    """
    if own is None or own.value is None or anchor is None or anchor.value is None:
        return ""
    return f" ({anchor.value:.3f}, {100 * (own.value / anchor.value - 1):+.0f} %)"


def conventions() -> list[str]:
    """What the figures mean, in sentences."""
    return [
        "AUC: mean of the curve over 0.25-1.5 bpp; AUC nominal: area over 0.125-2.0 bpp at "
        "iteration / 8 bpp, without entropy coding.",
        "BD: library bjontegaard, pchip, over the range that both curves cover (results.json "
        "states it); MS-SSIM in dB is -10 log10(1 - x) of the average.",
        f"Intervals: bootstrap over images, paired across codecs, {RESAMPLES} resamples, "
        f"seed {SEED}.",
    ]


def count(summary: Summary) -> str:
    """How many images the averages are over.

    Examples:
        >>> count(Summary(None, [], {"ms_ssim": ("a", "b"), "ssim": ("a",)}, [], []))
        '1-2 images'
    """
    numbers = sorted({len(images) for images in summary.images.values()})
    if not numbers:
        return ABSENT
    text = "-".join(dict.fromkeys((str(numbers[0]), str(numbers[-1]))))
    return f"{text} image{'' if text == '1' else 's'}"
