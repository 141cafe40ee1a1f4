from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from rnncodec.runs.command_line import with_home


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("data.root=~/photos", "data.root=HOME/photos"),
        ("data.root=~", "data.root=HOME"),
        ("data.root=[~/a,~/b]", "data.root=[HOME/a,HOME/b]"),
        ("data.root=~/a,/b,~/c", "data.root=HOME/a,/b,HOME/c"),
        ("data.root=/a~/b", None),
        ("data.root=~nobody", None),
        ("~logger", None),
        ("name=a", None),
    ],
)
def test_the_home_folder_is_put_in_for_what_hydra_cannot_read(
    given: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (found,) = with_home([given])
    if expected is None:
        assert found == given
    else:
        assert found == expected.replace("HOME", str(tmp_path))
        OverridesParser.create().parse_overrides([found])
