"""What this machine can do: devices, and the arithmetic that pays on them."""

import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from rnncodec.errors import ConfigError

VARIABLE = "RNNCODEC_PRECISION"
"""Environment variable: ``bf16`` or ``float32`` instead of a measurement."""

PAYS_FROM = 1.2
"""How many times as fast as float32 bf16 has to be, for the digits that it costs."""

ROUNDS = 3
"""How often each precision is timed, in turns; the fastest of each counts."""


@dataclass(frozen=True)
class Arithmetic:
    """Which arithmetic to compute in where bf16 is precise enough, and why.

    Attributes:
        bf16: whether in bf16, else in float32.
        reason: for people, as "bf16 is 2.90 times as fast as float32 on this processor".
    """

    bf16: bool
    reason: str

    @property
    def name(self) -> str:
        """``bf16`` or ``float32``, as ``VARIABLE`` has it."""
        return "bf16" if self.bf16 else "float32"


def fast_arithmetic(device: torch.device | str) -> Arithmetic:
    """The faster arithmetic on a device: what ``VARIABLE`` says, else by a measurement.

    A library has bf16 kernels also for processors that can only emulate them, where they lose
    against float32; so it is timed, in about a tenth of a second, once in a process.

    Raises:
        ConfigError: ``VARIABLE`` is neither ``bf16`` nor ``float32``.
    """
    asked = os.environ.get(VARIABLE, "")
    if asked:
        if asked not in ("bf16", "float32"):
            raise ConfigError(f"{VARIABLE}={asked}: expected bf16 or float32")
        return Arithmetic(asked == "bf16", f"{VARIABLE} says so")
    if torch.device(device).type == "cuda":
        supported = bool(torch.cuda.is_bf16_supported(including_emulation=False))
        return Arithmetic(supported, f"the GPU has {'' if supported else 'no '}bf16 units")
    speedup = bf16_speedup()
    if speedup == 0:
        return Arithmetic(False, "there are no bf16 kernels for this processor")
    return Arithmetic(
        speedup >= PAYS_FROM, f"bf16 is {speedup:.2f} times as fast as float32 on this processor"
    )


def gains_from_bf16(device: torch.device | str) -> bool:
    """Whether bf16 is the faster arithmetic on a device; see :func:`fast_arithmetic`."""
    return fast_arithmetic(device).bf16


@functools.cache
def bf16_speedup(clock: Callable[[], float] = time.perf_counter) -> float:
    """Time of a matrix product and a convolution in float32 over that in bf16, on this CPU.

    Their sizes are those of a training step at the packaged models' width. On one core, since
    others may be busy; of several rounds in turns the fastest counts. 0 without bf16 kernels.

    Args:
        clock: seconds.
    """
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return 0.0
    precisions = (torch.float32, torch.bfloat16)
    seconds = dict.fromkeys(precisions, float("inf"))
    with torch.inference_mode(), one_thread():
        work = {dtype: sample_work(dtype) for dtype in precisions}
        for dtype in precisions:
            work[dtype]()  # the library chooses and builds its kernels at the first call
        for _ in range(ROUNDS):
            for dtype in precisions:
                start = clock()
                work[dtype]()
                seconds[dtype] = min(seconds[dtype], clock() - start)
    return seconds[torch.float32] / max(seconds[torch.bfloat16], 1e-9)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def sample_work(dtype: torch.dtype) -> Callable[[], None]:
    """A matrix product and a 3x3 convolution of ordinary size, 0.2 and 0.3 GFLOP."""
    a, b = torch.ones(128, 1152, dtype=dtype), torch.ones(1152, 768, dtype=dtype)
    x = torch.ones(1, 128, 20, 20, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.ones(320, 128, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)

    def run() -> None:
        torch.mm(a, b)
        F.conv2d(x, weight, padding=1)

    return run


@contextmanager
def float32_convolutions() -> Iterator[None]:
    """Convolve in float32 on a GPU, too, and not in TF32 with its 10 bits, PyTorch's default.

    Encoder and decoder must compute the same reconstruction. A thread that leaves while another is
    inside puts back what it found.
    """
    convolutions = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    found = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = found


def check_device(device: torch.device | str) -> None:
    """Try a device.

    Raises:
        ConfigError: this machine or this build of PyTorch does not have it.
    """
    try:
        torch.zeros(1, device=torch.device(device)).cpu()
    # AssertionError: built without CUDA; TypeError: no device at all
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device={device}: cannot be used here ({reason}); try cpu") from error


def resolve_precision(asked: str | int | None, accelerator: str) -> str | int | None:
    """``auto`` -> Lightning's name of the faster arithmetic; else what was asked."""
    if asked != "auto":
        return asked
    return lightning_precision(fast_arithmetic(training_device(accelerator)))


def training_device(accelerator: str) -> str:
    """``cpu`` or ``cuda``: what Lightning takes for ``trainer.accelerator``."""
    cuda = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "cuda" if cuda else "cpu"


def lightning_precision(arithmetic: Arithmetic) -> str:
    """What ``trainer.precision`` calls it."""
    return "bf16-mixed" if arithmetic.bf16 else "32-true"
