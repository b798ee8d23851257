"""The handler of the bundled network, as a worker has it."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from segmentation_handler import SegmentationHandler
from tests.unit.handler.worker import worker_context


@pytest.fixture(scope="module")
def handler(unpacked: Path) -> Iterator[SegmentationHandler]:
    """With the bundled network, initialised as in a worker, which logs at INFO."""
    root = logging.getLogger()
    level, threads = root.level, torch.get_num_threads()
    root.setLevel(logging.INFO)
    made = SegmentationHandler()
    made.initialize(worker_context(unpacked, {"handler": {"threads": 0, "maxPixels": 1_000_000}}))
    yield made
    root.setLevel(level)
    torch.set_num_threads(threads)
