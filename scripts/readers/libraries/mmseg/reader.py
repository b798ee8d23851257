"""Checkpoints of mmsegmentation: DeepLabV3 and V3+ on ResNet or MobileNetV2."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from deeplab.spec import InputSize
from scripts.archives.digests import file_sha256
from scripts.networks.checkpoints import Checkpoint, CheckpointError
from scripts.networks.facts import MEAN, STD, InputFacts, ReadOptions
from scripts.networks.single_output import TwoClasses
from scripts.readers.files import read_content
from scripts.readers.libraries.labels import labels_of
from scripts.readers.libraries.mmseg.config import mapping, read_config, resize_of_test
from scripts.readers.libraries.mmseg.design import Design, design_of, is_deeplab
from scripts.readers.libraries.mmseg.network import MmsegDeepLab
from scripts.readers.libraries.stored import state_of

LIBRARY = "mmsegmentation"
PUBLISHED = f"{LIBRARY}'s published recipe"
IN_CONFIG = "the configuration in the checkpoint"
# ADE20K's, with which most of the published models are tested.
PUBLISHED_SCALE = (2048, 512)
PARTS = ("backbone.", "decode_head.")
DEFAULT_THRESHOLD = 0.5  # without --threshold
SINGLE_OUTPUT_THRESHOLD = 0.3  # mmseg's own, where the configuration names none
RESNETS: dict[tuple[int, ...], int] = {
    (2, 2, 2, 2): 18,
    (3, 4, 6, 3): 50,
    (3, 4, 23, 3): 101,
    (3, 8, 36, 3): 152,
}


def read(path: Path, options: ReadOptions) -> Checkpoint | None:
    """Read a .pth of mmsegmentation; None if it is none. Raises CheckpointError."""
    if path.is_dir() or path.suffix == ".safetensors":
        return None
    stored = read_content(path).value
    state = state_of(stored)
    if not any(name.startswith("decode_head.") for name in state):
        return None
    meta = mapping(stored.get("meta")) if isinstance(stored, Mapping) else {}
    config = read_config(meta.get("cfg", meta.get("config")))
    model = mapping(config.get("model"))
    _check_kind(state, model, path)
    design = design_of(state, model)
    facts = _facts(config, model)
    network, threshold = _network(design, state, path), _threshold(design, model, options)
    is_single = design.classes == 1
    return Checkpoint(
        architecture=_name(design),
        network=TwoClasses(network, threshold).eval() if is_single else network,
        labels=labels_of(options, design.classes, _names(meta)),
        input=facts.input,
        origin=f"the user's checkpoint {path.name} of {LIBRARY}",
        sha256=file_sha256(path),
        facts=facts,
        output="sigmoid" if is_single else "logits",
        threshold=threshold,
        colours=_colours(meta),
    )


def _check_kind(state: Mapping[str, Tensor], model: Mapping[str, Any], path: Path) -> None:
    """Refuse what has mmseg's names and is another network."""
    head, backbone = (mapping(model.get(each)) for each in ("decode_head", "backbone"))
    kinds = [str(each["type"]) for each in (backbone, head) if "type" in each]
    if is_deeplab(state) and "ResNetV1d" not in kinds:
        return
    found = " with ".join(kinds) or "another network"
    raise CheckpointError(
        f"--weights {path}: {LIBRARY}'s {found}; of its networks DeepLabV3 and V3+ on ResNet, "
        "ResNetV1c and MobileNetV2 are read: export this one to ONNX and pass the .onnx file"
    )


def _network(design: Design, state: Mapping[str, Tensor], path: Path) -> MmsegDeepLab:
    network = MmsegDeepLab(design)
    kept = {name: value for name, value in state.items() if name.startswith(PARTS)}
    try:
        network.load_state_dict(kept)
    except RuntimeError as exc:
        first = str(exc).splitlines()[-1].strip()[:160]
        raise CheckpointError(f"--weights {path} does not fit {_name(design)}: {first}") from exc
    network.eval()
    return network


def _name(design: Design) -> str:
    depth = RESNETS.get(design.blocks, 34 if not design.bottleneck else 0)
    backbone = "mobilenet_v2" if design.mobile else f"resnet{depth or ''}"
    return f"mmseg_deeplabv3{'plus' if design.plus else ''}_{backbone}"


def _facts(config: Mapping[str, Any], model: Mapping[str, Any]) -> InputFacts:
    size, size_source = _size(config)
    mean, std, is_rgb, source = _normalisation(config, model)
    return InputFacts(
        input=size,
        mean=mean,
        std=std,
        channels="rgb" if is_rgb else "bgr",
        sources={
            "size": size_source,
            "interpolation": size_source,
            **dict.fromkeys(("mean", "std", "channels"), source),
        },
    )


def _size(config: Mapping[str, Any]) -> tuple[InputSize, str]:
    """The size of the test's pictures, which OpenCV resizes without averaging, and its source."""
    found = resize_of_test(config)
    scale, keeps_ratio = found or (PUBLISHED_SCALE, True)
    source = f"test_pipeline in {IN_CONFIG}" if found else PUBLISHED
    if keeps_ratio:
        size = InputSize(
            long_side=max(scale),
            fit="short_side",
            short_side=min(scale),
            antialias=False,
            rounding="nearest",
        )
    else:
        width, height = scale
        size = InputSize(
            long_side=max(scale), fit="fixed", width=width, height=height, antialias=False
        )
    return size, source


Triple = tuple[float, float, float]


def _normalisation(
    config: Mapping[str, Any], model: Mapping[str, Any]
) -> tuple[Triple, Triple, bool, str]:
    """(mean, std, whether the network takes RGB, source), per RGB channel, for values in 0..1."""
    newer = mapping(model.get("data_preprocessor")) or mapping(config.get("data_preprocessor"))
    older = mapping(config.get("img_norm_cfg"))
    given = newer or older
    if not given:
        return MEAN, STD, True, PUBLISHED
    # OpenCV reads BGR; without the conversion the numbers are in that order too.
    is_rgb = bool(newer.get("bgr_to_rgb", False) if newer else older.get("to_rgb", True))
    mean, std = _triple(given.get("mean"), 0), _triple(given.get("std"), 1)
    if not is_rgb:
        mean, std = mean[::-1], std[::-1]
    return mean, std, is_rgb, IN_CONFIG


def _triple(values: object, default: float) -> Triple:
    """Three numbers for values in 0..255 as those for 0..1."""
    numbers = values if isinstance(values, list) and len(values) == 3 else [default] * 3
    red, green, blue = (float(each) / 255 for each in numbers)
    return red, green, blue


def _names(meta: Mapping[str, Any]) -> Sequence[str]:
    """The classes' names: of the newer generation in dataset_meta, of the older in CLASSES."""
    dataset = mapping(meta.get("dataset_meta"))
    names = dataset.get("classes", meta.get("CLASSES", meta.get("classes")))
    return [str(each) for each in names] if isinstance(names, list | tuple) else []


def _colours(meta: Mapping[str, Any]) -> tuple[tuple[int, int, int], ...]:
    dataset = mapping(meta.get("dataset_meta"))
    palette = dataset.get("palette", meta.get("PALETTE"))
    if not isinstance(palette, list | tuple):
        return ()
    return tuple((int(r), int(g), int(b)) for r, g, b in palette)


def _threshold(design: Design, model: Mapping[str, Any], options: ReadOptions) -> float:
    if design.classes > 1 or options.threshold != DEFAULT_THRESHOLD:
        return options.threshold
    own = mapping(model.get("decode_head")).get("threshold")
    return float(own) if isinstance(own, float) else SINGLE_OUTPUT_THRESHOLD
