"""Files of PyTorch that could do harm are refused before they are loaded."""

import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from scripts.networks.checkpoints import CheckpointError
from scripts.networks.facts import ReadOptions
from scripts.readers.graphs.formats import GraphError, Source
from scripts.readers.graphs.running import RunningGraph
from scripts.readers.graphs.unsafe import check_program
from scripts.readers.ready_graphs import read
from tests.unit.scripts.readers.graph_files import TinyGraph, write_program


def rewritten(source: Path, target: Path, part: str, old: bytes, new: bytes) -> int:
    """Copy a zip file, with replacements in the entries that end in ``part``; their number."""
    replaced = 0
    with zipfile.ZipFile(source) as file, zipfile.ZipFile(target, "w") as copy:
        for name in file.namelist():
            content = file.read(name)
            if name.endswith(part):
                replaced += content.count(old)
                content = content.replace(old, new)
            copy.writestr(name, content)
    return replaced


class ReadsFiles(nn.Module):
    """TorchScript that maps a file into memory."""

    def forward(self, image: Tensor) -> Tensor:
        return image + torch.from_file("/etc/hostname", False, 1)


@pytest.mark.slow
def test_torchscript_that_reaches_files_is_refused(tmp_path: Path) -> None:
    """Its code is looked at before it is loaded."""
    torch.jit.script(ReadsFiles()).save(str(tmp_path / "net.pt"))  # type: ignore[no-untyped-call]  # torch has no types here
    with pytest.raises(CheckpointError, match=r"calls .*from_file, which reaches files"):
        read(tmp_path / "net.pt", ReadOptions())


class Hangs(nn.Module):
    """TorchScript without an end."""

    def forward(self, image: Tensor) -> Tensor:
        while bool(image.isfinite().all()):
            image = image * 1.0
        return image


@pytest.mark.slow
def test_torchscript_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """It runs in a process of its own, which is ended."""
    path = tmp_path / "net.pt"
    torch.jit.script(Hangs()).save(str(path))  # type: ignore[no-untyped-call]  # as above
    with pytest.raises(GraphError, match="was not loaded within 15 seconds"):
        RunningGraph(Source("torchscript", path, (path,)), load_s=15)


@pytest.mark.slow
def test_a_formula_that_is_code_is_never_evaluated(tmp_path: Path) -> None:
    """SymPy would run it as Python."""
    write_program(TinyGraph("logits"), tmp_path / "net.pt2")
    touched = tmp_path / "touched"
    code = json.dumps(f"open('{touched}', 'w')").encode()[1:-1]
    with zipfile.ZipFile(tmp_path / "net.pt2") as file:
        (graph,) = (file.read(name) for name in file.namelist() if name.endswith("/model.json"))
    symbol = json.loads(graph)["graph_module"]["graph"]["tensor_values"]["image"]["sizes"][2]
    expression = symbol["as_expr"]["expr_str"].encode()
    evil = tmp_path / "evil.pt2"
    assert rewritten(tmp_path / "net.pt2", evil, "/model.json", expression, code)
    with pytest.raises(CheckpointError, match='a size in it is no formula of sizes: "open'):
        read(evil, ReadOptions())
    assert not touched.exists()


@pytest.mark.parametrize(
    "formula",
    [
        "eval(s0)",
        "s0.__class__",
        "__import__('os')",
        "getattr(s0, s1)",
        "s0; s1",
        "[s0]",
        "9**9" * 999,
    ],
)
def test_formulas_that_are_more_than_sizes(tmp_path: Path, formula: str) -> None:
    """Names of Python's functions, attributes, texts and lists."""
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/models/model.json", json.dumps({"sizes": [{"expr_str": formula}]}))
    with pytest.raises(GraphError, match="no formula of sizes"):
        check_program(path)


@pytest.mark.parametrize(
    "formula",
    [
        "Symbol('s53', positive=True, integer=True)",
        "Mul(Integer(3), Symbol('s0', positive=True, integer=True), Pow(Integer(2), Integer(-1)))",
        "FloorDiv(s0 - 1, 4) + 1",
        "Max(1, s0)",
    ],
)
def test_formulas_of_sizes_are_allowed(tmp_path: Path, formula: str) -> None:
    """As torch writes them."""
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/models/model.json", json.dumps({"sizes": [{"expr_str": formula}]}))
    check_program(path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("net/data/constants/opaque_obj_0", b"")
    with pytest.raises(GraphError, match="pickled objects"):
        check_program(path)
