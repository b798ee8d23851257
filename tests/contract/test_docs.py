"""The documentation agrees with the code: commands, settings, routes, links."""

import dataclasses
import json
import re
from dataclasses import MISSING
from pathlib import Path

import click
import pytest
from pydantic_settings import BaseSettings

from agent.settings import PREFIX as AGENT
from agent.settings import Settings as AgentSettings
from deeplab.formats import FORMAT_NAMES
from gateway.settings import Settings as GatewaySettings
from scripts.cli.options import variable_of
from scripts.launch.settings import Settings as ServeSettings
from tests.unit.scripts.commands import contexts, options_of
from ui.settings import Settings as UiSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
FOLDERS_WITH_PAGES = (".github", "docs", "deploy", "model_store", "ui")
# Our own pages: the top level and the folders with documentation.
PAGES = sorted(
    path
    for pattern in ("*.md", *(f"{folder}/**/*.md" for folder in FOLDERS_WITH_PAGES))
    for path in ROOT.glob(pattern)
)
# Pages about the past may name files and commands that are gone.
HISTORY = (ROOT / "CHANGELOG.md", *(ROOT / "docs" / "decisions").glob("*.md"))
ROW = re.compile(r"^\| (.+?) \|(.*)\|$", re.MULTILINE)
# Paths of one machine, and unfinished work.
PRIVATE = re.compile(rf"{re.escape(str(ROOT))}|/(?:home|root|mnt|opt|srv|tmp)/\w|\bTODO\b")
# Hosts that a page may link to; no package registry, which each machine chooses.
HOSTS = {"127.0.0.1", "keepachangelog.com", "semver.org", "flic.kr"}
# Containers, and the machines of an example.
HOSTS |= {"gateway", "serving", "serving-2", "10.0.0.1", "10.0.0.2"}
FOLDERS = "agent|benchmarks|deploy|docs|gateway|handler|model_store|scripts|tests|ui"


def name_of(path: Path) -> str:
    """A page's path below the root, as the id of its test."""
    return str(path.relative_to(ROOT))


def settings_rows() -> dict[str, str]:
    """Variable -> the rest of its row in docs/settings.md."""
    rows = ROW.findall((ROOT / "docs" / "settings.md").read_text())
    return {variable.strip("`"): rest for variable, rest in rows}


def fields_of(*parts: type[BaseSettings]) -> list[tuple[str, object]]:
    """(variable, default) of every field; None for a default that is computed or a path."""
    return [
        (f"{part.model_config['env_prefix']}{name.upper()}", _plain(field.default))
        for part in parts
        for name, field in part.model_fields.items()
    ]


def fields_of_the_agent() -> list[tuple[str, object]]:
    """(variable, default) of every field of the agent, which has no pydantic."""
    return [
        (f"{AGENT}{each.name.upper()}", None if each.default is MISSING else _shown(each.default))
        for each in dataclasses.fields(AgentSettings)
    ]


def _shown(default: object) -> str | None:
    """As `_plain`; addresses are separated by commas, and an empty text is computed."""
    if isinstance(default, tuple):
        return ",".join(map(str, default)) or None
    return _plain(default) or None


def _plain(default: object) -> str | None:
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else _as_text(default)


def _as_text(default: object) -> str | None:
    return str(default) if isinstance(default, str | int) else None


FIELDS = [*fields_of(ServeSettings, GatewaySettings, UiSettings), *fields_of_the_agent()]


@pytest.mark.parametrize("command", ["make run", "make test", "curl -F file=@"])
def test_the_first_screen_shows_how_to_begin(command: str) -> None:
    """The first screen of the README has the two commands and a request."""
    assert command in "\n".join(README.splitlines()[:60])


def test_contributing_and_makefile_name_the_same_targets() -> None:
    """CONTRIBUTING has exactly the documented targets of the Makefile."""
    existing = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)`", (ROOT / "CONTRIBUTING.md").read_text()))
    assert existing == named


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_names_only_targets_that_exist(page: Path) -> None:
    """Every `make` target in a page exists."""
    existing = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)", page.read_text())) <= existing


@pytest.mark.parametrize(("variable", "default"), FIELDS)
def test_every_setting_is_documented(variable: str, default: str | None) -> None:
    """Every setting has a row with its default and a sentence."""
    cells = settings_rows()[variable].split("|")
    assert default is None or cells[0].strip() == f"`{default}`"
    assert len(cells[1].split()) > 2


def test_no_setting_is_documented_that_does_not_exist() -> None:
    """Every SEGSERVE_ variable in the table is read by the code."""
    code = "".join(
        path.read_text()
        for folder in ("handler", "scripts", "tests/browser")
        for path in (ROOT / folder).rglob("*.py")
    )
    fields = {name for name, _ in FIELDS}
    fields |= {variable for ctx in contexts() for variable, _ in flags_of(ctx)}
    documented = {name for name in settings_rows() if name.startswith("SEGSERVE_")}
    assert {name for name in documented - fields if f'"{name}"' not in code} == set()


def test_every_variable_of_the_containers_is_documented() -> None:
    """Every variable of docker-compose.yml has a row in deploy/README.md."""
    compose = (ROOT / "docker-compose.yml").read_text()
    given = set(re.findall(r"\$\{([A-Z_]+)", compose))
    passed_on = set(re.findall(r"^ +(SEGSERVE_[A-Z_]+):$", compose, re.MULTILINE))
    text = (ROOT / "deploy" / "README.md").read_text()
    assert {name for name in given | passed_on if f"`{name}`" not in text} == set()


def flags_of(ctx: click.Context) -> list[tuple[str, click.Option]]:
    """(variable, option) of every flag of a command but --help."""
    return [(variable_of(each, ctx), each) for each in options_of(ctx) if each.name != "help"]


@pytest.mark.parametrize("ctx", list(contexts()), ids=lambda ctx: ctx.command_path)
def test_every_flag_is_documented(ctx: click.Context) -> None:
    """A row with its variable, its default and a sentence; those of `serve` are settings."""
    rows = settings_rows()
    for variable, flag in flags_of(ctx):
        default, sentence, *_ = rows[variable].split("|")
        assert len(sentence.split()) > 2, variable
        if isinstance(flag.default, str | int) and flag.name not in ServeSettings.model_fields:
            assert default.strip() == f"`{str(flag.default).lower()}`", variable


@pytest.mark.parametrize("name", ["MODEL", "WEIGHTS", "LABELS", "DEVICE", "VERSION", "PRECISION"])
def test_the_former_names_are_documented(name: str) -> None:
    """They still work."""
    assert f"`{name}`" in (ROOT / "docs" / "settings.md").read_text()


def test_every_route_is_documented() -> None:
    """docs/api.md lists exactly the operations of the OpenAPI document."""
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    existing = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    }
    page = (ROOT / "docs" / "api.md").read_text()
    assert set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", page, re.MULTILINE)) == existing


def test_every_error_code_is_documented() -> None:
    """docs/api.md has exactly the gateway's errors, with status and code."""
    source = (ROOT / "gateway" / "errors.py").read_text()
    existing = set(re.findall(r'status, code, title = (\d+), "(\w+)"', source))
    page = (ROOT / "docs" / "api.md").read_text()
    assert set(re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE)) == existing


def test_the_image_formats_are_documented() -> None:
    """docs/api.md lists the formats that the handler accepts, in the order of its table."""
    page = (ROOT / "docs" / "api.md").read_text()
    listed = re.findall(r"^\| formats \| ([\w, ]+);", page, re.MULTILINE)
    assert listed == [", ".join(FORMAT_NAMES)]


def test_every_decision_is_in_the_index() -> None:
    """Decisions are numbered without gaps, have the four parts, and are in the index."""
    folder = ROOT / "docs" / "decisions"
    decisions = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    index = (folder / "README.md").read_text()
    assert [path.name[:4] for path in decisions] == [
        f"{number:04d}" for number in range(1, len(decisions) + 1)
    ]
    for path in decisions:
        assert f"({path.name})" in index
        for part in ("Context", "Decision", "Consequences", "Alternatives"):
            assert f"\n## {part}\n" in path.read_text(), (path.name, part)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names an existing file or folder."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    relative = [target.split("#")[0] for target in targets if "://" not in target]
    assert [target for target in relative if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in HISTORY], ids=name_of)
def test_named_files_exist(page: Path) -> None:
    """Every source file or module that a page names exists; decision records are exempt."""
    text = page.read_text()
    files = re.findall(rf"`((?:{FOLDERS})/[\w./-]+\.(?:py|yaml|json|md|txt))`", text)
    modules = re.findall(rf"python -m ((?:{FOLDERS})[\w.]*)", text)
    files += [_source_of(module) for module in modules]
    assert [name for name in files if not (ROOT / name).exists()] == []


def _source_of(module: str) -> str:
    path = module.rstrip(".").replace(".", "/")
    return f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_for_every_reader(page: Path) -> None:
    """A page has no path of one machine, no foreign host and no unfinished work."""
    text = page.read_text()
    assert PRIVATE.findall(text) == []
    assert set(re.findall(r"https?://([^\s/:)>`]+)", text)) <= HOSTS


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_the_licence_is_there(name: str) -> None:
    """The licence is Apache-2.0, as in the project's metadata."""
    assert "Apache License" in (ROOT / name).read_text()
