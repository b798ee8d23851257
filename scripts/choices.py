"""The options that choose a model, shared by the export and the archive builder.

Each has its environment variable, so that ``MODEL=... make run`` reaches it.
"""

import argparse
import os
from pathlib import Path

import torch

from deeplab.spec import EngineName
from scripts.checkpoints import Choice


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --model, --weights, --labels and --device, with MODEL, WEIGHTS, LABELS, DEVICE behind."""
    env = os.environ
    parser.add_argument("--model", default=env.get("MODEL") or None, help="architecture")
    parser.add_argument("--weights", type=Path, default=_path(env.get("WEIGHTS")))
    parser.add_argument("--labels", type=Path, default=_path(env.get("LABELS")))
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default=env.get("DEVICE") or "auto"
    )


def choice_from(options: argparse.Namespace) -> tuple[Choice, EngineName]:
    """(what to load, the engine to export for)."""
    choice = Choice(options.model, options.weights, options.labels)
    use_cuda = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    return choice, "torch" if use_cuda else "openvino"


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
