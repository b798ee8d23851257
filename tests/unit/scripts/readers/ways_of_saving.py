"""Ways in which trainers save one network, each with what becomes of it."""

import argparse
import collections
import io
import os
import pickle
import types
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

State = dict[str, Tensor]


@dataclass(frozen=True)
class Network:
    """What the ways save. whole: torchvision's module with the same weights."""

    state: State
    whole: nn.Module


Way = Callable[[Network, Path], object]


class AttributeDict(dict[str, Any]):
    """Lightning's hyperparameters."""


class HistoryBuffer:
    """mmengine's log of a loss."""

    def __init__(self) -> None:
        self.history = np.array([[0.5, 1.0]])


class Config(list[Any]):
    """A subclass of list, as OmegaConf's ListConfig nearly is."""


class Task(nn.Module):
    """A network inside a user's module, beside a loss."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(21))

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.net(image)["out"]
        return out


class WritesAFile:
    """An object that leaves a file behind where it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


class EvalsCode(WritesAFile):
    """The same by builtins.eval."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, (f"__import__('os').mkdir({str(self.mark)!r})",)


def prefixed(prefix: str, state: State) -> State:
    """The same tensors under longer names."""
    return {prefix + name: value for name, value in state.items()}


def _infixed(state: State, word: str) -> State:
    return {name.replace("backbone.", f"backbone.{word}.", 1): each for name, each in state.items()}


def _cast(state: State, dtype: torch.dtype) -> State:
    return {
        name: each.to(dtype) if each.is_floating_point() else each for name, each in state.items()
    }


def _other(state: State) -> State:
    """Another network of the same shape."""
    return {name: torch.zeros_like(each) for name, each in state.items()}


def _counted(state: State, batches: int) -> State:
    return {
        name: torch.full_like(each, batches) if "num_batches" in name else each
        for name, each in state.items()
    }


def _aux(network: Network) -> State:
    return {**network.state, "aux_classifier.4.weight": torch.zeros(21, 10, 1, 1)}


def _with_counters(state: State) -> State:
    """What thop leaves in every layer."""
    counters = {name.rsplit(".", 1)[0] + ".total_ops": torch.zeros(1) for name in state}
    return {**state, **counters, "total_params": torch.zeros(1)}


def _pruned(state: State) -> State:
    name = "classifier.4.weight"
    rest = {key: each for key, each in state.items() if key != name}
    return {**rest, f"{name}_orig": state[name], f"{name}_mask": torch.ones_like(state[name])}


def _without_counts(state: State) -> State:
    return {name: each for name, each in state.items() if "num_batches" not in name}


def _ordered_with_metadata(state: State) -> object:
    ordered: Any = collections.OrderedDict(state)
    ordered._metadata = collections.OrderedDict({"": {"version": 1}})
    return ordered


def _averaged(network: Network) -> object:
    model, average = _counted(_other(network.state), 7), _counted(network.state, 7)
    return {
        "model": model,
        "model_ema": {**prefixed("module.", average), "n_averaged": torch.ones(1)},
    }


def _stale_average(network: Network) -> object:
    return {
        "model": _counted(network.state, 7),
        "model_ema": _counted(_other(network.state), 0),
    }


def _parameters_only_average(network: Network) -> object:
    shadow = {name: torch.zeros(3) for name in network.state if "running" not in name}
    return {"model": network.state, "ema": shadow}


def _zero() -> Tensor:
    return torch.zeros(1)


def _lightning(network: Network) -> object:
    return {
        "epoch": 3,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": {
            **prefixed("model.", network.state),
            "criterion.weight": torch.ones(21),
            "val_iou.confusion": torch.zeros(21, 21),
        },
        "hyper_parameters": AttributeDict(lr=0.1, layers=[1, 2]),
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.4)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{}]}],
    }


def _torchvision_reference(network: Network) -> object:
    momentum = {0: {"momentum_buffer": torch.zeros(4)}}
    return {
        "model": _aux(network),
        "optimizer": {"state": momentum, "param_groups": [{"lr": 0.1}]},
        "lr_scheduler": {"_last_lr": [np.float64(0.1)]},
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, data_path=Path("/data"), device=torch.device("cpu")),
        "scaler": {"scale": 65536.0},
    }


def _apart(network: Network) -> object:
    parts: dict[str, State] = {"backbone": {}, "classifier": {}}
    for name, value in network.state.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = value
    return parts


def _saved(content: Callable[[Network], object], **options: Any) -> Way:
    """torch.save of some content."""
    return lambda network, path: torch.save(content(network), path, **options)


def _pickled(content: Callable[[Network], object], protocol: int) -> Way:
    return lambda network, path: path.write_bytes(pickle.dumps(content(network), protocol))


def _state(network: Network) -> State:
    return network.state


def _under(*keys: str, **beside: object) -> Way:
    def content(network: Network) -> object:
        nested: object = network.state
        for key in reversed(keys):
            nested = {key: nested}
        return {**beside, **(nested if isinstance(nested, dict) else {})}

    return _saved(content)


# Each gives the masks of the network that was saved.
RIGHT: dict[str, Way] = {
    "bare": _saved(_state),
    "model": _under("model"),
    "state_dict": _under("state_dict", epoch=3),
    "model_state_dict": _under("model_state_dict", loss=0.3),
    "net": _under("net"),
    "weights": _under("weights"),
    "any key": _under("mon_réseau 7"),
    "nested three deep": _under("checkpoint", "payload", "student", seed=1),
    "tuple": _saved(lambda network: (network.state, {"epoch": 3})),
    "list of pairs": _saved(lambda network: list(network.state.items())),
    "ordered with metadata": _saved(lambda network: _ordered_with_metadata(network.state)),
    "defaultdict": _saved(lambda network: collections.defaultdict(_zero, network.state)),
    "attribute dict": _saved(lambda network: {"w": AttributeDict(network.state)}),
    "namespace around it": _saved(lambda network: argparse.Namespace(weights=network.state)),
    "parameters": _saved(
        lambda network: {
            name: nn.Parameter(each) if each.is_floating_point() else each
            for name, each in network.state.items()
        }
    ),
    "NumPy arrays": _saved(lambda network: {k: v.numpy() for k, v in network.state.items()}),
    "DataParallel": _saved(lambda network: prefixed("module.", network.state)),
    "Lightning": _saved(_lightning),
    "torchvision's reference": _saved(_torchvision_reference),
    "compiled": _saved(lambda network: prefixed("_orig_mod.", network.state)),
    "compiled in DataParallel": _saved(
        lambda network: prefixed("module._orig_mod.model.", network.state)
    ),
    "a part compiled": _saved(lambda network: _infixed(network.state, "_orig_mod")),
    "FSDP": _saved(
        lambda network: prefixed(
            "_fsdp_wrapped_module.", _infixed(network.state, "_fsdp_wrapped_module")
        )
    ),
    "activation checkpoints": _saved(
        lambda network: _infixed(network.state, "_checkpoint_wrapped_module")
    ),
    "user's module": _saved(
        lambda network: {
            **prefixed("trainer.net.", network.state),
            "trainer.loss.weight": torch.ones(21),
        }
    ),
    "named backbone": _saved(lambda network: prefixed("backbone.", network.state)),
    "auxiliary head": _saved(_aux),
    "thop's counters": _saved(lambda network: _with_counters(network.state)),
    "pruned": _saved(lambda network: _pruned(network.state)),
    "without counts of batches": _saved(lambda network: _without_counts(network.state)),
    "f64": _saved(lambda network: _cast(network.state, torch.float64)),
    "saved part by part": _saved(_apart),
    "moving average": _saved(_averaged),
    "average that never saw a batch": _saved(_stale_average),
    "average without buffers": _saved(_parameters_only_average),
    "best beside last": _saved(
        lambda network: {"last_state": _other(network.state), "best_state": network.state}
    ),
    "mmengine's history": _saved(
        lambda network: {"state_dict": network.state, "message_hub": {"loss": HistoryBuffer()}}
    ),
    "sets, paths, dates and enums": _saved(
        lambda network: {
            "net": network.state,
            "seen": {1, 2},
            "frozen": frozenset({3}),
            "path": Path("a"),
            "raw": b"\x00\xff",
            "more": bytearray(b"\x01"),
            "policy": os.strerror,
            "c": 1 + 2j,
            "config": Config([1, 2]),
            "counter": collections.Counter("aab"),
            "queue": collections.deque([1]),
            "range": range(3),
            "type": torch.float16,
        }
    ),
    "protocol 4": _saved(_state, pickle_protocol=4),
    "protocol 5": _saved(_state, pickle_protocol=5),
    "before torch 1.6": _saved(_state, _use_new_zipfile_serialization=False),
    "before torch 1.6, nested": _saved(
        _torchvision_reference, _use_new_zipfile_serialization=False
    ),
    "pickle.dump": _pickled(_state, 2),
    "pickle.dump, protocol 5": _pickled(lambda network: {"net": network.state}, 5),
    "pickled NumPy arrays": _pickled(
        lambda network: {k: v.numpy() for k, v in network.state.items()}, 5
    ),
    "safetensors": lambda network, path: save_file(network.state, path),
    "non-contiguous": _saved(
        lambda network: {
            name: each.to(memory_format=torch.channels_last) if each.ndim == 4 else each
            for name, each in network.state.items()
        }
    ),
    "code beside it": lambda network, path: torch.save(
        {"net": network.state, "hook": WritesAFile(path.with_name("mark"))}, path
    ),
    "code inside it": lambda network, path: torch.save(
        {**network.state, "hook": EvalsCode(path.with_name("mark"))}, path
    ),
    "code in the old format": lambda network, path: torch.save(
        {"net": network.state, "hook": EvalsCode(path.with_name("mark"))},
        path,
        _use_new_zipfile_serialization=False,
    ),
    "code as the key": lambda network, path: torch.save(
        [network.state, {("a", 1): WritesAFile(path.with_name("mark"))}], path
    ),
}
# Each gives nearly the same masks: the values are rounded.
ROUNDED: dict[str, Way] = {
    "f16": _saved(lambda network: _cast(network.state, torch.float16)),
    "bf16": _saved(lambda network: _cast(network.state, torch.bfloat16)),
    "module.half()": _saved(
        lambda network: prefixed("module.", _cast(network.state, torch.float16))
    ),
}


def _bytes(network: Network) -> bytes:
    buffer = io.BytesIO()
    torch.save(network.state, buffer)
    return buffer.getvalue()


def _encrypted(network: Network, path: Path) -> None:
    """A zip file whose entries are marked as encrypted."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine.pth", _bytes(network)[:100])
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def _zipped(network: Network, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run/mine.pth", _bytes(network)[:100])


def _changed(name: str, value: Callable[[Tensor], object]) -> Way:
    return _saved(lambda network: {**network.state, name: value(network.state[name])})


def _flipped(network: Network, path: Path) -> None:
    """One bit of a tensor."""
    content = bytearray(_bytes(network))
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _shortened(way: Way) -> Way:
    """The file without its last bytes."""

    def write(network: Network, path: Path) -> None:
        way(network, path)
        path.write_bytes(path.read_bytes()[:-10])

    return write


def _written(content: bytes) -> Way:
    return lambda _network, path: path.write_bytes(content)


def _dangling(network: Network, path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _folder(*names: str) -> Way:
    """A folder with files of these names."""

    def write(network: Network, path: Path) -> None:
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            with (path / name).open("wb") as file:
                torch.save(network.state, file)

    return write


def _big_endian(network: Network, path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(_bytes(network))) as sound, zipfile.ZipFile(path, "w") as other:
        for name in sound.namelist():
            is_order = name.endswith("byteorder")
            other.writestr(name, b"big" if is_order else sound.read(name))


def _npz(network: Network, path: Path) -> None:
    with path.open("wb") as file:
        arrays: dict[str, Any] = {name: each.numpy() for name, each in network.state.items()}
        np.savez(file, **arrays)


def _entangled(first: bytes, key: bytes, add: bytes) -> bytes:
    """Forty containers of which each holds the one before ten times: 10 ** 40 ways to the first."""
    program = b"\x80\x02" + first + b"q\x00"
    for number in range(1, 40):
        entries = b"".join(
            (b"K" + bytes([copy]) if key else b"") + b"h" + bytes([number - 1])
            for copy in range(10)
        )
        program += first + b"q" + bytes([number]) + b"(" + entries + add
    return program + b"."


FIRST = "backbone.0.0.weight"
LAST = "classifier.4.weight"
_TRUST = r"model\.state_dict\(\) instead, or pass --trust-pickle"
# Each is refused with one line, in which these words are found.
REFUSED: dict[str, tuple[Way, str]] = {
    "0 bytes": (_written(b""), r"it is empty \(0 bytes\): save or download it again"),
    "zeros": (_written(bytes(5000)), "begins with zeros: the copy or the download did not finish"),
    "text": (_written(b"lr: 0.1\nepochs: 3\n"), "it is text: pass the file that torch.save"),
    "UTF-16 text": (_written("weights".encode("utf-16")), "it is text"),
    "a web page": (_written(b"\n<!DOCTYPE html><html>404"), "it is a web page: download the file"),
    "a pointer of LFS": (
        _written(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
        "git lfs pull",
    ),
    "gzip": (_written(b"\x1f\x8b\x08" + bytes(50)), r"packed \(gzip\): unpack it"),
    "tar": (_written(b"a.pth".ljust(257, b"\0") + b"ustar\0" + bytes(500)), r"packed \(tar\)"),
    "HDF5": (_written(b"\x89HDF\r\n\x1a\n" + bytes(50)), "HDF5 file, as Keras writes"),
    "a picture": (_written(b"\x89PNG\r\n\x1a\n" + bytes(50)), "it is a picture"),
    "random bytes": (_written(bytes(range(128, 256)) * 9), "it is of no known kind|damaged"),
    "lists that hold each other": (_written(_entangled(b"]", b"", b"e")), "holds no state dict"),
    "dictionaries that hold each other": (
        _written(_entangled(b"}", b"K", b"u")),
        "holds no tensors",
    ),
    "zlib": (_written(b"\x78\x9c" + bytes(range(200))), r"packed \(zlib, as joblib does\)"),
    "joblib": (
        _written(b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81."),
        "joblib wrote it, .*: joblib.load it, and torch.save it",
    ),
    "NumPy's archive": (_npz, r"it is NumPy's \.npz: load it into the network, and save"),
    "protocol 0": (
        _pickled(lambda network: {k: v.tolist() for k, v in list(network.state.items())[1:4]}, 0),
        "a pickle of protocol 0 or 1: torch.save it",
    ),
    "protocol 1": (_pickled(_state, 1), "a pickle of protocol 0 or 1: torch.save it"),
    "from a big-endian machine": (_big_endian, "of a big-endian machine: torch.load it here"),
    "Accelerate's folder": (
        _folder("pytorch_model.bin", "optimizer.bin", "scheduler.bin"),
        r"it is a folder: pass the file of weights in it \(pytorch_model\.bin\)",
    ),
    "a folder of parts": (
        _folder("model-00001-of-00002.safetensors", "model.safetensors.index.json"),
        r"in parts: load them into the network, and torch\.save",
    ),
    "a distributed checkpoint": (_folder(".metadata", "__0_0.distcp"), "format_utils dcp_to_torch"),
    "DeepSpeed's folder": (
        _folder("zero_to_fp32.py", "a/b.pt"),
        r"zero_to_fp32\.py writes",
    ),
    "only a backbone": (
        _saved(lambda network: {k: v for k, v in network.state.items() if "classifier" not in k}),
        "has a backbone without a head: pass the whole segmentation network",
    ),
    "a folder": (lambda _network, path: path.mkdir(), "it is a folder: pass the file"),
    "a dangling link": (_dangling, "there is no such file"),
    "an encrypted zip file": (_encrypted, "it is encrypted: unpack it with its password"),
    "a zip file around it": (_zipped, r"zip file with run/mine\.pth: unpack it"),
    "cut short": (
        lambda network, path: path.write_bytes(_bytes(network)[:-2000]),
        "it is cut short or damaged",
    ),
    "cut in half": (
        lambda network, path: path.write_bytes(_bytes(network)[:9_000_000]),
        "it is cut short",
    ),
    "a bit flipped": (_flipped, "cut short or damaged: copy or download it again"),
    "safetensors cut short": (
        _shortened(lambda network, path: save_file(network.state, path)),
        "cut short or damaged",
    ),
    "an old file cut short": (
        _shortened(_saved(_state, _use_new_zipfile_serialization=False)),
        "cut short or damaged",
    ),
    "the whole network": (_saved(lambda network: network.whole), _TRUST),
    "DataParallel's network": (_saved(lambda network: nn.DataParallel(network.whole)), _TRUST),
    "a network in a dictionary": (
        _saved(lambda network: {"epoch": 3, "model": Task(network.whole)}),
        r"ways_of_saving\.Task.*" + _TRUST,
    ),
    "the network, before torch 1.6": (
        _saved(lambda network: network.whole, _use_new_zipfile_serialization=False),
        _TRUST,
    ),
    "the network, pickled": (_pickled(lambda network: network.whole, 4), _TRUST),
    "code instead of weights": (
        lambda _network, path: torch.save(WritesAFile(path.with_name("mark")), path),
        r"holds no .*; save model\.state_dict\(\)",
    ),
    "code in a pickle": (
        lambda _network, path: path.write_bytes(pickle.dumps(EvalsCode(path.with_name("mark")))),
        r"holds no .*; save model\.state_dict\(\)",
    ),
    "only an optimiser": (
        _saved(lambda network: {"optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}}),
        r"holds no tensors; save model\.state_dict\(\)",
    ),
    "bare tensors": (
        _saved(lambda network: list(network.state.values())),
        r"no state dict; save model\.state",
    ),
    "nothing": (_saved(lambda _network: {}), "holds no tensors"),
    "None": (_saved(lambda _network: None), "holds no state dict"),
    "another network": (
        _saved(lambda _network: {"model": nn.Sequential(nn.Conv2d(3, 8, 3)).state_dict()}),
        r"fit none of .*has 2 tensors under 'model': 0\.weight, 0\.bias, .*"
        "ONNX or TorchScript, .*--trust-pickle",
    ),
    "a layer missing": (
        _saved(lambda network: {k: v for k, v in network.state.items() if FIRST not in k}),
        rf"does not fit .*: {FIRST} is missing",
    ),
    "a layer added": (
        _saved(lambda network: {**network.state, "backbone.9.extra.weight": torch.zeros(1)}),
        r"it has no backbone\.9\.extra\.weight; is the network changed\?",
    ),
    "a layer of another size": (
        _changed(FIRST, lambda value: value[:, :1]),
        rf"{FIRST} is \(16, 1, 3, 3\) instead of",
    ),
    "NaN": (_changed(LAST, lambda value: value * float("nan")), f"{LAST} has NaN in .*earlier"),
    "infinity": (_changed(FIRST, lambda value: value / 0), f"{FIRST} has infinity|{FIRST} has NaN"),
    "too large for f32": (
        _changed(LAST, lambda value: torch.full_like(value, 1e300, dtype=torch.float64)),
        f"{LAST} has infinity",
    ),
    "complex": (
        _changed(LAST, lambda value: value.to(torch.complex64)),
        f"{LAST} is torch.complex64",
    ),
    "whole numbers": (_changed(LAST, lambda value: value.to(torch.int8)), f"{LAST} is torch.int8"),
    "quantised": (
        _changed(LAST, lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)),
        f"{LAST} is quantised; save the network in float32",
    ),
    "sparse": (_changed(LAST, lambda value: value.to_sparse()), f"{LAST} is sparse; save"),
    "without values": (_changed(LAST, lambda value: value.to("meta")), f"{LAST} is without values"),
    "no tensor": (_changed(LAST, lambda value: value.tolist()), f"{LAST} is missing"),
    "a namespace of modules": (
        _saved(lambda network: types.SimpleNamespace(net=network.whole)),
        _TRUST,
    ),
}
