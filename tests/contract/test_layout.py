"""The layout: no import circles, few top-level folders, and their dependencies."""

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("gateway", "agent", "ui", "scripts", "benchmarks", "handler/deeplab")
# What should be served and what may be (registry, archives), how that is changed (admin), what
# nodes report and get (agents), where a request goes (traffic), and the settings and parts of
# their state are rooms of their own.
MOST_ROOMS, MOST_ARROWS, MOST_FILES, MOST_LINES = 29, 128, 12, 250
SUBJECTS = {
    "admin",
    "registry",
    "segmentation",
    "models",
    "protocols",
    "keys",
    "operations",
    "document",
    "masks",
}
# Top-level folder or file of the gateway -> those that it may never import.
NEVER = {
    "errors": {"*"},
    "masks": {"*"},
    "rate": {"*"},
    "route_policy": {"*"},
    "state_settings": {"*"},
    "registry": (SUBJECTS - {"registry"})
    | {"admission", "http", "settings", "telemetry", "torchserve"},
    "admission": SUBJECTS | {"http", "torchserve", "telemetry"},
    "http": SUBJECTS | {"torchserve", "telemetry"},
    "torchserve": SUBJECTS | {"agents", "http", "telemetry", "traffic"},
    "telemetry": SUBJECTS | {"torchserve"},
    "openapi": SUBJECTS | {"torchserve", "telemetry"},
    "archives": (SUBJECTS - {"models"}) | {"http", "torchserve", "telemetry", "traffic"},
    # It sends a request to the node that it has chosen, by torchserve, which knows of no choice.
    "traffic": (SUBJECTS - {"registry"}) | {"agents", "http", "telemetry", "archives"},
    "agents": (SUBJECTS - {"models", "registry", "keys"})
    | {"admission", "telemetry", "torchserve"},
    "models": {"segmentation", "protocols", "keys", "admin"},
    "segmentation": {"protocols", "operations", "admin"},
    "keys": {"segmentation", "protocols", "models", "admin"},
    "admin": {"segmentation", "protocols", "operations", "document", "torchserve", "telemetry"},
}

Graph = Mapping[str, set[str]]


def modules(part: str) -> dict[str, Path]:
    """Dotted name -> file; the handler's package is called deeplab."""
    root = ROOT / part
    files = [path for path in root.rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(root.parent).with_suffix("").parts): path for path in files}


def imports(part: str) -> Graph:
    """Module -> modules of the same part that it imports, at any level."""
    known = modules(part)
    graph: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names} & known.keys()
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                graph[name] |= full & known.keys()
    return graph


def rooms(graph: Graph) -> dict[str, set[str]]:
    """Top-level folder or file of a part -> those that it imports."""
    between: dict[str, set[str]] = defaultdict(set)
    for name, imported in graph.items():
        between[_room(name)] |= {_room(each) for each in imported} - {_room(name)}
    return between


def _room(name: str) -> str:
    return name.split(".")[1]


def circles(graph: Graph) -> set[str]:
    """The nodes that can reach themselves."""
    return {start for start in graph if start in _reached(start, graph)}


def _reached(start: str, graph: Graph) -> set[str]:
    seen, ahead = set[str](), [start]
    while ahead:
        new = graph.get(ahead.pop(), set()) - seen
        seen |= new
        ahead.extend(new)
    return seen


@pytest.mark.parametrize("part", PARTS)
def test_no_file_imports_itself_by_way_of_others(part: str) -> None:
    """Files have no circular imports."""
    assert circles(imports(part)) == set()


@pytest.mark.parametrize("part", PARTS)
def test_no_folder_imports_itself_by_way_of_others(part: str) -> None:
    """Folders have no circular imports."""
    assert circles(rooms(imports(part))) == set()


def test_a_circle_is_noticed() -> None:
    """The tests above can fail."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == {"b", "c"}


def test_the_gateway_has_few_rooms_and_few_arrows() -> None:
    """The numbers of top-level folders and of imports between them are bounded."""
    between = rooms(imports("gateway"))
    assert len(between) <= MOST_ROOMS
    assert sum(map(len, between.values())) <= MOST_ARROWS


@pytest.mark.parametrize("room", NEVER)
def test_a_room_does_not_know_what_is_above_it(room: str) -> None:
    """masks/ and the errors import nothing of the gateway, http/ knows no model, and so on."""
    between = rooms(imports("gateway"))
    assert room in between, "renamed?"
    forbidden = between.keys() if "*" in NEVER[room] else NEVER[room]
    assert between[room] & forbidden == set()


def test_only_the_application_needs_the_finished_document() -> None:
    """Only its class imports document/, beside app.py, and only the two commands import app.py."""
    between = rooms(imports("gateway"))
    users = {
        room: {user for user, needed in between.items() if room in needed}
        for room in ("document", "app")
    }
    assert users == {"document": {"app", "application"}, "app": {"__main__", "export_openapi"}}


@pytest.mark.parametrize("part", PARTS)
def test_no_file_is_long(part: str) -> None:
    """A longer file has more than one subject."""
    long = {
        name: lines
        for name, path in modules(part).items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


# deeplab is a flat package: its modules travel in the archive under one name.
@pytest.mark.parametrize("part", [part for part in PARTS if part != "handler/deeplab"])
def test_no_folder_is_crowded(part: str) -> None:
    """A folder has at most twelve files."""
    folders = [folder for folder in (ROOT / part).rglob("") if folder.name != "__pycache__"]
    crowded = [folder.name for folder in folders if len([*folder.glob("*.py")]) > MOST_FILES]
    assert crowded == []


@pytest.mark.parametrize("part", PARTS)
def test_functions_are_short(part: str) -> None:
    """The median function has less than ten lines."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules(part).values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, functions)
    ]
    assert median(lengths) < 10
