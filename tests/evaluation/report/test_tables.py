from rnncodec.evaluation.curves import FILES, NOMINAL
from rnncodec.evaluation.rd_points import Failure
from rnncodec.evaluation.report.page import failures_html, summary_html
from rnncodec.evaluation.statistics import Estimate
from rnncodec.evaluation.summary import CodecSummary, Summary

OURS = CodecSummary(
    "m <i>",
    FILES,
    ours=True,
    auc={"ms_ssim": Estimate(0.97, 0.96, 0.98)},
    auc_delta={"psnr_hvs": Estimate(0.5, -0.25, 1.25)},
    bd_rate={"psnr_hvs": Estimate(-3.25, -5.0, 1.0)},
    rate_at={
        "ms_ssim": {
            0.95: Estimate(0.5, reason="one image"),
            0.99: Estimate(None, reason="no <more>"),
        }
    },
)
SUMMARY = Summary(
    "jpeg",
    [OURS, CodecSummary("m <i>", NOMINAL, ours=True), CodecSummary("jpeg", FILES, ours=False)],
    {"ms_ssim": ("a", "b")},
    [Failure("m <i>", "<tiny>", 2, "under 176 pixels")],
    [],
)


def test_figures_have_their_digits_and_intervals():
    html = summary_html(SUMMARY)
    assert (
        '<td data-value="0.97">0.9700<span class="interval">0.9600 to 0.9800</span></td>' in html
    )
    assert '<td data-value="0.5">+0.50<span class="interval">−0.25 to +1.25</span></td>' in html
    assert '<td data-value="-3.25">−3.2<span class="interval">−5.0 to +1.0</span></td>' in html
    assert "Over 2 images, with 95 % intervals; deltas against jpeg." in html


def test_what_is_not_covered_has_no_value_but_its_reason():
    html = summary_html(SUMMARY)
    assert '<td class="absent">–<span class="reason">no &lt;more&gt;</span></td>' in html
    assert '<td data-value="0.5">0.500<span class="reason">one image</span></td>' in html
    assert html.count("data-value") == 4


def test_our_models_and_the_anchor_stand_out():
    html = summary_html(SUMMARY)
    assert html.count('<tr class="ours">') == 2  # once in each of the two tables
    assert html.count('<span class="interval">anchor</span>') == 2
    assert html.count("swatch c0 hollow") == html.count('swatch c1"') == 2


def test_names_cannot_become_markup():
    html = summary_html(SUMMARY) + failures_html(SUMMARY)
    assert "<i>" not in html
    assert "m &lt;i&gt;, nominal rate" in html


def test_each_failure_is_listed_with_its_reason_and_its_rows():
    assert "&lt;tiny&gt;</td><td>2</td><td>under 176 pixels" in failures_html(SUMMARY)
    assert failures_html(Summary(None, [], {}, [], [])) == ""
