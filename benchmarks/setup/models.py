"""The measured networks, each as a checkpoint and as an archive.

The published weights of torchvision's two are large and not always to be had. How fast a network is
does not depend on its weights, so these have random ones; the archive is built for speed alone.
"""

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.setup.settings import CACHE, ROOT
from scripts.archives.archive import DEFAULT_VERSION, MODEL, file_name
from scripts.networks.architectures import BUNDLED, BUNDLED_WEIGHTS
from scripts.networks.checkpoints import build_network

CLASSES = 21
NAMES = ("bundled", "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet101")


class ModelError(RuntimeError):
    """The archive could not be built; the builder has printed the reason."""


@dataclass(frozen=True)
class Model:
    """A network as a checkpoint and in an archive."""

    name: str
    architecture: str
    weights: Path
    store: Path
    device: str = "cpu"

    @property
    def is_proved(self) -> bool:
        """Whether the weights are trained, so that all servers must give the same masks."""
        return self.name == "bundled"

    @property
    def choice(self) -> dict[str, str]:
        """The variables with which ``segserve build`` builds this model's archive."""
        env = {
            "SEGSERVE_DEVICE": self.device,
            "SEGSERVE_MODEL": self.architecture,
            "SEGSERVE_WEIGHTS": str(self.weights),
        }
        fastest = "bf16" if self.device == "cuda" else "int8"
        return (
            env
            if self.is_proved
            else {**env, "SEGSERVE_PRECISION": fastest, "SEGSERVE_UNPROVED": "1"}
        )

    @property
    def archive(self) -> Path:
        """The archive."""
        return self.store / file_name(MODEL, DEFAULT_VERSION)

    @property
    def unpacked(self) -> Path:
        """The archive's content, for the engine code without TorchServe."""
        return self.store / "unpacked"


def prepare(name: str, device: str = "cpu") -> Model:
    """Make the checkpoint and the archive of ``name``. Raises ModelError."""
    folder = CACHE / "models" / name
    store = folder if device == "cpu" else folder / device
    if name == "bundled":
        model = Model(name, BUNDLED, BUNDLED_WEIGHTS, store, device)
    else:
        model = Model(name, name, folder / "random.safetensors", store, device)
        _write_random(model)
    _build(model)
    return model


def _write_random(model: Model) -> None:
    if model.weights.exists():
        return
    torch.manual_seed(0)
    network = build_network(model.architecture, CLASSES)
    model.weights.parent.mkdir(parents=True, exist_ok=True)
    unfinished = model.weights.with_suffix(".unfinished")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, unfinished)
    unfinished.rename(model.weights)


def _build(model: Model) -> None:
    command = [sys.executable, "-m", "scripts", "build", "--store", str(model.store)]
    env = {**os.environ, **model.choice}
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ModelError(f"the archive of {model.name} could not be built")
    with zipfile.ZipFile(model.store / file_name(MODEL, DEFAULT_VERSION)) as archive:
        archive.extractall(model.unpacked)
