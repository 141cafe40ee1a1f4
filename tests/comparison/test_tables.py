import json
import re
from pathlib import Path

from tests.comparison.sweep import make_run, start

from rnncodec.comparison.compare import compare
from rnncodec.comparison.runs import find_runs
from rnncodec.comparison.tables import (
    FILES_WRITTEN,
    comparison_tables,
    labelled_curves,
    plain,
    write_comparison,
)

CELLS, RECONS, CODERS = ("gru", "lstm"), ("additive", "one_shot"), ("none", "progressive")


def test_the_whole_comparison_is_written(tmp_path: Path) -> None:
    for cell, gain in (("gru", 1.0), ("lstm", 0.0)):
        make_run(tmp_path / "sweep" / cell, cell=cell, gain=gain, entropy="binary_rnn")
    start(tmp_path / "sweep" / "begun")
    found = compare(*find_runs([tmp_path / "sweep"]))
    written = write_comparison(tmp_path / "out", found)
    assert sorted(path.name for path in written) == sorted(FILES_WRITTEN)
    assert all(path.stat().st_size > 500 for path in written)
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [row["runs"] for row in content["rows"]] == [["gru"], ["lstm"]]
    assert content["rows"][0]["auc"]["value"] == found.rows[0].auc.value
    assert content["effects"]["factors"][0]["name"] == "cell"
    assert content["unfinished"][0]["name"] == "begun"
    table = re.sub(" +", " ", (tmp_path / "out" / "table.md").read_text())
    assert "| 1 | gru | additive | binary_rnn | 1 | 0." in table
    assert "| 15 | 12.5% |" in table


def test_a_sweep_without_a_finished_run_has_tables_but_no_plot(tmp_path: Path) -> None:
    start(tmp_path / "sweep" / "begun")
    found = compare(*find_runs([tmp_path / "sweep"]))
    written = write_comparison(tmp_path / "out", found)
    assert [path.name for path in written] == ["comparison.json", "table.md", "table.tex"]
    (table,) = comparison_tables(found)
    assert table.rows == [["begun", "training is not finished (no checkpoint)"]]
    assert table.notes == ["no run is finished yet"]


def test_the_table_names_the_metric_of_each_score(tmp_path: Path) -> None:
    for cell, score in (("gru", 7.96), ("lstm", 0.1356)):
        make_run(tmp_path / cell, cell=cell, score=score, rates=[0.125, 0.25])
    found = compare(*find_runs([tmp_path]))
    table = comparison_tables(found)[0]
    by_name = {row[2]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    similar, decibel = "selection score, MS-SSIM", "selection score, PSNR (dB)"
    assert table.title == f"Runs, best first by {similar} and then by {decibel}"
    for cell, own, other, value in (
        ("gru", decibel, similar, "7.9600"),
        ("lstm", similar, decibel, "0.1356"),
    ):
        row = by_name[cell]
        assert (row["rank"], row["ranked by"], row[own], row[other]) == ("1", own, value, "–")
    written = plain(found)["rows"]
    assert [(row["rank"], row["score_metric"]) for row in written] == [
        (1, "ms_ssim"),
        (1, "psnr_rgb"),
    ]


def test_colour_marker_and_filling_say_cell_recon_and_entropy(tmp_path: Path) -> None:
    for cell in CELLS:
        for recon in RECONS:
            for entropy in CODERS:
                name = tmp_path / f"{cell},{recon},{entropy}"
                make_run(name, cell=cell, recon=recon, entropy=entropy)
    make_run(tmp_path / "again", cell="gru", recon="additive", seed=1)
    found = compare(*find_runs([tmp_path]))
    assert found.summary is not None
    curves, looks = labelled_curves(found.rows, found.summary)
    assert len([curve for curve in curves if curve.metric == "ms_ssim"]) == 9
    assert {curve.codec for curve in curves} == set(looks)
    assert len(set(looks.values())) == 8
    assert looks["gru additive none"].colour == looks["gru one_shot none"].colour
    assert looks["gru additive none"].marker == looks["lstm additive none"].marker
    assert looks["gru additive none"].fill != looks["gru additive progressive"].fill


def test_a_curve_is_labelled_by_no_more_than_tells_it_apart(tmp_path: Path) -> None:
    for cell, steps in (("gru", 760), ("lstm", 570)):
        make_run(tmp_path / cell, cell=cell, trainer={"max_steps": steps})
    assert labels(tmp_path) == {"gru additive none", "lstm additive none"}
    make_run(tmp_path / "longer", cell="lstm", trainer={"max_steps": 900})
    assert "lstm additive none trainer.max_steps=900" in labels(tmp_path)


def labels(folder: Path) -> set[str]:
    found = compare(*find_runs([folder]))
    assert found.summary is not None
    return {curve.codec for curve in labelled_curves(found.rows, found.summary)[0]}
