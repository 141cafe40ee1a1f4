"""What is said where: results, warnings and errors, with a terminal and without."""

import io
import warnings

import pytest
from rich.console import Console

from rnncodec.commands import reporter as module
from rnncodec.commands.reporter import Reporter
from rnncodec.errors import ConfigError, DataError, RNNCodecWarning


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
