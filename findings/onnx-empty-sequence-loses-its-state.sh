#!/usr/bin/env bash
# ONNX Runtime sets the state of a sequence of no steps to zero.
#
# Guess: with sequence_lens of 0 nothing runs for that row of the batch, so the last state is the
#   initial state that was passed in.
# Behaviour: the last state of that row is zero, in RNN, GRU and LSTM (h and c): the initial state
#   is lost, and nothing is said.
# Why it matters: rows that stop earlier than others (streams that pause, blocks that need no
#   further iteration) lose their memory when they go on in the next call.
# Output:
#   onnxruntime 1.32.0 onnx 1.23.2
#   RNN: h of the empty sequence was 0.5, is [0.0, 0.0]
#   GRU: h of the empty sequence was 0.5, is [0.0, 0.0]
#   LSTM: h of the empty sequence was 0.5, is [0.0, 0.0]
#   LSTM: c of the empty sequence was 0.5, is [0.0, 0.0]
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
HIDDEN, LENGTHS = 2, np.array([3, 0], np.int32)
rng = np.random.default_rng(0)
for cell, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
    shapes = {"W": (1, gates * HIDDEN, 1), "R": (1, gates * HIDDEN, HIDDEN)}
    floats = TensorProto.FLOAT
    states = ["h"] if cell == "RNN" or cell == "GRU" else ["h", "c"]
    graph = helper.make_graph(
        [
            helper.make_node(
                cell,
                ["x", "W", "R", "", "lengths", *states],
                ["", *(f"last_{state}" for state in states)],
                hidden_size=HIDDEN,
            )
        ],
        "cell",
        [
            helper.make_tensor_value_info("x", floats, [3, 2, 1]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, [2]),
            *(helper.make_tensor_value_info(state, floats, [1, 2, HIDDEN]) for state in states),
        ],
        [
            helper.make_tensor_value_info(f"last_{state}", floats, [1, 2, HIDDEN])
            for state in states
        ],
        [
            helper.make_tensor(name, floats, shape, rng.normal(size=shape).astype("f").ravel())
            for name, shape in shapes.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"x": rng.normal(size=(3, 2, 1)).astype("f"), "lengths": LENGTHS}
    start = np.full((1, 2, HIDDEN), 0.5, "f")
    after = session.run(None, feeds | dict.fromkeys(states, start))
    for state, value in zip(states, after, strict=True):
        print(f"{cell}: {state} of the empty sequence was 0.5, is {value[0, 1].tolist()}")
        assert np.any(value[0, 0]), "the sequence that is not empty has no state"
        assert not np.any(value[0, 1]), "the state of an empty sequence is another now"
PY
