#!/usr/bin/env bash
# ONNX Runtime's max pooling removes NaN.
#
# Guess: NaN goes through MaxPool as it goes through Relu, Sigmoid and Max, and as in PyTorch and
#   NumPy: the maximum of 1, NaN, 2, 3 is NaN.
# Behaviour (x86-64): MaxPool gives 3 and ArgMax the place of 3. Whether a NaN is dropped depends on
#   its place in the window; most places drop it. (MaxPool of onnxruntime-web 1.30 on WebAssembly
#   gives NaN for this window.)
# Why it matters: a check for NaN at the end of an exported network passes although layers before
#   a pooling broke down.
# Output:
#   onnxruntime 1.32.0 onnx 1.23.2
#   of 1, NaN, 2, 3:
#   Relu [1.0, nan, 2.0, 3.0] Sigmoid [0.7300000190734863, nan, 0.8799999952316284, 0.949999988079071]
#   MaxPool [3.0] against NumPy's max nan
#   ArgMax [3] against NumPy's argmax 1
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
FLOAT = TensorProto.FLOAT


def run(operator: str, x: np.ndarray, kind: int = FLOAT, **attributes: object) -> np.ndarray:
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)],
        "one_operator",
        [helper.make_tensor_value_info("x", FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", kind, [None] * x.ndim)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


nan = np.array([[1, np.nan], [2, 3]], np.float32)[None, None]
row = nan.reshape(1, 4)
relu, sigmoid = run("Relu", row), run("Sigmoid", row)
pooled = run("MaxPool", nan, kernel_shape=[2, 2])
best = run("ArgMax", row, kind=TensorProto.INT64, axis=1)
print("of 1, NaN, 2, 3:")
print("Relu", relu.ravel().tolist(), "Sigmoid", np.round(sigmoid, 2).ravel().tolist())
print("MaxPool", pooled.ravel().tolist(), "against NumPy's max", nan.max())
print("ArgMax", best.ravel().tolist(), "against NumPy's argmax", int(row.argmax()))
assert np.isnan(relu[0, 1])
assert np.isnan(sigmoid[0, 1])
assert pooled.item() == 3, "MaxPool keeps NaN now"
assert best.item() == 3, "ArgMax finds NaN now"
PY
