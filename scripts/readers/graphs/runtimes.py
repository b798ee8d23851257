"""The runtimes of ready graphs: each loads a file, converts it, and runs the original.

All of this happens in a process of its own (``graph_process``): the files are not ours.
"""

import importlib
import importlib.util
import json
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deeplab.engines import import_openvino
from scripts.readers.graphs.formats import Format, GraphError
from scripts.readers.graphs.simplify import simplified
from scripts.readers.graphs.unsafe import check_program, check_torchscript

Arrays = list[NDArray[Any]]
# Sides of the example picture for a file that does not say which it takes; (height, width).
SQUARES = (256, 224, 320, 384, 512, 513, 520, 640, 1024, 128, 64)
EXAMPLES = ((192, 256), *((side, side) for side in SQUARES), (512, 1024))
LARGEST_EXTRA = 1 << 20  # bytes of a file with metadata


@dataclass(frozen=True)
class Loaded:
    """A ready graph in its process.

    runtime: name of what runs the original. run: one picture, as the graph takes it -> outputs.
    model: the same as an OpenVINO model. names: of the outputs, where they have any.
    metadata: what the file says about itself.
    """

    runtime: str
    run: Callable[[NDArray[Any]], Arrays]
    model: Any
    names: tuple[str, ...]
    metadata: dict[str, str]


def load(kind: Format, path: Path, sides: Sequence[tuple[int, int]] = ()) -> Loaded:
    """Load the file. sides: (height, width) to try first. Raises GraphError, or what loaders do."""
    if kind == "torchscript":
        return _load_torchscript(path, (*sides, *EXAMPLES))
    if kind == "program":
        return _load_program(path)
    return _load_for_openvino(kind, path)


def compiled(model: Any) -> Callable[[NDArray[Any]], Arrays]:
    """The OpenVINO model as a function, computed in f32 on the CPU."""
    ov = import_openvino()
    network = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(picture: NDArray[Any]) -> Arrays:
        found = network([picture])
        return [np.array(found[output]) for output in network.outputs]

    return run


def _load_for_openvino(kind: Format, path: Path) -> Loaded:
    """ONNX and IR, which OpenVINO reads itself."""
    model = import_openvino().Core().read_model(path)
    names = tuple(_name(output) for output in model.outputs)
    run = _onnxruntime(path) if kind == "onnx" else None
    runtime = "onnxruntime" if run else "openvino"
    return Loaded(runtime, run or compiled(model), model, names, _metadata(model))


def _name(output: Any) -> str:
    names = output.get_names()
    return str(min(names)) if names else ""


def _onnxruntime(path: Path) -> Callable[[NDArray[Any]], Arrays] | None:
    """ONNX Runtime's session; None where it is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    runtime = importlib.import_module("onnxruntime")
    runtime.set_default_logger_severity(4)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    if len(inputs) != 1:  # OpenVINO's model is judged, with the same words for every format
        return None
    name = inputs[0].name
    return lambda picture: [np.asarray(each) for each in session.run(None, {name: picture})]


def _metadata(model: Any) -> dict[str, str]:
    """ONNX's metadata_props, which OpenVINO keeps under "framework", and an IR's model_info."""
    found: dict[str, str] = {}
    for section in ("framework", "model_info"):
        if not model.has_rt_info([section]):
            continue
        for name in _keys(model, section):
            found[name] = str(model.get_rt_info([section, name]).value)
    return found


def _keys(model: Any, section: str) -> list[str]:
    entries = model.rt_info[section]
    entries = entries if isinstance(entries, Mapping) else getattr(entries, "value", {})
    return [str(name) for name in entries] if isinstance(entries, Mapping) else []


def _load_program(path: Path) -> Loaded:
    """A program of torch.export."""
    check_program(path)
    program = torch.export.load(path)
    names = _tree_names(program.call_spec.out_spec)
    module = program.module()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = import_openvino().convert_model(program)
    if len(program.graph_signature.user_inputs) == 1:
        _set_shape(program, model)
    return Loaded("torch", _torch_runner(module), model, names, _extra_files(path))


def _set_shape(program: Any, model: Any) -> None:
    """Give the model's input the shape that the program fixes: OpenVINO leaves all sides open."""
    name = program.graph_signature.user_inputs[0]
    node = next(each for each in program.graph.nodes if each.name == name)
    shape = [side if isinstance(side, int) else -1 for side in node.meta["val"].shape]
    model.reshape({0: import_openvino().PartialShape(shape)})


def _tree_names(spec: Any) -> tuple[str, ...]:
    """The keys of a dictionary of outputs."""
    keys = getattr(spec, "context", None) if spec.type is dict else None
    return tuple(str(key) for key in keys) if isinstance(keys, list) else ()


def _load_torchscript(path: Path, sides: Sequence[tuple[int, int]]) -> Loaded:
    check_torchscript(path)
    module: Any = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]  # torch has no types here
    _check_arguments(module)
    try:
        example, found = _example(module, sides)
    except GraphError:  # a network of half precision takes what it cast, or half pictures
        module = module.float()
        example, found = _example(module, sides)
    names = tuple(map(str, found)) if isinstance(found, Mapping) else ()
    frozen, ov = simplified(module, example), import_openvino()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ov.convert_model(frozen)
    model.reshape({0: ov.PartialShape([1, 3, -1, -1])})
    return Loaded("torch", _torch_runner(module), model, names, _extra_files(path))


def _check_arguments(module: Any) -> None:
    needed = [each for each in module.forward.schema.arguments if not each.has_default_value()]
    if len(needed) != 2:  # the first is the module itself
        raise GraphError(f"it takes {len(needed) - 1} inputs: export it with one, the image")


def _example(module: Any, sides: Sequence[tuple[int, int]]) -> tuple[torch.Tensor, Any]:
    """The first picture that the module takes, and its outputs. Raises GraphError."""
    problem = ""
    for height, width in sides:
        picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))
        try:
            with torch.inference_mode():
                return picture, module(picture)
        except RuntimeError as exc:
            problem = problem or _last_line(exc)
    raise GraphError(f"it takes no RGB picture (1, 3, height, width) float32: {problem}")


def _last_line(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(exc).__name__


def _torch_runner(module: Any) -> Callable[[NDArray[Any]], Arrays]:
    from torch.utils import _pytree

    def run(picture: NDArray[Any]) -> Arrays:
        with torch.inference_mode():
            found = module(torch.from_numpy(picture))
        return [each.numpy() for each in _pytree.tree_leaves(found) if torch.is_tensor(each)]

    return run


def _extra_files(path: Path) -> dict[str, str]:
    """The entries of JSON files that an exporter put beside the code, such as config.txt."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(path) as file:
        for entry in file.infolist():
            if "/extra/" not in entry.filename or entry.file_size > LARGEST_EXTRA:
                continue
            try:
                values = json.loads(file.read(entry))
            except ValueError:
                continue
            if isinstance(values, dict):
                found |= {str(key): json.dumps(value) for key, value in values.items()}
    return {key: value.strip('"') for key, value in found.items()}
