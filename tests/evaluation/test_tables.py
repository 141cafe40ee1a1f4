from rnncodec.evaluation.statistics import Estimate
from rnncodec.evaluation.tables import Table, escape, latex, markdown, plain


def example() -> Table:
    table = Table("Areas & rates", ["codec", "AUC"], notes=["over 2 images"])
    table.rows = [
        ["jpeg_420", table.cell(Estimate(0.96789, 0.96, 0.97))],
        ["a|b", table.cell(Estimate(None, reason="too short"))],
        ["c", table.cell(Estimate(None, reason="too short"))],
        ["d", table.cell(Estimate(0.5, reason="one image"), ".1f")],
        ["e", table.cell(None)],
    ]
    return table


def test_figures_have_intervals_and_absent_ones_numbered_reasons() -> None:
    cells = [row[1] for row in example().rows]
    assert cells == ["0.9679 [0.9600, 0.9700]", "– (1)", "– (1)", "0.5 (2)", "–"]
    assert example().below() == ["(1) too short", "(2) one image", "over 2 images"]


def test_markdown() -> None:
    lines = markdown([example()]).splitlines()
    assert lines[:5] == [
        "### Areas & rates",
        "",
        "| codec    |                     AUC |",
        "|:---------|------------------------:|",
        "| jpeg_420 | 0.9679 [0.9600, 0.9700] |",
    ]
    assert lines[5] == r"| a\|b     |                   – (1) |"
    assert "over 2 images  " in lines


def test_latex_escapes_what_it_would_read_as_its_own() -> None:
    text = latex([example()])
    assert r"\caption{Areas \& rates}" in text
    assert r"{jpeg\_420} & {0.9679 [0.9600, 0.9700]} \\" in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    assert text.count("{") == text.count("}")
    assert escape("-5 % {x} ~ ^ \\") == (
        r"-5 \% \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )


def test_plain_columns_are_aligned() -> None:
    lines = plain(example()).splitlines()
    assert lines[0] == "Areas & rates"
    assert lines[2] == "codec                         AUC"
    assert lines[4] == "a|b                         – (1)"


ODD = "a|b $5 *c* `d` <e> _f_ g_h [i](j) -- \\k &amp; {l} #m"


def test_a_name_is_text_in_every_table() -> None:
    table = Table(f"Against {ODD}", ["codec"], rows=[[ODD]], notes=[f"{ODD} failed"])
    written = r"a\|b \$5 \*c\* \`d\` \<e> \_f\_ g_h [i\](j) -- \\k \&amp; {l} #m"
    lines = markdown([table]).splitlines()
    assert lines[0] == f"### Against {written}"
    assert lines[4] == f"| {written} |"
    assert lines[6] == f"{written} failed  "
    tex = latex([table])
    letters = r"a\textbar{}b \$5 *c* `d` \textless{}e\textgreater{} \_f\_ g\_h [i](j) -{}- "
    assert tex.count(letters + r"\textbackslash{}k \&amp; \{l\} \#m") == 3
