"""Of which kind a value from outside is: callers without a type checker give anything."""

import math
from numbers import Integral, Real


def is_whole(value: object) -> bool:
    """Whether it is an integer, of Python or NumPy; True and False are none.

    Examples:
        >>> is_whole(3), is_whole(3.0), is_whole(True)
        (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a real number, of Python or NumPy; True, False and NaN are none.

    Examples:
        >>> is_number(3), is_number(0.5), is_number(True), is_number(math.nan), is_number("1")
        (True, True, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return isinstance(value, Integral) or not math.isnan(value)
