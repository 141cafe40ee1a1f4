from rnncodec.evaluation.report.tables import (
    Cell,
    Column,
    MeritTable,
    failures_html,
    merits_html,
)
from rnncodec.evaluation.results import Result

TABLE = MeritTable(
    [Column("AUC", 4), Column("BD-rate", 1, low_is_better=True, signed=True)],
    {
        "m <i>": [Cell(0.97, 0.96, 0.98), Cell(-3.25, -5.0, 1.0)],
        "jpeg": [Cell(0.96), Cell(None, absent="no overlap")],
    },
    ["a < b"],
)


def test_figures_have_their_digits_and_intervals():
    html = merits_html(TABLE, ["m <i>"], ["m <i>", "jpeg"])
    assert (
        '<td data-value="0.97">0.9700<span class="interval">0.9600 to 0.9800</span></td>' in html
    )
    assert '<td data-value="-3.25">−3.2<span class="interval">−5.0 to +1.0</span></td>' in html
    assert '<tr class="ours"><th scope="row"><span class="swatch c0"></span>m' in html


def test_what_is_not_covered_says_so_and_has_no_value():
    html = merits_html(TABLE, [], [])
    assert '<td class="absent">no overlap</td>' in html
    assert html.count("data-value") == 3


def test_names_cannot_become_markup():
    html = merits_html(TABLE, [], [])
    assert "<i>" not in html
    assert "m &lt;i&gt;" in html
    assert "a &lt; b" in html


def test_each_failure_is_listed_with_its_reason_and_its_rows():
    nothing = (None,) * 10
    failed = [
        Result("m", setting, "<tiny>", *nothing, reason="under 176 pixels")
        for setting in ("t=1", "t=2")
    ]
    html = failures_html(failed)
    assert "&lt;tiny&gt;</td><td>2</td><td>under 176 pixels" in html
    assert failures_html([]) == ""
