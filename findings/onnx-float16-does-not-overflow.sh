#!/usr/bin/env bash
# A float16 model that overflows gives finite results in ONNX Runtime on a CPU.
#
# Guess: every tensor of a float16 model has float16's range: 300 * 300 between two convolutions is
#   infinite, and so is the result.
# Behaviour (x86-64): the CPU has no float16 convolution, so casts to float32 are put around each,
#   and pairs of casts between two of them are removed. What lies between never is float16: the
#   result is 90. Where the same tensor is an output of the graph, it is infinite.
# Why it matters: a half-precision export is tested on the CPU, passes, and gives infinities where
#   float16 is real. Which tensors overflow depends on which are outputs.
# Output:
#   onnxruntime 1.32.0 onnx 1.23.2
#   300 * 300 as the output: inf
#   300 * 300 * 0.001, with the product between two convolutions: 90.0625
#   the same in float16 of NumPy: inf
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

print("onnxruntime", ort.__version__, "onnx", onnx.__version__)
HALF = TensorProto.FLOAT16


def run(nodes: list, outputs: list[str], x: np.ndarray) -> list[np.ndarray]:
    weights = [
        helper.make_tensor("up", HALF, [1, 1, 1, 1], np.array([300], np.float16)),
        helper.make_tensor("down", HALF, [1, 1, 1, 1], np.array([0.001], np.float16)),
    ]
    graph = helper.make_graph(
        nodes,
        "two_convolutions",
        [helper.make_tensor_value_info("x", HALF, [1, 1, 1, 1])],
        [helper.make_tensor_value_info(name, HALF, [1, 1, 1, 1]) for name in outputs],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


ort.set_default_logger_severity(3)
first = helper.make_node("Conv", ["x", "up"], ["hidden"])
second = helper.make_node("Conv", ["hidden", "down"], ["y"])
x = np.full((1, 1, 1, 1), 300, np.float16)
(hidden,) = run([first], ["hidden"], x)
(result,) = run([first, second], ["y"], x)
print("300 * 300 as the output:", hidden.item())
print("300 * 300 * 0.001, with the product between two convolutions:", result.item())
with np.errstate(over="ignore"):
    print("the same in float16 of NumPy:", (x * np.float16(300) * np.float16(0.001)).item())
assert np.isinf(hidden.item())
assert abs(result.item() - 90) < 0.5, "the product between overflows now"
PY
