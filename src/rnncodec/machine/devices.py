"""What this machine can do: devices, and the arithmetic that pays on them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rnncodec.errors import ConfigError


def gains_from_bf16(device: torch.device | str) -> bool:
    """Whether bf16 matrix products run in hardware: tensor cores, AMX or AVX512-BF16."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def float32_convolutions() -> Iterator[None]:
    """Convolve in float32 on a GPU, too, and not in TF32 with its 10 bits, PyTorch's default.

    Sender and receiver each run the decoder, and what one believes to be the picture must be what
    the other sees. A thread that leaves while another is inside puts back what it found.
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
    """``auto`` -> bf16 where the hardware gains from it, else float32; else what was asked."""
    if asked != "auto":
        return asked
    cuda = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if gains_from_bf16("cuda" if cuda else "cpu") else "32-true"
