import io
from collections import Counter

from rich.console import Console

from rnncodec.prepare import progress
from rnncodec.prepare.progress import Progress, ProgressBar


def test_rejects_are_counted_by_kind():
    state = Progress(50, done=50, tiles=9, rejected=Counter(small=2, damaged=1))
    assert state.describe(10) == "9 tiles, 5.0 images/s, 3 rejected (1 damaged, 2 small)"


def test_before_the_first_image():
    assert Progress(50).describe(0) == "0 tiles, 0.0 images/s"


def test_where_there_is_no_terminal_lines_come_now_and_then(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with ProgressBar(Console(file=file)) as shown:
        shown.update(Progress(3, done=1))
        shown.update(Progress(3, done=3))
    lines = file.getvalue().splitlines()
    assert lines[0].startswith("1 of 3 images, 0 tiles,")
    assert lines[-1].startswith("3 of 3 images")


def test_a_run_that_found_all_done_says_nothing():
    file = io.StringIO()
    with ProgressBar(Console(file=file)):
        pass
    assert file.getvalue() == ""


def test_listing_and_going_through_what_is_done_do_not_count_as_work(monkeypatch):
    """Ten seconds to list, one for ten images."""
    clock = iter([0.0, 5.0, 10.0, 11.0, 11.0, 11.0, 11.0])
    monkeypatch.setattr(progress, "EVERY", 1.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    file = io.StringIO()
    shown = ProgressBar(Console(file=file))
    shown.update(Progress(0, listed=3000))
    shown.update(Progress(50, resumed=20, done=20))
    shown.update(Progress(50, resumed=20, done=30))
    lines = file.getvalue().splitlines()
    assert lines[0] == "listing the source: 3,000 found"
    assert lines[-1] == "30 of 50 images, 0 tiles, 10.0 images/s, 0:00:02 left"


def test_a_run_that_ends_while_listing_says_nothing_of_images():
    file = io.StringIO()
    with ProgressBar(Console(file=file)) as shown:
        shown.update(Progress(0, listed=3000))
    assert file.getvalue() == ""


def test_on_a_terminal_the_bar_alone_says_how_long_it_will_take(monkeypatch):
    monkeypatch.setattr(progress, "_REFRESH", 0.0)
    file = io.StringIO()
    with ProgressBar(Console(file=file, force_terminal=True, width=120)) as shown:
        for done in (1, 2):
            shown.update(Progress(3, done=done))
        (task,) = shown.bar.tasks
        assert (task.completed, task.total) == (2, 3)
        assert "images/s" in task.description
        assert "left" not in task.description
    assert "2/3" in file.getvalue()
