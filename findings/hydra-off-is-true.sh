#!/usr/bin/env bash
# `normalize=off` on Hydra's command line is true.
#
# Guess: a value means on the command line what it means in the file that it overrides: off is
#   false, 12:30:45 is what YAML makes of it, and nan is the same in both.
# Behaviour: files are read as YAML 1.1, where off and no are booleans, 12:30:45 is 45045 seconds
#   and 010 is eight. The command line has a grammar of its own: off is a string of three letters,
#   which counts as true, 12:30:45 and 010 are strings, and nan, a string in the file, is a number.
# Why it matters: a sweep over normalize=on,off trains the same thing twice, and reports that the
#   setting makes no difference. Write true and false.
# Output:
#   hydra 1.3.8
#   file:         {'normalize': False, 'limit': 45045, 'digits': 8, 'floor': 'nan'} normalize counts as False
#   command line: {'normalize': 'off', 'limit': '12:30:45', 'digits': '010', 'floor': nan} normalize counts as True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile hydra-core==1.3.8 omegaconf==2.3.1
cd "$folder"
printf '%s\n' 'normalize: off' 'limit: 12:30:45' 'digits: 010' 'floor: nan' >config.yaml
cat >train.py <<'PY'
import hydra
from omegaconf import DictConfig


@hydra.main(version_base=None, config_path=".", config_name="config")
def main(cfg: DictConfig) -> None:
    print(dict(cfg), "normalize counts as", bool(cfg.normalize))


main()
PY
quiet=(hydra.run.dir=. hydra.output_subdir=null hydra/job_logging=disabled)
echo "hydra $("$folder/venv/bin/python" -c 'import hydra; print(hydra.__version__)')"
from_file=$("$folder/venv/bin/python" train.py "${quiet[@]}")
from_line=$("$folder/venv/bin/python" train.py "${quiet[@]}" normalize=off limit=12:30:45 digits=010 floor=nan)
echo "file:         $from_file"
echo "command line: $from_line"
[[ $from_file == "{'normalize': False, 'limit': 45045, 'digits': 8, 'floor': 'nan'} normalize counts as False" ]]
[[ $from_line == "{'normalize': 'off', 'limit': '12:30:45', 'digits': '010', 'floor': nan} normalize counts as True" ]]
