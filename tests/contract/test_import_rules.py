"""The parts share data, not code; each outside system is known by one module only."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("gateway", "ui", "handler", "scripts", "benchmarks", "deploy")
# Whose code a part may import besides its own; the handler's package is called deeplab.
ALLOWED = {
    "gateway": set[str](),
    "ui": set[str](),
    "handler": {"deeplab"},
    "scripts": {"deeplab"},
    "benchmarks": {"deeplab", "scripts", "segmentation_handler"},
    "deploy": set[str](),
}
OURS = {*PARTS, "deeplab", "segmentation_handler", "tests"}
# The last one only where traces are wanted; a worker serves without it.
HANDLER_LIBRARIES = {"numpy", "PIL", "torch", "openvino", "isal", "simplejpeg", "opentelemetry"}
PIXEL_LIBRARIES = {"numpy", "shapely", *sys.stdlib_module_names} - {"os", "time", "socket", "http"}
HTTP_CLIENTS = {"requests", "aiohttp", "urllib3", "httplib2", "pycurl"}
SHAPELESS_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}


def _sources(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    """The full name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield str(node.module)


def _strings(path: Path) -> Iterator[str]:
    """Every text in a file's code, also the parts of f-strings; no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in docstrings:
            yield str(node.value)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    """gateway, ui and handler nothing of each other; scripts only the handler's pure package."""
    allowed = {part} | ALLOWED[part]
    foreign = {
        (str(path.relative_to(ROOT)), name)
        for path in _sources(part)
        for name in _imports(path)
        if name.split(".")[0] in OURS - allowed
    }
    assert foreign == set()


def test_every_part_is_looked_at() -> None:
    """A folder that moved would pass every test here."""
    assert all(_sources(part) for part in PARTS)


def test_the_handler_needs_few_libraries() -> None:
    """The archive carries none: what it imports, every worker's machine must have."""
    allowed = HANDLER_LIBRARIES | set(sys.stdlib_module_names) | {"deeplab"}
    foreign = {
        (path.name, name)
        for path in _sources("handler")
        for name in _imports(path)
        if name.split(".")[0] not in allowed
    }
    assert foreign == set()


def test_the_pure_package_knows_nothing_above_it() -> None:
    """Imports point one way; pixel code knows no HTTP and no environment."""
    forbidden = {"segmentation_handler", "os", "http", "socket", "logging", "subprocess"}
    found = {
        (path.name, name)
        for path in _sources("handler/deeplab")
        for name in _imports(path)
        if name.split(".")[0] in forbidden
    }
    assert found == set()


def test_the_gateway_decodes_no_photograph() -> None:
    """What strangers send is opened by the handler; the gateway reads the handler's masks only."""
    found = {
        (path.name, name)
        for path in _sources("gateway")
        for name in _imports(path)
        if name.split(".")[0] in {"PIL", "torch", "openvino", "cv2"}
    }
    assert found == set()


@pytest.mark.parametrize("module", _sources("gateway/masks"), ids=lambda path: path.stem)
def test_the_gateways_pixel_code_is_pure(module: Path) -> None:
    """It knows no HTTP, no clock and no environment: arrays and bytes in, values out."""
    foreign = {
        name
        for name in _imports(module)
        if name.split(".")[0] not in PIXEL_LIBRARIES and not name.startswith("gateway.masks.")
    }
    assert foreign == set()


@pytest.mark.parametrize(
    ("part", "text", "owners"),
    [
        ("gateway", "/predictions", {"inference.py"}),
        ("gateway", "customized", {"management.py"}),
        ("gateway", "/models/", {"management.py"}),
        ("scripts", "set-default", {"management.py"}),
        ("scripts", r"(?<!/v1)/models", {"management.py"}),
        ("scripts", "/v1/", {"gateway.py"}),
        ("scripts", "/segmentation", {"gateway.py"}),
        # Not even there: the generated client has them from the document.
        ("ui", "/segmentation|/readyz|/v1/", set[str]()),
    ],
)
def test_an_outside_api_is_known_by_one_module(part: str, text: str, owners: set[str]) -> None:
    """A change of TorchServe's, or of ours, is made in one place."""
    # /v1/models is a route of ours
    sources = [path for path in _sources(part) if not path.stem.startswith("routes")]
    found = {path.name for path in sources if any(re.search(text, each) for each in _strings(path))}
    assert found == owners


def test_the_page_asks_the_gateway_by_the_generated_client_alone() -> None:
    """One module of the page knows HTTP; it is the one that has its routes from the document."""
    users = {
        (path.name, name.split(".")[0])
        for part in PARTS
        for path in _sources(part)
        for name in _imports(path)
        if name.split(".")[0] == "segserve_client" or (part == "ui" and name.startswith("httpx"))
    }
    assert users == {("gateway_client.py", "httpx"), ("gateway_client.py", "segserve_client")}


def test_aiohttp_is_for_the_inference_api_alone() -> None:
    """httpx everywhere else (decision record 0027)."""
    users = {
        (str(path.relative_to(ROOT)), name.split(".")[0])
        for part in PARTS
        for path in _sources(part)
        for name in _imports(path)
        if name.split(".")[0] in HTTP_CLIENTS or name == "urllib.request"
    }
    files = ("transport", "inference", "failures")
    assert users == {(f"gateway/torchserve/{name}.py", "aiohttp") for name in files}


def test_modules_are_named_by_their_subject() -> None:
    """What belongs nowhere does not go into a drawer."""
    modules = [path for part in (*PARTS, "tests") for path in _sources(part)]
    assert [path for path in modules if path.stem in SHAPELESS_NAMES] == []


def test_no_test_replaces_real_things_by_mocks() -> None:
    """Tiny real servers, networks and files instead."""
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in _sources("tests")
        for name in _imports(path)
        if name.split(".")[0] == "mock" or name.startswith("unittest")
    }
    assert found == set()


@pytest.mark.parametrize("part", ["gateway", "ui", "handler", "scripts", "benchmarks"])
def test_every_module_says_what_it_is_for(part: str) -> None:
    """In the first sentence of its docstring."""
    silent = [
        path
        for path in _sources(part)
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []
