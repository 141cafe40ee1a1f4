"""Whatever a file is called, its name is one line of text."""

import pytest

from rnncodec.machine.names import printable


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Zürich, 雨 $5 a|b\u202fPM", "Zürich, 雨 $5 a|b\u202fPM"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\xe9"),
        ("a\nb\tc\x1b[31m", r"a\nb\tc\x1b[31m"),
        ("half \ud800 line\u2028", r"half \ud800 line\u2028"),
    ],
)
def test_what_cannot_be_printed_is_written_out(name: str, text: str) -> None:
    assert printable(name) == text
    text.encode()
