"""A longest time is written in quotes, or YAML makes a number of it."""

from datetime import timedelta

import pytest
from omegaconf import OmegaConf

from rnncodec.errors import ConfigError
from rnncodec.runs.preflight import check_ends


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("max_time: 10:00:00:00", r"trainer.max_time=2160000: a number, .*write it in quotes"),
        ("max_time: 7200", r"trainer.max_time=7200: a number, expected DD:HH:MM:SS, as in"),
        ("max_time: 1:30.5", "a number"),
        ("max_time: 2 hours", "max_time=2 hours: expected DD:HH:MM:SS"),
        ('max_time: "02:00:00"', "max_time=02:00:00: expected DD:HH:MM:SS"),
        ("max_time: true", "a number"),
    ],
)
def test_one_that_is_none_is_refused(yaml: str, message: str) -> None:
    limits = OmegaConf.create(f"max_steps: -1\n{yaml}")
    with pytest.raises(ConfigError, match=message):
        check_ends("trainer", limits)


@pytest.mark.parametrize("given", ['"10:00:00:00"', "00:02:00:00", "null", "{hours: 2}"])
def test_what_the_trainer_takes_may_pass(given: str) -> None:
    check_ends("trainer", OmegaConf.create(f"max_steps: 5\nmax_time: {given}"))


def test_a_time_span_may_pass() -> None:
    limits = OmegaConf.create(flags={"allow_objects": True})
    limits.update({"max_steps": 5, "max_time": timedelta(hours=2)})
    check_ends("trainer", limits)
