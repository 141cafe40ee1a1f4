"""All benchmarks of speed, one after the other: `make bench`, about 20 minutes on 2 quiet cores.

Each part is a script of its own with its own JSON in outputs/bench/; this one runs them and writes
their figures between two marks of docs/PERFORMANCE.md.

    python benchmarks/suite.py --table      only write the table anew from the JSON that is there
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnncodec.storage import write_text

RESULTS = Path("outputs/bench")
DOCUMENT = Path("docs/PERFORMANCE.md")
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"

COMPACT = "--cell=gru_resnet --width=0.5 --batch=8 --side=64 --reference=unshared"
PARTS = {
    "train_step": ("train_step.py", ""),
    "train_step_compact": ("train_step.py", f"{COMPACT} --out={RESULTS}/train_step_compact.json"),
    "grid": ("grid.py", ""),
    "coding": ("coding.py", ""),
    "entropy": ("entropy.py", ""),
    "coder": ("coder.py", ""),
    "supply": ("supply.py", ""),
}


def main() -> None:
    """Run the parts, or only those named; then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    for name in [] if options.table else options.parts or PARTS:
        script, arguments = PARTS[name]
        print(f"== {name}", flush=True)
        command = [sys.executable, str(Path(__file__).with_name(script)), *arguments.split()]
        subprocess.run(command, check=True)
    write_text(DOCUMENT, with_table(DOCUMENT.read_text(encoding="utf-8"), "\n".join(table())))


def with_table(text: str, lines: str) -> str:
    """The document with what stands between the marks replaced."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}"


def table() -> Iterator[str]:
    """Lines of Markdown: a figure each, its reference beside it, for the parts that have JSON."""
    yield "| | figure | reference |"
    yield "|---|---|---|"
    machines = set()
    for name in PARTS:
        path = RESULTS / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
            yield from ROWS[name](result)
            machines.add(json.dumps(result["machine"]))
    yield ""
    yield from (", ".join(f"{k} {v}" for k, v in json.loads(m).items()) for m in machines)


def row(what: str, figure: str, reference: str) -> str:
    return f"| {what} | {figure} | {reference} |"


def train_step_rows(result: dict[str, Any]) -> Iterator[str]:
    settings = result["settings"]
    size = "{cell}, width {width}, batch {batch}, {side}x{side}, T = {iterations}".format(
        **settings
    )
    threads = result["machine"]["torch_threads"]
    reference = result["reference"]
    median, peak = result["median_seconds"], result["peak_memory_gib"]
    yield row(
        f"training step, {size}",
        f"{result['speedup']:.2f}x ({median['package']:.2f} s, {peak['package']:.2f} GiB)",
        f"{reference} ({median[reference]:.2f} s, {peak[reference]:.2f} GiB), {threads} threads",
    )
    if "fraction_of_bf16_matmul" in result:
        yield row(
            "of the bf16 matmul rate",
            f"{result['fraction_of_bf16_matmul']:.0%}",
            f"{result['matmul_tflops']['bf16']:.3f} TFLOP/s",
        )


def grid_rows(result: dict[str, Any]) -> Iterator[str]:
    size = "width {width}, batch {batch}, {side}x{side}, T = {iterations}".format(
        **result["settings"]
    )
    for name, ratio in result["over_textbook"].items():
        yield row(f"training step, {name}", f"{ratio:.2f}x", f"textbook lstm / additive, {size}")
    for name, grown in result["growth_when_4_times"].items():
        yield row(
            f"4 times the {name}",
            f"{grown['time']:.2f}x the time, {grown['memory']:.2f}x the memory",
            f"gru_resnet / additive, {size}",
        )


def coding_rows(result: dict[str, Any]) -> Iterator[str]:
    count = result["settings"]["iterations"]
    for work in ("encode", "decode"):
        seconds = result["seconds"]
        yield row(
            f"{work} 768x512, compact lstm, T = {count}",
            f"{result[f'{work}_over_textbook']:.2f}x ({seconds[work]:.2f} s)",
            f"textbook, float32 ({seconds[f'textbook_{work}']:.2f} s)",
        )
    rate = result["fp32_matmul_tflops"]
    share = result["encode_fraction_of_fp32_matmul"]
    yield row("encode, of the float32 matmul rate", f"{share:.0%}", f"{rate:.3f} TFLOP/s")
    for name, ideal in (("encode_1", 1 / count), ("decode_half", 1 / 2), ("decode_1", 1 / count)):
        yield row(f"{name}, share of all iterations", f"{result[f'{name}_share']:.3f}", f"{ideal}")
    for size, grown in result["growth"].items():
        yield row(
            f"encode and decode {size}, packaged codec, T = 3",
            f"{grown['us_per_pixel']:.2f} us a pixel, peak {grown['peak_gib']:.2f} GiB",
            "linear",
        )
    alone = result["batches"]["1"]
    for together, spent in result["batches"].items():
        yield row(
            f"encode {together} of 256x256 together, T = 3",
            f"{alone / spent:.2f}x an image ({spent:.3f} s)",
            "one at a time",
        )


def entropy_rows(result: dict[str, Any]) -> Iterator[str]:
    for name, speed in result["speed"].items():
        encode, decode = speed["encode_parallel_s"], speed["decode_diagonals_s"]
        yield row(
            f"entropy model {name}, 768x512, T = 16",
            f"encode {encode:.2f} s, decode {decode:.2f} s",
            f"one position at a time takes {speed['one_at_a_time_over_decode']:.1f}x as long",
        )


def coder_rows(result: dict[str, Any]) -> Iterator[str]:
    yield row(
        "range coder, bytes over the entropy", f"{result['over_entropy']:.2%}", "cross-entropy"
    )


def supply_rows(result: dict[str, Any]) -> Iterator[str]:
    yield row(
        "loader, one worker, cold start",
        f"{result['supplied_over_consumed']:.0f}x",
        f"{result['consumed_per_second']:.1f} images/s, what compact training consumes",
    )
    for name, ratio in result["metric_over_decoding_an_iteration"].items():
        yield row(f"{name} of 768x512", f"{ratio:.3f}", "decoding one iteration")


ROWS = {
    "train_step": train_step_rows,
    "train_step_compact": train_step_rows,
    "grid": grid_rows,
    "coding": coding_rows,
    "entropy": entropy_rows,
    "coder": coder_rows,
    "supply": supply_rows,
}


if __name__ == "__main__":
    main()
