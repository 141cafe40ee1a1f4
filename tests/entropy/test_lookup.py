from pathlib import Path

import pytest

from rnncodec.entropy import model_class
from rnncodec.errors import ModelError


def test_each_configuration_has_its_module():
    names = [path.stem for path in Path("conf/entropy").glob("*.yaml")]
    assert sorted(model_class(name).__name__ for name in names) == [
        "BinaryRNN",
        "NoEntropy",
        "Progressive",
    ]


@pytest.mark.parametrize("name", ["os", "model", "fixed_point", "..recon", None, 3])
def test_other_names_are_refused_with_those_there_are(name):
    with pytest.raises(ModelError, match=r"\['binary_rnn', 'none', 'progressive'\]"):
        model_class(name)
