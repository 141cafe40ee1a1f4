"""Train and evaluate a codec: ``python train.py cell=gru_resnet recon=scaled_additive``."""

import hydra
from omegaconf import DictConfig

from rnncodec import experiment

experiment.register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float:
    """Run what ``conf/`` and the command line describe; returns the selection score."""
    return experiment.run(cfg)


if __name__ == "__main__":
    main()
