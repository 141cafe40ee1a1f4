"""Tables for people: the same cells as Markdown, LaTeX (booktabs) and plain text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from rnncodec.evaluation.bootstrap import Estimate

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
