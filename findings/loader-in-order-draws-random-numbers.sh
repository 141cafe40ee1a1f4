#!/usr/bin/env bash
# A DataLoader that shuffles nothing moves PyTorch's global random generator.
#
# Guess: with shuffle=False and num_workers=0 nothing random happens, so a pass over validation
#   data changes no random number of the training.
# Behaviour: every pass draws a seed for workers that do not exist. All random numbers after it
#   are others.
# Why it matters: two runs that differ only in how often they validate train differently (noise of
#   a binarizer, dropout, crops), and a difference between them says nothing. A generator of its own
#   for the loader leaves the global one alone.
# Output:
#   torch 2.13.0
#   next random number: 0.4963; after a pass in order 0.0885; after one with a generator of its own 0.4963
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
from torch.utils.data import DataLoader

print("torch", torch.__version__.split("+")[0])


def next_number(validate: bool, generator: torch.Generator | None = None) -> float:
    torch.manual_seed(0)
    if validate:
        list(DataLoader(range(4), shuffle=False, num_workers=0, generator=generator))
    return torch.rand(1).item()


without, with_pass = next_number(False), next_number(True)
own = next_number(True, torch.Generator())
print(f"next random number: {without:.4f}; after a pass in order {with_pass:.4f}", end="; ")
print(f"after one with a generator of its own {own:.4f}")
assert own == without
assert with_pass != without, "a pass in order draws nothing now"
PY
