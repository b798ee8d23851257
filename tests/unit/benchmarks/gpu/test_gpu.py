"""The benchmark on a GPU: the roofline, and handlers that return masks."""

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.roofline import Ceilings, network_cost
from benchmarks.gpu.worker import photographs_handled, worker_context
from segmentation_handler import SegmentationHandler

pytestmark = pytest.mark.slow

LIMITS = Ceilings(flops=1e12, bytes=1e9)


def test_a_convolution_needs_its_products_and_its_bytes() -> None:
    """3 to 8 channels, 3 x 3, on 4 x 6 pixels: counted by hand, in bf16."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
    one = network_cost(network, (4, 6), 1, LIMITS)
    assert one.flops == 2 * (8 * 4 * 6) * (3 * 3 * 3)
    assert one.bytes == 2 * (3 * 4 * 6 + 8 * 4 * 6 + 8 * 3 * 3 * 3)
    assert one.seconds == pytest.approx(one.bytes / LIMITS.bytes)  # here the bytes are slower


def test_a_batch_reads_the_weights_once() -> None:
    """Each of its images needs fewer bytes."""
    network = nn.Conv2d(3, 16, 1)
    one, eight = (network_cost(network, (8, 8), batch, LIMITS) for batch in (1, 8))
    assert eight.flops == one.flops
    assert one.bytes - eight.bytes == 2 * 3 * 16 * (1 - 1 / 8)


def test_depthwise_convolutions_count_one_channel_each() -> None:
    """Where arithmetic is slower than memory, it is the limit."""
    network = nn.Conv2d(3, 3, 3, padding=1, groups=3)
    found = network_cost(network, (5, 5), 1, Ceilings(flops=1.0, bytes=1e9))
    assert found.flops == found.seconds == 2 * (3 * 5 * 5) * (3 * 3)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_workers_photographs_are_all_answered(unpacked: Path, batch: int) -> None:
    """Whole batches within the time, a mask for each image."""
    handler, context = SegmentationHandler(), worker_context(unpacked, None)
    handler.initialize(context)
    count = photographs_handled(handler, context, batch, 0.2)
    assert count >= batch
    assert count % batch == 0


def test_a_refusal_is_not_counted(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are fast, and would inflate the rate."""
    handler, context = SegmentationHandler(), worker_context(unpacked, None)
    handler.initialize(context)
    monkeypatch.setattr(handler, "_max_pixels", 1)
    with pytest.raises(RuntimeError, match="413"):
        photographs_handled(handler, context, 1, 0.2)


def test_the_table_has_a_row_for_each_model() -> None:
    """Rates are computed from milliseconds; the best handler is shown."""
    found = {
        "gflop": 5.86,
        "megabytes": 127.0,
        "roofline_per_s": 33_000.0,
        "engine_ms": {1: 1.25, 8: 5.0},
        "engine_share": 0.048,
        "handlers": [
            {"workers": 1, "batch": 1, "per_s": 200.0},
            {"workers": 8, "batch": 4, "per_s": 900.0},
        ],
        "handlers_share": 0.027,
    }
    lines = gpu.table({"device": "some", "bundled": found}).splitlines()
    assert len(lines) == 3
    assert lines[2] == (
        "| bundled | 5.86 GFLOP, 127.0 MB | 33000/s | 800/s | 1600/s, 4.8% "
        "| 900/s, 2.7% (8 workers, batches of 4) |"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_nothing_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """One line gives the reason."""
    assert gpu.main([]) == 1
    assert capsys.readouterr().err == "benchmarks: this needs a CUDA device\n"
