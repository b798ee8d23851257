"""The child process that runs a trusted pickle: loads a network and exports its graph.

A script by itself: ``python -P whole_module.py ROOT FILE OUTPUT KIND FOLDER...``, KIND
"program" or "any". It imports our
package only to prepare torchvision, and forgets it, so that the user's modules of any name win.
"""

import json
import resource
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

SIZE, OTHER_SIZE = (256, 320), (192, 288)  # height, width; multiples of 32, as many networks need
GIB = 1 << 30
LIMITS = (
    (resource.RLIMIT_CPU, 900),  # seconds
    (resource.RLIMIT_FSIZE, 8 * GIB),
    (resource.RLIMIT_CORE, 0),
)
OUTPUTS = ("out", "logits", "pred", "masks")
CONNECTIONS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto")


class UnfitError(ValueError):
    """The file holds no network that can be served; the text says why."""


class OneOutput(nn.Module):
    """A network whose output is one tensor of logits."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, classes, h, w) float32. Raises UnfitError."""
        output = _map_in(self.network(image))
        if output is None:
            raise UnfitError("its output is no (N, classes, height, width)")
        return output


def _map_in(output: Any) -> Tensor | None:
    """The first map of classes in an output."""
    if isinstance(output, Tensor):
        return output if output.ndim == 4 else None
    if isinstance(output, Mapping):
        named = [output[name] for name in OUTPUTS if name in output]
        return next(filter(_is_map, map(_map_in, [*named, *output.values()])), None)
    if isinstance(output, (list, tuple)):
        return next(filter(_is_map, map(_map_in, output)), None)
    return _map_in(output.logits) if hasattr(output, "logits") else None


def _is_map(value: object) -> bool:
    return value is not None


def module_in(value: Any) -> nn.Module:
    """The network in what was unpickled, a moving average before others. Raises UnfitError."""
    if isinstance(value, nn.Module):
        inner = getattr(value, "module", getattr(value, "_orig_mod", None))
        return module_in(inner) if isinstance(inner, nn.Module) else value
    if isinstance(value, Mapping):
        networks = {str(key): each for key, each in value.items() if isinstance(each, nn.Module)}
        by_rank = sorted(
            networks, key=lambda key: ("ema" not in key, "loss" in key or "crit" in key)
        )
        if by_rank:
            return module_in(networks[by_rank[0]])
    raise UnfitError("there is no network in it")


def hand_back(network: nn.Module, folder: Path, *, as_program: bool) -> dict[str, object]:
    """Write state.pth for torchvision's own network, else network.pt2; returns its facts."""
    if as_program or not _is_torchvisions(network):
        return export(network, folder)
    torch.save(network.state_dict(), folder / "state.pth")
    return {"state": True}


def _is_torchvisions(network: nn.Module) -> bool:
    home = "torchvision.models.segmentation."
    parts = (type(module).__module__ for module in network.modules())
    known = all(part.startswith(("torch.", "torchvision.")) for part in parts)
    return known and type(network).__module__.startswith(home)


def export(network: nn.Module, folder: Path) -> dict[str, object]:
    """Write network.pt2 for any size; returns its facts. Raises what exporting raises."""
    whole = OneOutput(network).float().eval()
    example = torch.rand(2, 3, *SIZE)
    auto = torch.export.Dim.AUTO
    with torch.inference_mode():
        output = whole(example)
    with torch.no_grad():
        shapes = ({0: auto, 2: auto, 3: auto},)
        program = torch.export.export(whole, (example,), dynamic_shapes=shapes)
        _check(program, whole)
    torch.export.save(program, folder / "network.pt2")
    return {
        "class": type(network).__name__,
        "outputs": output.shape[1],
        "gives_probabilities": _last_operation(program) in ("sigmoid", "softmax", "_softmax"),
    }


def _check(program: Any, whole: nn.Module) -> None:
    """Raise UnfitError if the program is not the network at another size too."""
    image = torch.rand(1, 3, *OTHER_SIZE)
    given, wanted = program.module(check_guards=False)(image), whole(image)
    if given.shape != wanted.shape or not torch.allclose(given, wanted, atol=1e-3, rtol=1e-3):
        raise UnfitError("it gives other masks once it is exported")


def _last_operation(program: Any) -> str:
    (output,) = (node for node in program.graph.nodes if node.op == "output")
    (last,) = output.args[0]
    return str(getattr(last.target, "__name__", last.target)).split(".")[0]


def _refuse_connections(event: str, _arguments: object) -> None:
    if event in CONNECTIONS:
        raise PermissionError("a pickled network gets no connection")


def _prepare_torchvision(root: str) -> None:
    sys.path[:0] = [root, f"{root}/handler"]
    from scripts.networks.torchvision_weights import prepare

    prepare()
    del sys.path[:2]
    for name in [name for name in sys.modules if name.split(".")[0] in ("scripts", "deeplab")]:
        _KEPT.append(sys.modules.pop(name))


_KEPT: list[object] = []  # torch forgets declarations with the module that made them


def main(root: str, file: str, output: str, as_program: str, *folders: str) -> NoReturn:
    """Export the network in ``file``; report facts, or an error, in facts.json."""
    warnings.simplefilter("ignore")
    for limit, most in LIMITS:
        resource.setrlimit(limit, (most, most))
    _prepare_torchvision(root)
    sys.path[:0] = folders
    sys.addaudithook(_refuse_connections)
    try:
        value = torch.load(file, map_location="cpu", weights_only=False)
        facts = hand_back(module_in(value), Path(output), as_program=as_program == "program")
    except BaseException as exc:  # noqa: BLE001 - the user's code may raise anything
        words = " ".join(str(exc).split())[:200]
        facts = {"error": f"{type(exc).__name__}: {words}" if words else type(exc).__name__}
    (Path(output) / "facts.json").write_text(json.dumps(facts))
    sys.exit("error" in facts)


if __name__ == "__main__":
    main(*sys.argv[1:])
