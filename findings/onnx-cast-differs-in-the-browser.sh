#!/usr/bin/env bash
# A cast to uint8 at the end of a network wraps in onnxruntime-node and clips at 0 in
# onnxruntime-web.
#
# Guess: one model and one runtime give one picture: a cast of -1 and 300 to uint8 clips to 0 and
#   255 in both, or wraps in both.
# Behaviour (x86-64): natively -1 becomes 255 and -20 becomes 236; on WebAssembly both are 0. 300
#   becomes 44 in both. The standard leaves what is out of range open.
# Why it matters: a decoder that was tried natively shows dark pixels as white specks there and
#   none in the browser, and bright pixels as dark ones in both. Clip before the cast.
# Output:
#   onnxruntime-node 1.30.0: -20.0 -1.0 0.9 2.5 254.9 300.0 -> 236 255 0 2 254 44
#   onnxruntime-web 1.30.0: -20.0 -1.0 0.9 2.5 254.9 300.0 -> 0 0 0 2 254 44
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile onnx==1.23.2 numpy==2.4.6
cd "$folder"
npm init --yes >/dev/null
npm install --silent --ignore-scripts onnxruntime-web@1.30.0 onnxruntime-node@1.30.0 >/dev/null
"$folder/venv/bin/python" - <<'PY'
import onnx
from onnx import TensorProto, helper

graph = helper.make_graph(
    [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.UINT8)],
    "to_bytes",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [6])],
    [helper.make_tensor_value_info("y", TensorProto.UINT8, [6])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, "cast.onnx")
PY
cat >cast.mjs <<'JS'
import { readFileSync } from "node:fs";
import node from "onnxruntime-node";
import * as web from "onnxruntime-web";

web.env.wasm.numThreads = 1;
const model = new Uint8Array(readFileSync("cast.onnx"));
const values = Float32Array.from([-20, -1, 0.9, 2.5, 254.9, 300]);
const found = {};
for (const [name, ort, provider] of [["node", node, "cpu"], ["web", web, "wasm"]]) {
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider] });
  const { y } = await session.run({ x: new ort.Tensor("float32", values, [6]) });
  found[name] = Array.from(y.data);
  console.log(`onnxruntime-${name} 1.30.0: ${Array.from(values, (v) => v.toFixed(1)).join(" ")} -> ${found[name].join(" ")}`);
}
const same = found.node.join() === "236,255,0,2,254,44" && found.web.join() === "0,0,0,2,254,44";
process.exit(same ? 0 : 1);
JS
node cast.mjs
