#!/usr/bin/env bash
# torch.sign makes zero of NaN.
#
# Guess: the sign of NaN is NaN, as of every other function of one number.
# Behaviour: in PyTorch it is 0, in NumPy and in ONNX Runtime it is NaN.
# Why it matters: a network that ends in a sign (a binarizer) hides that it broke down: its codes
#   are numbers, its loss is finite. The same network exported shows it.
# Output:
#   torch 2.13.0 onnxruntime 1.32.0 numpy 2.4.6
#   torch: sign of [-0.5, 0.0, nan, inf] is [-1.0, 0.0, 0.0, 1.0]
#   numpy: sign of [-0.5, 0.0, nan, inf] is [-1.0, 0.0, nan, 1.0]
#   onnxruntime: sign of [-0.5, 0.0, nan, inf] is [-1.0, 0.0, nan, 1.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper

print(
    "torch", torch.__version__.split("+")[0], "onnxruntime", ort.__version__, "numpy", np.__version__
)
x = np.array([-0.5, 0.0, np.nan, np.inf], np.float32)
graph = helper.make_graph(
    [helper.make_node("Sign", ["x"], ["y"])],
    "binarizer",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
signs = {
    "torch": torch.from_numpy(x).sign().numpy(),
    "numpy": np.sign(x),
    "onnxruntime": session.run(None, {"x": x})[0],
}
for name, values in signs.items():
    print(f"{name}: sign of {x.tolist()} is {values.tolist()}")
assert np.isnan(signs["numpy"][2])
assert np.isnan(signs["onnxruntime"][2])
assert signs["torch"][2] == 0, "torch keeps NaN now"
PY
