"""Path and query parameters for the model and its version."""

from typing import Final

from fastapi import Path, Query

from gateway.registry.records import CANARY, SHADOW, STABLE

VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
# TorchServe's path for every version, so neither a version nor an alias.
EVERY_VERSION: Final = "all"
# No archive has these names: what the traffic's aliases mean changes.
RESERVED: Final = frozenset({EVERY_VERSION, STABLE, CANARY, SHADOW})
VERSION = Query(
    pattern=VERSION_PATTERN,
    description="Version of the model; the default version if absent.",
    examples=["1.0"],
)
VERSION_IN_PATH = Path(
    description="Version of the model.", examples=["1.0"], pattern=VERSION_PATTERN
)
MODEL = Path(description="Name of the model.", examples=["deeplabv3"], max_length=64)
