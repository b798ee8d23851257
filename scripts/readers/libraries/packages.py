"""Packages that only some checkpoints need: imported when one is read."""

import importlib
from typing import Any

from scripts.networks.checkpoints import CheckpointError
from scripts.networks.torchvision_weights import declare_operators


def imported(module: str, package: str, what: str) -> Any:
    """The module of a package. what: the kind of checkpoint that needs it.

    Raises CheckpointError, which says what to install.
    """
    declare_operators()
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise CheckpointError(
            f"{what} needs the package {package} in the environment of this command "
            f"({exc}): run .venv/bin/python -m pip install {package}, then the same command"
        ) from exc
