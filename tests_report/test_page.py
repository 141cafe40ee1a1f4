from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page
from tests_report.pages import shown


def test_names_are_text_and_what_failed_is_said(page: Page):
    assert page.locator("#image option").all_text_contents().count("flowers & <i>leaves") == 1
    missing = page.locator("table.reasons").text_content()
    assert "torn" in missing
    assert page.locator("main i, main b:has-text('bold')").count() == 0


def test_a_phone_needs_no_sideways_scrolling(phone: Page):
    width, window = phone.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= window == 360
    small = phone.evaluate(
        """[..."select, button:not(th button), .switch span, #iteration".split(", ")]
        .flatMap((kind) => [...document.querySelectorAll(kind)])
        .map((e) => e.getBoundingClientRect().height).filter((h) => h < 36)"""
    )
    assert small == []


def test_a_finger_moves_the_divider(phone: Page):
    phone.locator("#stage").scroll_into_view_if_needed()
    box = phone.locator("#divider").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = phone.context.new_cdp_session(phone)
    for kind, dx in (
        ("touchStart", 0),
        ("touchMove", -40),
        ("touchMove", -90),
        ("touchEnd", None),
    ):
        points = [] if dx is None else [{"x": x + dx, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert int(phone.locator("#divider").get_attribute("aria-valuenow")) < 40


def luminance(colour: str) -> float:
    """Of a CSS colour ``rgb(r, g, b)``, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(page: Page, variable: str) -> float:
    """Of a colour of the style sheet against the ground."""
    colours = page.evaluate(
        """(name) => { const probe = document.createElement("p"); document.body.append(probe);
        probe.style.color = `var(${name})`;
        const found = [getComputedStyle(probe).color];
        found.push(getComputedStyle(document.body).backgroundColor);
        probe.remove(); return found; }""",
        variable,
    )
    low, high = sorted(luminance(colour) for colour in colours)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["page", "dark"])
def test_text_and_curves_stand_out_from_the_ground(mode: str, request: pytest.FixtureRequest):
    page: Page = request.getfixturevalue(mode)
    for name in ("--ink", "--soft", "--accent", "--warn"):
        assert contrast(page, name) >= 4.5, name
    # Okabe and Ito's lightest colours are under 3 on white; markers and dashes say it again.
    for k in range(7):
        assert contrast(page, f"--c{k}") >= (3 if mode == "dark" else 2), k


def test_dark_mode_is_dark_and_without_motion(dark: Page):
    ground = dark.evaluate("getComputedStyle(document.body).backgroundColor")
    assert luminance(ground) < 0.02
    assert dark.locator("#play").is_hidden()


def test_the_plot_takes_keys_and_says_which(page: Page):
    plot = page.get_by_role("application", name="MS-SSIM over bits per pixel", exact=False)
    assert plot.get_attribute("id") == "chart"
    keys = page.locator(f"#{plot.get_attribute('aria-describedby')}").text_content()
    for key in ("left and right", "up and down", "Escape"):
        assert key in keys


def test_boxes_that_scroll_can_be_reached_and_have_a_name(page: Page):
    assert page.locator(".scroll").count() == 3
    for name in ("Figures of merit", "Bits per pixel at equal quality", "What is missing"):
        box = page.get_by_role("group", name=name, exact=True)
        assert box.get_attribute("tabindex") == "0"


def test_everything_can_be_reached_by_keyboard_and_shows_its_focus(page: Page):
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """(() => { const e = document.activeElement;
                const style = getComputedStyle(e.matches(".switch input") ? e.nextElementSibling
                : e.id === "divider" ? e.firstElementChild : e);
                return [e.id || e.name || e.tagName, style.outlineStyle]; })()"""
            )
        )
        if reached[-1][0] == "divider":
            break
    names = [name for name, _ in reached]
    wanted = ["metric", "which", "rate-axis", "quality-axis", "chart", "image", "show", "zoom"]
    wanted += ["iteration", "play", "left", "right", "scroller", "divider"]
    assert set(wanted) <= set(names)
    places = [names.index(name) for name in wanted]
    assert all(a < b for a, b in pairwise(places))
    assert [name for name, outline in reached if outline == "none"] == []


def test_print_leaves_out_what_paper_cannot_do(page: Page):
    page.emulate_media(media="print")
    assert page.locator(".controls:visible").count() == 0
    assert page.locator("#chart .series").count() > 0
    assert page.locator("table.figures").first.is_visible()


def test_the_policy_lets_nothing_out(browser: Browser, report: str):
    page = browser.new_page()
    asked: dict[str, str | None] = {}
    page.on("request", lambda request: asked.setdefault(request.url, None))
    page.on("requestfailed", lambda request: asked.update({request.url: request.failure}))
    page.goto(report)
    shown(page, "picture")
    refused = page.evaluate(
        """async () => { const seen = [];
        const note = (event) => seen.push(event.effectiveDirective);
        document.addEventListener("securitypolicyviolation", note);
        await fetch("http://127.0.0.1:9/x").catch(() => null);
        const picture = new Image(); picture.src = "http://127.0.0.1:9/x.png";
        const script = document.createElement("script"); script.textContent = "window.ran = true";
        document.body.append(picture, script);
        await new Promise((done) => setTimeout(done, 200));
        return [seen, window.ran === true]; }"""
    )
    page.close()
    assert sorted(refused[0]) == ["connect-src", "img-src", "script-src-elem"]
    assert refused[1] is False
    assert {why for url, why in asked.items() if url.startswith("http")} <= {"csp"}
