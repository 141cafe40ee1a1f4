"""bf16 is taken where it is measured to pay, and nowhere because kernels for it exist."""

from collections.abc import Callable, Iterator

import pytest
import torch

from rnncodec.errors import ConfigError
from rnncodec.machine import devices


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False)
    measurement = devices.bf16_speedup
    measurement.cache_clear()
    yield
    measurement.cache_clear()


class Clock:
    """Time passes while a precision works, and only then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[torch.dtype, list[float]]):
        self.now = 0.0
        self.order: list[torch.dtype] = []
        self.threads: set[int] = set()
        left = {dtype: iter([1e3, *values]) for dtype, values in seconds.items()}  # first: builds

        def sample_work(dtype: torch.dtype) -> Callable[[], None]:
            def run() -> None:
                self.order.append(dtype)
                self.threads.add(torch.get_num_threads())
                self.now += next(left[dtype])

            return run

        monkeypatch.setattr(devices, "sample_work", sample_work)

    def __call__(self) -> float:
        return self.now


FLOAT, BF16 = torch.float32, torch.bfloat16


def test_the_fastest_of_several_rounds_in_turns_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, {FLOAT: [9.0, 3.0, 4.0], BF16: [2.0, 30.0, 1.5]})
    before = torch.get_num_threads()
    assert devices.bf16_speedup(clock) == pytest.approx(3.0 / 1.5)
    assert clock.order == [FLOAT, BF16] * 4
    assert clock.threads == {1}, "other cores may be busy"
    assert torch.get_num_threads() == before


def test_it_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, {FLOAT: [3.0] * 3, BF16: [1.0] * 3})
    assert devices.bf16_speedup(clock) == devices.bf16_speedup(clock)


@pytest.mark.parametrize(
    ("speedup", "bf16", "reason"),
    [
        (2.94, True, "bf16 is 2.94 times as fast as float32 on this processor"),
        (1.2, True, "bf16 is 1.20 times"),
        (1.19, False, "bf16 is 1.19 times"),
        (0.56, False, "bf16 is 0.56 times"),
        (0.0, False, "no bf16 kernels"),
    ],
)
def test_bf16_where_it_pays(
    monkeypatch: pytest.MonkeyPatch, speedup: float, bf16: bool, reason: str
) -> None:
    monkeypatch.setattr(devices, "bf16_speedup", lambda: speedup)
    found = devices.fast_arithmetic("cpu")
    assert found.bf16 is bf16
    assert reason in found.reason
    assert found.name == ("bf16" if bf16 else "float32")
    assert devices.resolve_precision("auto", "cpu") == ("bf16-mixed" if bf16 else "32-true")
    assert devices.resolve_precision("64-true", "cpu") == "64-true", "what is asked for stays"


def test_without_kernels_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert devices.bf16_speedup(lambda: pytest.fail("timed")) == 0


@pytest.mark.parametrize(("value", "bf16"), [("bf16", True), ("float32", False)])
def test_the_environment_goes_before_a_measurement(
    monkeypatch: pytest.MonkeyPatch, value: str, bf16: bool
) -> None:
    monkeypatch.setattr(devices, "bf16_speedup", lambda: pytest.fail("measured"))
    monkeypatch.setenv(devices.VARIABLE, value)
    found = devices.fast_arithmetic("cpu")
    assert (found.bf16, found.reason) == (bf16, "RNNCODEC_PRECISION says so")


def test_an_unknown_arithmetic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VARIABLE, "fp16")
    with pytest.raises(ConfigError, match="RNNCODEC_PRECISION=fp16: expected bf16 or float32"):
        devices.fast_arithmetic("cpu")


def test_a_real_measurement_is_a_number() -> None:
    assert devices.bf16_speedup() > 0
