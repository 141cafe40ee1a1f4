"""Validation of arguments, settings and model files: kind and range of a value from outside."""

import math
from numbers import Integral, Real

from rnncodec.errors import ConfigError


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


def check_whole(name: str, value: object, low: int, high: int | None) -> None:
    """Raise ConfigError unless ``value`` is a whole number from ``low`` to ``high``, if any.

    Examples:
        >>> check_whole("priming", 17, 0, 16)
        Traceback (most recent call last):
        rnncodec.errors.ConfigError: priming=17: expected 0 to 16
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name}={value!r}: expected a whole number")
    check_range(name, value, low, high)


def check_number(name: str, value: object, low: float, high: float | None) -> None:
    """Raise ConfigError unless ``value`` is a number from ``low`` to ``high``, if any.

    Examples:
        >>> check_number("alpha", float("nan"), 0, 10)
        Traceback (most recent call last):
        rnncodec.errors.ConfigError: alpha=nan: expected 0 to 10
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{name}={value!r}: expected a number")
    check_range(name, value, low, high)


def check_range(name: str, value: float, low: float, high: float | None) -> None:
    """Raise ConfigError unless ``value`` lies between ``low`` and ``high``, if any.

    Examples:
        >>> check_range("threads", 0, 1, None)
        Traceback (most recent call last):
        rnncodec.errors.ConfigError: threads=0: expected at least 1
    """
    if not low <= value <= (math.inf if high is None else high):  # true of NaN, too
        expected = f"at least {low:g}" if high is None else f"{low:g} to {high:.10g}"
        raise ConfigError(f"{name}={value}: expected {expected}")
