"""Arguments to jobs, as a table; and what is refused."""

import os
import threading
from pathlib import Path

import pytest

from rnncodec.commands.files import Direction, Job, check_target, plan, read
from rnncodec.errors import ConfigError, DataError, StorageError

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
        read(Job(Path("missing.in"), None))
    with pytest.raises(DataError, match="pipe: is neither a file nor a folder"):
        read(Job(Path("pipe"), None))
    with pytest.raises(DataError, match=r"tree: cannot be read \(Is a directory\)"):
        read(Job(Path("tree"), None))


def test_bytes_are_not_written_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = os.openpty()
    with os.fdopen(leader, "wb"), os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        with pytest.raises(ConfigError, match="standard output is a terminal"):
            check_target(Job(Path("a.in"), None), force=False)


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
        check_target(Job(Path("a.in"), Path(name)), force=name != "b.in")


def test_standard_input_that_does_not_block_is_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        later = threading.Timer(0.05, lambda: (os.write(writing, b"late"), os.close(writing)))
        later.start()
        assert read(Job(None, None)) == b"late"
        later.join()
