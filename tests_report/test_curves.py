import json
import re
from pathlib import Path

from playwright.sync_api import Browser, Page
from tests_report.conftest import opened
from tests_report.pages import curve, looks, series, switch

OURS, NOMINAL, FIRST = "untrained", "untrained, nominal rate", "First & <b>bold</b> (published)"


def test_all_measured_curves_and_the_first_published_one_are_drawn(page: Page):
    assert series(page) == [OURS, NOMINAL, "jpeg-420", "webp", "avif", FIRST]
    dashes = page.locator("#chart .published").get_attribute("stroke-dasharray")
    assert dashes


def test_the_legend_takes_curves_away_and_brings_them_back(page: Page):
    before = looks(page, "#chart")
    entry = page.locator("#legend label", has_text="webp").locator("input")
    entry.uncheck()
    assert "webp" not in series(page)
    assert looks(page, "#chart") != before
    entry.press("Space")
    assert looks(page, "#chart") == before
    page.get_by_label("Second").check()
    assert "Second (published)" in series(page)


def test_axes_switch(page: Page):
    start = curve(page, "jpeg-420")
    switch(page, "rate-axis", "log")
    log = curve(page, "jpeg-420")
    switch(page, "quality-axis", "linear")
    both = curve(page, "jpeg-420")
    assert len({start, log, both}) == 3
    switch(page, "rate-axis", "linear")
    switch(page, "quality-axis", "db")
    assert curve(page, "jpeg-420") == start


def test_every_metric_can_be_chosen_and_decibels_need_no_second_axis(page: Page):
    hvs = ["PSNR-HVS (dB)", "PSNR-HVS-M (dB)"]
    titles = ["MS-SSIM", "MS-SSIM (dB)", "PSNR RGB (dB)", *hvs, "SSIM"]
    assert page.locator("#metric option").all_text_contents() == titles
    for title in titles:
        page.locator("#metric").select_option(label=title)
        assert page.locator("#chart .title").text_content() == title
        disabled = page.locator("#quality-switch").evaluate("(fields) => fields.disabled")
        assert disabled == ("dB" in title)
        assert {OURS, "jpeg-420", "webp", "avif"} <= set(series(page))


def test_one_image_can_be_drawn_alone(page: Page):
    mean = curve(page, "avif")
    page.locator("#which").select_option("portrait")
    assert curve(page, "avif") != mean
    assert FIRST not in series(page)
    assert "Without this metric here: First" in page.locator("#curve-note").text_content()


def test_pointing_at_a_curve_tells_its_values(page: Page):
    assert page.locator("#tip").is_hidden()
    page.locator('#chart [data-series="webp"] .mark').nth(3).hover()
    assert page.locator("#tip b").text_content() == "webp"
    assert page.locator("#tip").text_content().endswith("q=12 · " + values(page, "webp", 3))
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()


def values(page: Page, name: str, k: int) -> str:
    """A point as the data have it."""
    bpp, quality, _ = page.evaluate(
        """([name, k]) => JSON.parse(document.getElementById("curves-data").textContent)
        .series.find((s) => s.name === name).mean.ms_ssim[k]""",
        [name, k],
    )
    return f"{bpp:.3f} bpp, MS-SSIM {quality:.4f}"


def test_the_keyboard_moves_along_curves_and_between_them(page: Page):
    page.locator("#chart").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#readout").text_content() == f"{OURS}iteration 1 · " + values(
        page, OURS, 0
    )
    page.keyboard.press("ArrowRight")
    assert "iteration 2" in page.locator("#tip").text_content()
    page.keyboard.press("ArrowDown")
    assert page.locator("#tip b").text_content() == NOMINAL
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_a_curve_wholly_beyond_the_plot_is_named_and_no_obstacle_to_keys(
    browser: Browser, evaluation: Path
):
    html = (evaluation / "report.html").read_text(encoding="utf-8")
    before, data, after = re.split(r'(?<=id="curves-data">)(.*?)(?=</script>)', html, maxsplit=1)
    plotted = json.loads(data)
    for samples in plotted["series"][0]["mean"].values():  # the first, where the keys begin
        for k, sample in enumerate(samples):
            sample[0] = 2.5 + k
    dense = evaluation / "dense.html"
    text = json.dumps(plotted).replace("<", "\\u003c")
    dense.write_text(before + text + after, encoding="utf-8")
    for page in opened(browser, dense.as_uri()):
        assert series(page)[0] == NOMINAL
        note = page.locator("#curve-note").text_content()
        assert f"Not drawn, all over 2 bpp: {OURS}." in note
        assert "Without this metric" not in note
        page.locator("#chart").focus()
        for key in ("ArrowRight", "ArrowUp", "ArrowDown"):
            page.keyboard.press(key)
            assert page.locator("#tip b").text_content() in series(page)


def test_a_click_sorts_the_table_and_leaves_what_is_absent_last(page: Page):
    table = page.locator("table.figures").first
    head = table.locator("th", has_text="PSNR-HVS AUC").or_(table.locator("th").nth(3))
    head.locator("button").click()
    cells = table.locator("tbody tr td:nth-child(4)")
    read = cells.evaluate_all("cells => cells.map((c) => c.dataset.value ?? null)")
    present = [float(value) for value in read if value is not None]
    assert len(present) >= 2
    assert present == sorted(present, reverse=True)
    assert read[len(present) :] == [None] * (len(read) - len(present))
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
