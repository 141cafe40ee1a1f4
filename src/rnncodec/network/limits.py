"""Checks of the numbers that settings and model files give: neither may ask for the impossible."""

from rnncodec.errors import ConfigError


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Raise ConfigError unless ``value`` is a whole number from ``low`` to ``high``.

    Examples:
        >>> check_whole("priming", 17, 0, 16)
        Traceback (most recent call last):
        rnncodec.errors.ConfigError: priming=17: expected 0 to 16
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name}={value!r}: expected a whole number")
    if not low <= value <= high:
        raise ConfigError(f"{name}={value}: expected {low} to {high}")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raise ConfigError unless ``value`` is a number from ``low`` to ``high``.

    Examples:
        >>> check_number("alpha", float("nan"), 0, 10)
        Traceback (most recent call last):
        rnncodec.errors.ConfigError: alpha=nan: expected 0 to 10
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{name}={value!r}: expected a number")
    if not low <= value <= high:  # true of NaN, too
        raise ConfigError(f"{name}={value}: expected {low:g} to {high:g}")
