"""Train and evaluate a codec: ``python train.py cell=gru_resnet recon=scaled_additive``."""

import signal
import sys

import hydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig

from rnncodec import experiment
from rnncodec.errors import RNNCodecError
from rnncodec.machine import signals
from rnncodec.runs.preflight import with_home

experiment.register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float:
    """Run what ``conf/`` and the command line describe; returns the selection score."""
    try:
        return experiment.run(cfg)
    except RNNCodecError as error:  # of this kind Hydra prints the message, without a traceback
        raise CompactHydraException(f"error: {error}") from error
    except KeyboardInterrupt:  # the run is already recorded as resumable
        signals.end_by(signal.SIGINT)
    except signals.Terminated:
        signals.end_by(signal.SIGTERM)


if __name__ == "__main__":
    sys.argv[1:] = with_home(sys.argv[1:])
    main()
