"""Programs on PATH are run with bounds, and end in our error or in a sentence."""

import sys
from pathlib import Path

import pytest

from rnncodec.errors import DataError
from rnncodec.machine.external_tool import Tool, said

PYTHON = Tool(sys.executable, "Python")


def test_a_program_runs_in_the_folder_it_is_given(tmp_path: Path) -> None:
    script = "from pathlib import Path; Path('made').write_text('x')"
    assert PYTHON.run("-c", script, cwd=tmp_path) is None
    assert (tmp_path / "made").exists()


def test_the_end_of_what_a_failing_program_says_is_told(tmp_path: Path) -> None:
    told = PYTHON.run("-c", "print('a' * 999); raise SystemExit('no picture')", cwd=tmp_path)
    assert told is not None
    assert told.endswith("no picture")
    assert len(told) == 300
    assert PYTHON.run("-c", "raise SystemExit(3)", cwd=tmp_path) == "exit code 3"


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected an answer within 0\.2 s, got none"):
        PYTHON.run("-c", "import time; time.sleep(60)", cwd=tmp_path, timeout=0.2)


def test_what_is_not_on_the_path_is_named_with_its_package(tmp_path: Path) -> None:
    tool = Tool("rnncodec-no-such-program", "a package")
    assert tool.missing() == "rnncodec-no-such-program is not on PATH; install a package"
    assert tool.says("--version") == ""
    with pytest.raises(DataError, match="rnncodec-no-such-program: cannot be started"):
        tool.run(cwd=tmp_path)


def test_what_a_program_says_is_asked_once() -> None:
    assert PYTHON.missing() is None
    assert PYTHON.says("--version").startswith("Python 3")
    before = said.cache_info().hits
    PYTHON.says("--version")
    assert said.cache_info().hits == before + 1
