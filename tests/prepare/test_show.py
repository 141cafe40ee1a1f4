import io
from collections import Counter

from rich.console import Console

from rnncodec.prepare import show
from rnncodec.prepare.progress import Progress
from rnncodec.prepare.show import Show, describe


def test_rejects_are_counted_by_kind():
    state = Progress(50, done=50, tiles=9, rejected=Counter(small=2, damaged=1))
    assert describe(state, 10) == "9 tiles, 5.0 images/s, 3 rejected (1 damaged, 2 small)"


def test_before_the_first_image():
    assert describe(Progress(50), 0) == "0 tiles, 0.0 images/s"


def test_where_there_is_no_terminal_lines_come_now_and_then(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(show, "EVERY", 0.0)
    with Show(Console(file=file)) as shown:
        shown.update(Progress(3, done=1))
        shown.update(Progress(3, done=3))
    lines = file.getvalue().splitlines()
    assert lines[0].startswith("1 of 3 images, 0 tiles,")
    assert lines[-1].startswith("3 of 3 images")


def test_a_run_that_found_all_done_says_nothing():
    file = io.StringIO()
    with Show(Console(file=file)):
        pass
    assert file.getvalue() == ""
