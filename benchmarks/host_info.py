"""What a timing needs to know of the machine: matmul rates, processor, memory, libraries.

python benchmarks/host_info.py     prints it
"""

import argparse
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from timing import clock

LIBRARIES = ("torch", "numpy", "lightning")


def matmul_rate(dtype: torch.dtype, *, sizes: tuple[int, ...] = (2048, 4096)) -> float:
    """Best measured rate of a square matrix product, in TFLOP/s (a multiply-add counts two)."""
    best = 0.0
    for n in sizes:
        a, b = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
        torch.mm(a, b)
        for _ in range(4):
            start = clock()
            torch.mm(a, b)
            best = max(best, 2 * n**3 / (clock() - start) / 1e12)
    return best


def describe() -> dict[str, Any]:
    """Processor, cores, memory and library versions; nothing that names the machine."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def cpu_model() -> str:
    """The processor's name, with the instruction sets that matter here."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    pairs = (line.partition(":") for line in text.splitlines())
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    flags = fields.get("flags", "").split()
    sets = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return f"{fields.get('model name', platform.machine())} ({', '.join(sets)})"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, value in describe().items():
        print(f"{name:<14} {value}")
    for dtype in (torch.float32, torch.bfloat16):
        print(f"{str(dtype).removeprefix('torch.'):<14} {matmul_rate(dtype):.3f} TFLOP/s matmul")


if __name__ == "__main__":
    main()
