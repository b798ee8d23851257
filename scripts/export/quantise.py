"""Post-training quantisation to int8 with NNCF.

The ranges of the activations come from photographs, in several crops and lights. The first
two convolutions stay as they are: their rounding would reach every later layer.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from deeplab.decode import Decoded
from deeplab.engines import import_openvino
from deeplab.preprocess import preprocess
from deeplab.spec import InputSize
from scripts.archives.atomic_write import reporting_failed_writes
from scripts.export.export_check import photographs
from scripts.export.openvino_ir import CONVOLUTIONS, PRECISE_CONVOLUTIONS

LIGHTS = (0.6, 1.4)  # factors of the brightness
CROP = 0.6  # of each side


def write_int8(source: Path, target: Path, wanted: InputSize, *, per_channel: bool) -> None:
    """Write the IR ``source`` (.xml) as ``target`` with 8-bit convolutions.

    per_channel: whether each channel that goes into a depthwise convolution has a range of its
    own. One range for all of them is a tenth faster, and as good where they are alike.
    """
    ov = import_openvino()
    nncf = _nncf()
    model = ov.Core().read_model(source)
    first = [
        layer.get_friendly_name()
        for layer in model.get_ordered_ops()
        if layer.get_type_name() in CONVOLUTIONS
    ][:PRECISE_CONVOLUTIONS]
    pictures = list(calibration(wanted))
    with contextlib.redirect_stdout(io.StringIO()):  # progress bars, which no option turns off
        quantised = nncf.quantize(
            model,
            nncf.Dataset(pictures),
            subset_size=len(pictures),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=first),
            advanced_parameters=_ranges(per_channel=per_channel),
        )
    with reporting_failed_writes(target):
        ov.save_model(quantised, target, compress_to_fp16=True)


def calibration(wanted: InputSize) -> Iterator[NDArray[np.uint8]]:
    """The calibration set: (1, h, w, 3) uint8 RGB views of the photographs.

    Where the handler averages pixels, bicubically: sharper views have wider ranges, and bilinear
    ones cost the bundled network 0.15 points of mean IoU.
    """
    averages = wanted.antialias and wanted.interpolation == "bilinear"
    sharp = replace(wanted, interpolation="bicubic") if averages else wanted
    for photograph in photographs():
        with Image.open(photograph) as file:
            picture = file.convert("RGB")
        for view in _views(picture):
            yield preprocess(Decoded(view, view.size, orientation=1, is_16_bit=False), sharp)


def _views(picture: Image.Image) -> Iterator[Image.Image]:
    """Augmented views: whole, darker and mirrored, brighter, and two corner crops."""
    dark, bright = LIGHTS
    yield picture
    yield ImageOps.mirror(ImageEnhance.Brightness(picture).enhance(dark))
    yield ImageEnhance.Brightness(picture).enhance(bright)
    width, height = round(picture.width * CROP), round(picture.height * CROP)
    yield picture.crop((0, 0, width, height))
    yield picture.crop((picture.width - width, picture.height - height, *picture.size))


def _ranges(*, per_channel: bool) -> Any:
    """NNCF's parameters; by default it takes a range per channel where possible."""
    from nncf.quantization.advanced_parameters import (
        AdvancedQuantizationParameters,
        QuantizationParameters,
    )

    ranges = QuantizationParameters(per_channel=None if per_channel else False)
    return AdvancedQuantizationParameters(activations_quantization_params=ranges)


def _nncf() -> Any:
    """Import NNCF with its log at errors; its telemetry is off after ``import_openvino``."""
    import nncf

    nncf.set_log_level(40)  # errors only
    return nncf
