#!/usr/bin/env bash
# A stream of constriction written with float32 probabilities is not read with the same as float64.
#
# Guess: the model is made of the numbers, so an array of equal numbers gives an equal model: a
#   float32 is a float64 without loss.
# Behaviour: with perfect=False, which is recommended for new code, the fixed-point table is
#   computed in the type of the array. Equal numbers in another type give another table, and the
#   stream is not decoded (here it is refused; with other numbers it may be read as other symbols).
# Why it matters: an encoder in PyTorch (float32) and a decoder in plain Python (float64) do not
#   understand each other, though every probability compares equal.
# Output:
#   constriction 0.5.0 numpy 2.4.6
#   perfect=True: written with float32, read with float32 100% right, with the same numbers as float64 100% right
#   perfect=False: written with float32, read with float32 100% right, with the same numbers as float64 refused
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile constriction==0.5.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import constriction
import numpy as np

stream = constriction.stream
print("constriction", version("constriction"), "numpy", np.__version__)
single = np.random.default_rng(0).dirichlet(np.ones(8)).astype(np.float32)
double = single.astype(np.float64)
assert np.array_equal(single, double)
symbols = np.random.default_rng(1).choice(8, 20_000, p=double / double.sum()).astype(np.int32)


def right(probabilities: np.ndarray, perfect: bool) -> str:
    encoder = stream.queue.RangeEncoder()
    encoder.encode(symbols, stream.model.Categorical(single, perfect=perfect))
    decoder = stream.queue.RangeDecoder(encoder.get_compressed())
    try:
        decoded = decoder.decode(stream.model.Categorical(probabilities, perfect=perfect), 20_000)
    except AssertionError:
        return "refused"
    return f"{np.mean(decoded == symbols):.0%} right"


for perfect in (True, False):
    print(
        f"perfect={perfect}: written with float32, read with float32 {right(single, perfect)},"
        f" with the same numbers as float64 {right(double, perfect)}"
    )
assert right(single, False) == "100% right"
assert right(double, True) == "100% right"
assert right(double, False) != "100% right", "the type of the numbers does not matter now"
PY
