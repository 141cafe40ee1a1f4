"""Every script in findings/ says what it shows, and installs what it names."""

import re
from pathlib import Path

import pytest

SCRIPTS = sorted(Path("findings").glob("*.sh"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_finding_is_whole(path: Path) -> None:
    text = path.read_text("utf-8")
    head = text.partition("\nset -euo pipefail\n")[0]
    places = [head.index(f"\n# {part}") for part in ("Guess:", "Behaviour", "Why", "Output:")]
    assert places == sorted(places)
    assert len(head[places[-1] :].splitlines()) > 2, "its output"
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert path.stat().st_mode & 0o100, "chmod +x"
    assert "rnncodec" not in text, "findings run without this project"
    for line in re.findall(r"(?:pip\" install|npm install) (.*)", text):
        packages = [word for word in line.split() if word[0] not in "->"]
        assert packages
        assert all("==" in name or "@" in name for name in packages), "pinned"


def test_every_finding_is_listed() -> None:
    listed = re.findall(r"\(([\w-]+\.sh)\)", Path("findings/README.md").read_text("utf-8"))
    assert sorted(listed) == [path.name for path in SCRIPTS]
