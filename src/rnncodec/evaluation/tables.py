"""Tables for Markdown, LaTeX and terminals, and those of an evaluation."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tabulate import DataRow, Line, TableFormat, tabulate

from rnncodec.evaluation.curves import FILES
from rnncodec.evaluation.metrics import DECIBEL, described, tabled
from rnncodec.evaluation.statistics import RESAMPLES, SEED, Estimate
from rnncodec.evaluation.summary import NOT_BY_DELTA, CodecSummary, Summary

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

    ``remarks`` are what the marks (1), (2), ... in cells refer to, ``notes`` sentences below;
    ``words`` leading columns hold words, the others are set flush right.
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
        align = ["left"] * self.words + ["right"] * (len(self.columns) - self.words)
        how = {"tablefmt": form, "colalign": align, "disable_numparse": True}
        return str(tabulate(self.rows, self.columns, **how))


def markdown(tables: Sequence[Table]) -> str:
    """All tables as one Markdown document, where all text is shown as it is."""

    def safe(text: str) -> str:
        return MARKDOWN.sub(r"\\\g<0>", text)

    parts = []
    for table in tables:
        rows = [[safe(text) for text in row] for row in table.rows]
        shown = Table("", [safe(text) for text in table.columns], rows, words=table.words)
        below = "".join(f"{safe(text)}  \n" for text in table.below())
        parts.append(f"### {safe(table.title)}\n\n{shown.aligned('pipe')}\n\n{below}")
    return "\n".join(parts)


def latex(tables: Sequence[Table]) -> str:
    """All tables as LaTeX floats, no wider than a line; with the packages booktabs and graphicx.

    Cells stand in braces: a bracket after a line's end would be read as its argument.
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
    """Text that LaTeX prints as it is."""
    parts = text.split("--")  # which TeX makes a dash of
    return "-{}-".join("".join(TEX.get(letter, letter) for letter in part) for part in parts)


def plain(table: Table) -> str:
    """Aligned columns for a terminal."""
    return "\n".join([table.title, "", table.aligned("plain"), *table.below()])


def areas_of(summary: Summary) -> dict[str, str]:
    """The metrics whose areas the tables show, and how."""
    present = [metric for metric, images in summary.images.items() if images]
    return {metric: f".{described(metric).digits}f" for metric in tabled(present)}


def name_of(metric: str) -> str:
    """What a metric is called in a table: its unit only says which MS-SSIM it is."""
    return described(metric).heading if metric == DECIBEL else described(metric).title


@dataclass(frozen=True)
class Column:
    """One figure of all codecs: a title, which a new line may break, and their form."""

    title: str
    figure: Callable[[CodecSummary], Estimate | None]
    form: str
    unit: str = ""
    low_is_better: bool = False


def column(title: str, kind: str, metric: str, form: str, unit: str = "") -> Column:
    """The column of one kind of figure, an attribute of CodecSummary, of one metric."""
    return Column(title, lambda c: getattr(c, kind).get(metric), form, unit, kind == "bd_rate")


def area_columns(summary: Summary) -> list[Column]:
    """Areas under the curves."""
    areas = areas_of(summary)
    found = [
        column(f"{name_of(metric)}\nAUC", "auc", metric, form, described(metric).unit)
        for metric, form in areas.items()
    ]
    first, form = next(iter(areas.items()))
    found.insert(1, column(f"{name_of(first)}\nAUC nominal", "auc_nominal", first, form))
    return found


def delta_columns(summary: Summary, *, with_metric: bool = False) -> list[Column]:
    """Areas minus the anchor's, BD-rates, and if wanted Bjontegaard deltas of the metrics."""
    areas = areas_of(summary)
    deltas = [DECIBEL if metric in NOT_BY_DELTA else metric for metric in areas]
    found = [
        column(f"AUC minus anchor,\n{name_of(metric)}", "auc_delta", metric, f"+{form}")
        for metric, form in areas.items()
    ]
    found += [column(f"BD-rate,\n{name_of(m)} (%)", "bd_rate", m, "+.1f") for m in deltas]
    if with_metric:
        found += [column(f"BD-{name_of(m)}", "bd_metric", m, "+.2f") for m in deltas]
    return found


def rate_columns(summary: Summary) -> list[Column]:
    """Bits per pixel at equal quality."""

    def rate(metric: str, level: float) -> Callable[[CodecSummary], Estimate | None]:
        return lambda entry: entry.rate_at.get(metric, {}).get(level)

    return [
        Column(f"{name_of(metric)}\n{level:g}", rate(metric, level), ".3f", low_is_better=True)
        for metric in areas_of(summary)
        if summary.images.get(metric)
        for level in described(metric).levels
    ]


def summary_tables(summary: Summary) -> list[Table]:
    """What table.md and table.tex hold: areas, differences from the anchor, rates."""
    over, anchor = count(summary), summary.anchor
    areas = summary_table(
        f"Figures of merit over {over}, with 95 % intervals", summary, area_columns(summary)
    )
    areas.notes = [*conventions(summary), *summary.notes]
    rates = f"Rate at equal quality over {over} (bpp)"
    if anchor is None:
        return [areas, summary_table(rates, summary, rate_columns(summary))]
    title = f"Against {anchor} over {over}, with 95 % intervals of the differences"
    deltas = summary_table(title, summary, delta_columns(summary, with_metric=True))
    for row in deltas.rows:
        if row[:2] == [anchor, FILES]:
            row[2:] = ["anchor"] * (len(row) - 2)
    rates += f"; in brackets the anchor {anchor}'s rate and the change against it"
    base = summary.of(anchor)
    return [areas, deltas, summary_table(rates, summary, rate_columns(summary), base)]


def summary_table(
    title: str, summary: Summary, columns: Sequence[Column], base: CodecSummary | None = None
) -> Table:
    """A row for each codec; beside each figure that of ``base``, and the change against it."""
    titles = [column.title.replace("\n", " ") for column in columns]
    table = Table(title, ["codec", "rates", *titles], words=2)
    for entry in summary.codecs:
        row = [entry.codec, entry.rates]
        for column in columns:
            figure = column.figure(entry)
            cell = table.cell(figure, column.form)
            other = column.figure(base) if base is not None and base is not entry else None
            own, anchor = (each.value if each else None for each in (figure, other))
            if own is not None and anchor is not None:
                cell += f" ({anchor:.3f}, {100 * (own / anchor - 1):+.0f} %)"
            row.append(cell)
        table.rows.append(row)
    return table


def conventions(summary: Summary) -> list[str]:
    """What the figures mean, in sentences, and by what they were measured."""
    return [
        "AUC: mean of the curve over 0.25-1.5 bpp; AUC nominal: area over 0.125-2.0 bpp at "
        "iteration / 8 bpp, without entropy coding.",
        "BD: library bjontegaard, pchip, over the range that both curves cover (results.json "
        "states it); MS-SSIM in dB is -10 log10(1 - x) of the average.",
        f"Intervals: bootstrap over images, paired across codecs, {RESAMPLES} resamples, "
        f"seed {SEED}.",
        *([summary.conventions] if summary.conventions else []),
    ]


def count(summary: Summary) -> str:
    """How many images the averages are over, as ``1-2 images``."""
    numbers = sorted({len(images) for images in summary.images.values()})
    if not numbers:
        return ABSENT
    text = "-".join(dict.fromkeys((str(numbers[0]), str(numbers[-1]))))
    return f"{text} image{'' if text == '1' else 's'}"
