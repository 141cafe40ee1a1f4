r"""Names as one line of text: file systems allow bytes that are none, and line breaks."""

import unicodedata

NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's control characters, halves of characters and line breaks."""


def printable(name: str) -> str:
    r"""A name that every table, plot, page and file of text can hold.

    What cannot be printed is written as Python would: ``\xff`` for a byte that is no UTF-8.

    Examples:
        >>> printable("Zürich $5"), printable("a\nb"), printable("caf\udce9")
        ('Zürich $5', 'a\\nb', 'caf\\xe9')
    """
    return "".join(visible(letter) for letter in name)


def visible(letter: str) -> str:
    """A character, or its escape if it cannot be printed."""
    if unicodedata.category(letter) not in NO_TEXT:
        return letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return ascii(letter)[1:-1]
