"""The options that choose a model, shared by the export and the archive builder.

Each has its environment variable, so that ``MODEL=... make run`` reaches it.
"""

import argparse
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from deeplab.spec import EngineName, Precision
from scripts.networks.checkpoints import ModelChoice

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS: dict[str, Precision | None] = {
    "auto": None,
    "fp32": "f32",
    "bf16": "bf16",
    "int8": "int8",
}


@dataclass(frozen=True)
class ExportTarget:
    """What is exported for.

    precision: None for the fastest that gives the eager model's masks. is_checked: whether an
    artefact that does not give them is refused.
    """

    engine: EngineName
    precision: Precision | None = None
    is_checked: bool = True


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --model, --weights, --labels, --device and --precision, with MODEL and so on behind.

    --unproved, for measuring with weights that mean nothing, has PROVED=0.
    """
    env = os.environ
    parser.add_argument("--model", default=env.get("MODEL") or None, help="architecture")
    parser.add_argument("--weights", type=Path, default=_path(env.get("WEIGHTS")))
    parser.add_argument("--labels", type=Path, default=_path(env.get("LABELS")))
    device = env.get("DEVICE") or "auto"
    parser.add_argument("--device", type=_known_device, default=device, help=", ".join(DEVICES))
    precision = env.get("PRECISION") or "auto"
    parser.add_argument("--precision", type=_known_precision, default=precision)
    parser.add_argument("--unproved", action="store_true", default=env.get("PROVED") == "0")


def choice_from(options: argparse.Namespace) -> tuple[ModelChoice, ExportTarget]:
    """(what to load, what to export for)."""
    choice = ModelChoice(options.model, options.weights, options.labels)
    use_cuda = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    engine: EngineName = "torch" if use_cuda else "openvino"
    return choice, ExportTarget(
        engine, PRECISIONS[options.precision], is_checked=not options.unproved
    )


def _known_device(name: str) -> str:
    return _known(name, DEVICES, "DEVICE")


def _known_precision(name: str) -> str:
    return _known(name, PRECISIONS, "PRECISION")


def _known(name: str, names: Collection[str], variable: str) -> str:
    """Also the environment's is checked, which argparse does not do with a list of choices."""
    if name not in names:
        raise argparse.ArgumentTypeError(
            f"{name} is none of {', '.join(names)} (variable: {variable})"
        )
    return name


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
