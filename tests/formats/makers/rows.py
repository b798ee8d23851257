"""The makers, by the file or folder that a row's command names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.formats.makers import graph_files, library_files, torchvision_files
from tests.formats.makers.answers import Author

_PUBLISHED = "4xb4-80k_ade20k-512x512.py"
MAKERS: Final[Mapping[str, Callable[[Path], Author]]] = {
    "deeplabv3.pth": torchvision_files.plain(
        "deeplabv3_mobilenet_v3_large", torchvision_files.SHORT
    ),
    "fcn.pth": torchvision_files.plain("fcn_resnet50", torchvision_files.SHORT),
    "lraspp.pth": torchvision_files.plain("lraspp_mobilenet_v3_large", torchvision_files.OWN_SIZE),
    "model_29.pth": torchvision_files.reference_script,
    "last.ckpt": torchvision_files.lightning,
    "model.safetensors": torchvision_files.safetensors,
    "crack.pth": torchvision_files.one_output(0.4),
    "whole.pth": torchvision_files.whole,
    "smp-model": library_files.smp_folder,
    "best.pth": library_files.smp_weights,
    "mobilenet-v2": library_files.transformers("mobilenet_v2"),
    "mobilevit": library_files.transformers("mobilevit"),
    "segformer": library_files.transformers("segformer"),
    "upernet": library_files.transformers("upernet"),
    "deeplabv3_r50-d8.pth": library_files.mmseg(f"deeplabv3/deeplabv3_r50-d8_{_PUBLISHED}"),
    "deeplabv3plus_r101-d8.pth": library_files.mmseg(
        f"deeplabv3plus/deeplabv3plus_r101-d8_{_PUBLISHED}"
    ),
    "deeplabv3_m-v2-d8.pth": library_files.mmseg(
        "mobilenet_v2/mobilenet-v2-d8_deeplabv3_4xb4-160k_ade20k-512x512.py"
    ),
    "deeplabv3plus_m-v2-d8.pth": library_files.mmseg(
        "mobilenet_v2/mobilenet-v2-d8_deeplabv3plus_4xb4-160k_ade20k-512x512.py"
    ),
    "my.onnx": graph_files.onnx("logits"),
    "crack.onnx": graph_files.onnx("sigmoid", 0.4),
    "my.torchscript": graph_files.torchscript,
    "my.pt2": graph_files.program,
    "my.xml": graph_files.openvino,
}
