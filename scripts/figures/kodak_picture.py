"""The README's picture: some of the curves of an evaluation, so that each can be seen.

    python scripts/figures/kodak_picture.py outputs/kodak docs/pictures/kodak.png

Codecs and published curves are those named below; the folder is one of `rnncodec evaluate`. Codecs
that only another evaluation of the same images has are taken from there with `--more FOLDER`.
"""

import argparse
from pathlib import Path

from rnncodec.evaluation.curves import FILES, read_published
from rnncodec.evaluation.plots import paper_plot
from rnncodec.evaluation.results import read_results
from rnncodec.evaluation.summary import summarize

BASELINES = ("jpeg-420", "webp")
PUBLISHED = ("Toderici 2017", "Johnston 2018")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--more", type=Path)
    asked = parser.parse_args()
    rows = read_results(asked.evaluation / "results.csv")
    if asked.more is not None:
        known = {row.codec for row in rows}
        others = read_results(asked.more / "results.csv")
        rows = [*rows, *(row for row in others if row.codec not in known)]
    found = summarize(rows).codecs
    shown = {entry.codec for entry in found if entry.ours}.union(BASELINES)
    curves = [
        curve
        for entry in found
        if entry.rates == FILES and entry.codec.partition("+")[0] in shown
        for curve in entry.curves.values()
    ]
    published = read_published(asked.evaluation / "published.csv")
    chosen = [curve for curve in published if curve.codec.startswith(PUBLISHED)]
    paper_plot([asked.picture], curves, published=chosen)


if __name__ == "__main__":
    main()
