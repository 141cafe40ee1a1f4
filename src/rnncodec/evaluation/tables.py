"""Tables for Markdown, LaTeX and terminals, and those of an evaluation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from rnncodec.evaluation.metrics import DECIBEL, METRICS, described, tabled
from rnncodec.evaluation.rd_points import FILES
from rnncodec.evaluation.statistics import RESAMPLES, SEED, Estimate
from rnncodec.evaluation.summary import NOT_BY_DELTA, Merits

ABSENT = "–"

TEX = {
    **{"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_"},
    **{"{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "−": "$-$", "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}"},
    "|": r"\textbar{}",
}


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
        if figure.value is None:
            return f"{ABSENT} {self.mark(figure.reason)}"
        text = format(figure.value, form)
        if figure.low is None or figure.high is None:
            return f"{text} {self.mark(figure.reason)}" if figure.reason else text
        return f"{text} [{figure.low:{form}}, {figure.high:{form}}]"

    def mark(self, reason: str) -> str:
        """The mark of a remark, which is added unless it is there."""
        if reason not in self.remarks:
            self.remarks.append(reason)
        return f"({self.remarks.index(reason) + 1})"

    def below(self) -> list[str]:
        """Remarks and notes, one line each."""
        return [f"({k}) {text}" for k, text in enumerate(self.remarks, start=1)] + [*self.notes]


def markdown(tables: Sequence[Table]) -> str:
    """All tables as one Markdown document."""
    return "\n".join("\n".join(markdown_lines(table)) for table in tables)


def markdown_lines(table: Table) -> list[str]:
    """One table: heading, rows, what stands below."""
    rules = ["---" if k < table.words else "---:" for k in range(len(table.columns))]
    rows = [[as_markdown(text) for text in row] for row in (table.columns, *table.rows)]
    rows.insert(1, rules)
    lines = [
        f"### {as_markdown(table.title)}",
        "",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
    return [*lines, *(f"{as_markdown(text)}  " for text in table.below()), ""]


def as_markdown(text: str) -> str:
    r"""Text that Markdown shows as it is: no table's end, emphasis, mathematics, link, HTML.

    Examples:
        >>> as_markdown("a|b"), as_markdown("a_$5, a_b"), as_markdown("[0.25, 1.5] *")
        ('a\\|b', 'a\\_\\$5, a_b', '[0.25, 1.5] \\*')
    """
    return MARKDOWN.sub(r"\\\g<0>", text)


def latex(tables: Sequence[Table]) -> str:
    """All tables as LaTeX floats; the preamble needs the packages booktabs and graphicx."""
    head = "% \\usepackage{booktabs,graphicx}\n"
    return head + "\n".join("\n".join(latex_lines(table)) for table in tables)


def latex_lines(table: Table) -> list[str]:
    """One float, no wider than a line of text."""
    align = "".join("l" if k < table.words else "r" for k in range(len(table.columns)))
    below = [f"\\par\\smallskip\\footnotesize {escape(text)}" for text in table.below()]
    return [
        *(r"\begin{table}", r"\centering", rf"\caption{{{escape(table.title)}}}"),
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        *(rf"\begin{{tabular}}{{{align}}}", r"\toprule", latex_row(table.columns), r"\midrule"),
        *(latex_row(row) for row in table.rows),
        *(r"\bottomrule", r"\end{tabular}}", *below, r"\end{table}", ""),
    ]


def latex_row(cells: Sequence[str]) -> str:
    """Cells in braces: a bracket after a line's end would be read as its argument."""
    return " & ".join(f"{{{escape(text)}}}" for text in cells) + r" \\"


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
    rows = [[*table.columns], *table.rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(table.columns))]
    lines = []
    for row in rows:
        cells = [
            f"{text:<{width}}" if k < table.words else f"{text:>{width}}"
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([table.title, "", *lines, *table.below()])


def areas_of(merits: Merits) -> dict[str, str]:
    """The metrics whose areas the tables show, and how."""
    present = [metric for metric, images in merits.images.items() if images]
    return {metric: f".{METRICS[metric].digits}f" for metric in tabled(present)}


def deltas_of(merits: Merits) -> list[str]:
    """The metrics whose Bjontegaard deltas the tables show; results.json has all."""
    return [DECIBEL if metric in NOT_BY_DELTA else metric for metric in areas_of(merits)]


def name_of(metric: str) -> str:
    """What a metric is called in a table: without its unit, unless that tells it apart."""
    return described(metric).heading if metric == DECIBEL else described(metric).title


def tables(merits: Merits) -> list[Table]:
    """What table.md and table.tex hold."""
    deltas = [] if merits.anchor is None else [deltas_table(merits, merits.anchor)]
    return [areas_table(merits), *deltas, rates_table(merits)]


def areas_table(merits: Merits) -> Table:
    """Areas under the curves."""
    first, *others = areas_of(merits).items()
    columns = ["codec", "rates", f"{name_of(first[0])} AUC", f"{name_of(first[0])} AUC nominal"]
    columns += [f"{name_of(metric)} AUC" for metric, _ in others]
    title = f"Figures of merit over {count(merits)}, with 95 % intervals"
    table = Table(title, columns, notes=[*conventions(), *merits.notes], words=2)
    table.rows = [
        [
            *(entry.codec, entry.rates, table.cell(entry.auc.get(first[0]), first[1])),
            table.cell(entry.auc_nominal.get(first[0]), first[1]),
            *(table.cell(entry.auc.get(metric), form) for metric, form in others),
        ]
        for entry in merits.codecs
    ]
    return table


def deltas_table(merits: Merits, anchor: str) -> Table:
    """Areas minus the anchor's, and Bjontegaard deltas."""
    areas, deltas = areas_of(merits), deltas_of(merits)
    columns = ["codec", "rates", *(f"AUC minus anchor, {name_of(metric)}" for metric in areas)]
    columns += [f"BD-rate, {name_of(metric)} (%)" for metric in deltas]
    columns += [f"BD-{name_of(metric)}" for metric in deltas]
    title = f"Against {anchor} over {count(merits)}, with 95 % intervals of the differences"
    table = Table(title, columns, words=2)
    for entry in merits.codecs:
        cells = ["anchor"] * (len(columns) - 2)
        if entry.codec != anchor:
            cells = [
                *(table.cell(entry.auc_delta.get(m), f"+{form}") for m, form in areas.items()),
                *(table.cell(entry.bd_rate.get(metric), "+.1f") for metric in deltas),
                *(table.cell(entry.bd_metric.get(metric), "+.2f") for metric in deltas),
            ]
        elif entry.rates != FILES:
            cells = [ABSENT] * len(cells)
        table.rows.append([entry.codec, entry.rates, *cells])
    return table


def rates_table(merits: Merits) -> Table:
    """Bits per pixel at equal quality; beside each the change against the anchor."""
    levels = [
        (metric, level)
        for metric in areas_of(merits)
        for level in next((e.rate_at[metric] for e in merits.codecs if metric in e.rate_at), ())
    ]
    columns = ["codec", "rates", *(f"{name_of(metric)} {level:g}" for metric, level in levels)]
    base = None if merits.anchor is None else merits.of(merits.anchor)
    title = f"Rate at equal quality over {count(merits)} (bpp)"
    if base is not None:
        title += f"; in brackets the anchor {base.codec}'s rate and the change against it"
    table = Table(title, columns, words=2)
    for entry in merits.codecs:
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


def count(merits: Merits) -> str:
    """How many images the averages are over.

    Examples:
        >>> count(Merits(None, [], {"ms_ssim": ("a", "b"), "ssim": ("a",)}, [], []))
        '1-2 images'
    """
    numbers = sorted({len(images) for images in merits.images.values()})
    if not numbers:
        return ABSENT
    text = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
    return f"{text} image{'' if text == '1' else 's'}"
