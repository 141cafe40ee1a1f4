"""Arguments to jobs, as a table; what is refused; what is said where, with a terminal or not."""

import io
import os
import threading
import warnings
from pathlib import Path

import pytest
from rich.console import Console

from rnncodec.commands import files as module
from rnncodec.commands.files import Direction, Job, Reporter, plan
from rnncodec.errors import ConfigError, DataError, RNNCodecWarning, StorageError

DIRECTION = Direction(
    ".out",
    lambda path: path.suffix == ".out",
    lambda folder: sorted(folder.rglob("*.in")),
    "in .out",
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with some inputs, one x.out, a pipe, and an empty there/."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.in", "b.in", "tree/c.in", "tree/deep/d.in", "nosuffix", "x.out"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("there").mkdir()
    os.mkfifo("pipe")


@pytest.mark.parametrize(
    ("arguments", "out", "expected"),
    [
        ("a.in", None, "a.in>a.out"),
        ("a.in x.out", None, "a.in>x.out"),
        ("a.in there", None, "a.in>there/a.out"),
        ("a.in new/", None, "a.in>new/a.out"),
        ("a.in new/x.out", None, "a.in>new/x.out"),
        ("a.in b.in", None, "a.in>a.out b.in>b.out"),
        ("a.in b.in there", None, "a.in>there/a.out b.in>there/b.out"),
        ("a.in b.in", "new", "a.in>new/a.out b.in>new/b.out"),
        ("a.in", "new.out", "a.in>new.out/a.out"),
        ("tree", None, "tree/c.in>tree/c.out tree/deep/d.in>tree/deep/d.out"),
        ("tree new", None, "tree/c.in>new/c.out tree/deep/d.in>new/deep/d.out"),
        ("tree there", None, "tree/c.in>there/c.out tree/deep/d.in>there/deep/d.out"),
        (
            "a.in tree there",
            None,
            "a.in>there/a.out tree/c.in>there/c.out tree/deep/d.in>there/deep/d.out",
        ),
        ("-", None, "->-"),
        ("- -", None, "->-"),
        ("- x.out", None, "->x.out"),
        ("a.in -", None, "a.in>-"),
        ("nosuffix", None, "nosuffix>nosuffix.out"),
    ],
)
def test_jobs(arguments: str, out: str | None, expected: str) -> None:
    jobs = plan(arguments.split(), None if out is None else Path(out), DIRECTION)
    assert " ".join(f"{job.source or '-'}>{job.target or '-'}" for job in jobs) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("a.in b.in x.out", "2 inputs cannot go to one x.out; give --out DIR"),
        ("tree x.out", "3 inputs cannot go to one x.out"),
        ("a.in b.in -", "2 inputs cannot go to one -"),
        ("x.out x.out", "x.out: is an input"),
        ("a.in b.in a.in", "a.in: is an input and cannot be the output as well: .* end in .out"),
        ("a.in tree/../a.in", "a.in: is an input and cannot be the output as well"),
        ("x.out there/../x.out", "is an input"),
        ("a.in tree/a.in there", "a.in and tree/a.in would both become there/a.out; name"),
        ("a.in tree/../a.in there", "/a.in: is given 2 times as an input"),
        ("- there", "standard input has no name: name its output in there"),
    ],
)
def test_refused(arguments: str, message: str) -> None:
    Path("tree/a.in").touch()
    with pytest.raises(ConfigError, match=message):
        plan(arguments.split(), None, DIRECTION)


NO_OUTPUT = "; nor is it an output: those end in .out, and a folder that is not there yet is named"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("missing", "^missing: no such file$"),
        ("missing a.in", "^missing: no such file$"),
        ("missing x.out", "^missing: no such file$"),
        ("a.in b.in missing", f"^missing: no such file{NO_OUTPUT} with --out"),
        ("a.in/below", "^a.in/below: no such file$"),
        ("pipe x.out", "^pipe: is neither a file nor a folder; a pipe is read with -$"),
        ("a.in pipe", f"^pipe: is neither a file nor a folder{NO_OUTPUT}"),
    ],
)
def test_no_inputs(arguments: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plan(arguments.split(), None, DIRECTION)


def test_a_link_to_the_input_is_the_input() -> None:
    Path("link.out").symlink_to("a.in")
    with pytest.raises(ConfigError, match=r"link\.out: is an input"):
        plan(["a.in", "link.out"], None, DIRECTION)


def test_unreadable_inputs() -> None:
    with pytest.raises(DataError, match=r"missing\.in: no such file"):
        Job(Path("missing.in"), None).read()
    with pytest.raises(DataError, match="pipe: is neither a file nor a folder"):
        Job(Path("pipe"), None).read()
    with pytest.raises(DataError, match=r"tree: cannot be read \(Is a directory\)"):
        Job(Path("tree"), None).read()


def test_bytes_are_not_written_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = os.openpty()
    with os.fdopen(leader, "wb"), os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        with pytest.raises(ConfigError, match="standard output is a terminal"):
            Job(Path("a.in"), None).check_target(force=False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("b.in", "b.in: exists; --force replaces it"),
        ("there", "there: is a folder; name a file"),
        ("pipe", "pipe: is no regular file, and not replaced"),
    ],
)
def test_targets_that_are_in_the_way(name: str, message: str) -> None:
    with pytest.raises(StorageError, match=message):
        Job(Path("a.in"), Path(name)).check_target(force=name != "b.in")


def test_standard_input_that_does_not_block_is_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        later = threading.Timer(0.05, lambda: (os.write(writing, b"late"), os.close(writing)))
        later.start()
        assert Job(None, None).read() == b"late"
        later.join()


def test_errors_are_counted_and_one_line_each(capsys) -> None:
    with Reporter(3, "doing", quiet_stdout=False) as reporter:
        with reporter.working_on("a"):
            raise DataError("it is\n  broken")
        with reporter.working_on("a", "b"):
            raise DataError("a: both")
        with reporter.working_on("c"):
            reporter.result("c is [bold]done[/bold]")
    captured = capsys.readouterr()
    assert captured.err == "rnncodec: a: it is broken\nrnncodec: a: both\n"
    assert captured.out == "c is [bold]done[/bold]\n"
    assert (reporter.failures, reporter.exit_code) == (3, 2)


def test_fatal_errors_and_foreign_ones_come_through() -> None:
    reporter = Reporter(1, "doing", quiet_stdout=False)
    with pytest.raises(ConfigError, match="for all"), reporter.working_on("a", fatal=ConfigError):
        raise ConfigError("for all")
    with pytest.raises(ZeroDivisionError), reporter.working_on("a"):
        _ = 1 / 0
    assert reporter.exit_code == 0


def test_our_warnings_become_lines_others_stay_warnings(capsys) -> None:
    reporter = Reporter(1, "doing", quiet_stdout=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with reporter.working_on("a"):
            warnings.warn("ours", RNNCodecWarning, stacklevel=1)
            warnings.warn("theirs", FutureWarning, stacklevel=1)
    assert capsys.readouterr().err == "rnncodec: warning: a: ours\n"
    assert [str(w.message) for w in caught] == ["theirs"]


def test_results_leave_stdout_to_the_output(capsys) -> None:
    Reporter(1, "doing", quiet_stdout=True).result("done")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "done\n")


def test_progress_only_on_a_terminal(monkeypatch, capsys) -> None:
    screen = io.StringIO()
    with Reporter(2, "doing", quiet_stdout=False) as reporter:
        reporter.done()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(
        module, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=80)
    )
    with Reporter(2, "doing", quiet_stdout=False) as reporter:
        with reporter.working_on("[a].png", "b.png"):
            reporter.result("piped")
        reporter.done()
    assert "doing [a].png and 1 more" in screen.getvalue()
    assert "1/2" in screen.getvalue()
    assert capsys.readouterr().out == "piped\n"


def test_a_result_is_one_line_whatever_the_file_is_called(capsys) -> None:
    with Reporter(1, "doing") as reporter:
        reporter.result("a\nb.png -> caf\udce9.rnc")
    assert capsys.readouterr().out == "a\\nb.png -> caf\\xe9.rnc\n"
