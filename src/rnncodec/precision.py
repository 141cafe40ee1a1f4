"""Which arithmetic pays on this machine."""

from contextlib import AbstractContextManager

import torch


def gains_from_bf16(device: torch.device | str) -> bool:
    """Whether bf16 matrix products run in hardware: tensor cores, AMX or AVX512-BF16."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device: torch.device | str) -> AbstractContextManager[object]:
    """Autocast to bf16 where the hardware gains from it; float32 elsewhere."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=gains_from_bf16(device))
