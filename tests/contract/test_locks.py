"""The locks: whole, of the pinned versions, and used by CI and the containers."""

import importlib.metadata
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "deploy" / "requirements"
LOCKED = REQUIREMENTS / "locked"
PARTS = sorted(path.stem for path in REQUIREMENTS.glob("*.txt") if path.stem != "constraints")
# Installed together; the others have environments of their own, which this one knows nothing of.
TOGETHER = ["export", "serving", "gateway", "ui", "client", "train", "bench", "test"]
APART = {"torch", "torchvision"}


def _wanted(part: str) -> Iterator[Requirement]:
    """The requirements of a part, with those of the parts that it includes."""
    for line in (REQUIREMENTS / f"{part}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            yield from _wanted(line.removeprefix("-r ").removesuffix(".txt"))
        elif re.match(r"\w", line):
            yield Requirement(line)


def _pins(path: Path) -> dict[str, Requirement]:
    """Name -> what constraints.txt or a lock says of it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"\w", line)]
    return {canonicalize_name(each.name): each for each in found}


def _left_out() -> set[str]:
    """What the locks leave out: torch, torchvision and what their builds for a GPU bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return APART | set(project["tool"]["uv"]["exclude-dependencies"])


def test_each_part_has_a_lock() -> None:
    """No file of requirements without one, and no lock without its file."""
    assert sorted(path.stem for path in LOCKED.iterdir()) == PARTS


@pytest.mark.parametrize("part", PARTS)
def test_every_package_of_a_lock_has_hashes(part: str) -> None:
    """One version each, with the SHA-256 of its files, and nothing that differs between indexes."""
    text = (LOCKED / f"{part}.txt").read_text(encoding="utf-8")
    for block in re.split(r"\n(?=\w)", text.partition("make lock\n")[2]):
        assert re.match(r"[a-z0-9-]+==\S+( ; .+)? \\\n", block), block
        hashes = block.rstrip().splitlines()[1:]
        assert hashes, block
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)
    assert not [name for name in _pins(LOCKED / f"{part}.txt") if name in _left_out()]
    assert not re.search(r"^(nvidia|cuda)", text, re.MULTILINE)


@pytest.mark.parametrize("part", PARTS)
def test_a_lock_has_what_its_part_names(part: str) -> None:
    """In the same version: `make lock` was run after the last change of a pin."""
    pins = _pins(LOCKED / f"{part}.txt")
    for wanted in _wanted(part):
        name = canonicalize_name(wanted.name)
        assert name in APART or pins[name].specifier == wanted.specifier, wanted


@pytest.mark.parametrize("part", [*TOGETHER, "fuzz"])
def test_locks_and_constraints_name_the_same_versions(part: str) -> None:
    """What is installed by hashes is what is installed by version."""
    constraints = _pins(REQUIREMENTS / "constraints.txt")
    for name, pin in _pins(LOCKED / f"{part}.txt").items():
        assert constraints[name].specifier == pin.specifier, name
    for wanted in _wanted(part):
        assert constraints[canonicalize_name(wanted.name)].specifier == wanted.specifier


@pytest.mark.parametrize("part", TOGETHER)
def test_a_lock_is_whole(part: str) -> None:
    """It has whatever its packages need here, so that pip fetches nothing else."""
    known = _pins(LOCKED / f"{part}.txt").keys() | _left_out()
    to_see = [(canonicalize_name(each.name), frozenset(each.extras)) for each in _wanted(part)]
    seen = set(to_see)
    assert len(to_see) > 1
    while to_see:
        name, extras = to_see.pop()
        assert name in known, name
        if name in _left_out() - APART:
            continue
        for line in importlib.metadata.requires(name) or []:
            need = Requirement(line)
            environments = [{"extra": extra} for extra in (extras or {""})]
            if need.marker is None or any(need.marker.evaluate(each) for each in environments):
                found = (canonicalize_name(need.name), frozenset(need.extras))
                to_see += [found] if found not in seen else []
                seen.add(found)


def _commands(*arguments: str) -> list[str]:
    """The shell commands with which make installs, a line each."""
    make = ["make", "--dry-run", "--always-make", *arguments]
    apart = ("label-studio", "formats", "object-store", "generators")
    targets = ["test", *(f"test-{each}" for each in apart), "fuzz"]
    done = subprocess.run(
        [*make, *targets], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    lines = done.stdout.replace("\\\n", " ").splitlines()
    return [line for line in lines if "pip install" in line]


def test_with_hashes_make_installs_from_the_locks() -> None:
    """A file without hashes is only read after its part's lock, for torch and torchvision."""
    commands = _commands("HASHES=1")
    seen = set()
    for command in commands:
        first, _, second = command.partition("&&")
        locked = re.findall(r"-r deploy/requirements/locked/([\w-]+)\.txt", first)
        assert locked or "--no-deps --no-build-isolation" in command, command
        assert "-r deploy/requirements/" not in first.replace("requirements/locked/", "")
        assert set(re.findall(r"-r deploy/requirements/([\w-]+)\.txt", second)) <= set(locked)
        seen |= set(locked)
    assert seen == set(PARTS) - {"compose", "tools"}


def test_without_hashes_make_takes_any_index() -> None:
    """`make run` works with a mirror that builds its packages itself."""
    commands = _commands("HASHES=")
    assert len(commands) > len(TOGETHER) // 2
    assert not [command for command in commands if "locked/" in command]


def test_ci_installs_by_hashes() -> None:
    """`.ci/run` sets what the Makefile looks for before it calls make."""
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert -1 < text.find("export HASHES=1\n") < text.find("make test")


def test_the_containers_install_by_hashes() -> None:
    """Each file without hashes is only read after its part's lock, and only for torch."""
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install (.*?)(?: \\)?\n", text)
    locked = re.findall(r"pip install \$LOCKED -r /requirements/locked/(\w+)\.txt", text)
    assert sorted(locked) == ["client", "export", "gateway", "serving", "ui"]
    others = [each for each in installs if not each.startswith("$LOCKED ")]
    assert others == [
        "-r /requirements/serving.txt",
        "-r /requirements/export.txt",
        "--no-deps --no-build-isolation --target installed ./generated",
    ]
    assert "--require-hashes" in re.findall(r'^ENV LOCKED="(.+)"$', text, re.MULTILINE)[0]


def test_the_base_image_is_pinned_by_its_digest() -> None:
    """One base image for all stages; SEGSERVE_BASE_IMAGE names another one."""
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG SEGSERVE_BASE_IMAGE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    stages = re.findall(r"^FROM (\S+) AS ([\w-]+)$", text, re.MULTILINE)
    assert {base for base, _ in stages} - {name for _, name in stages} == {"${SEGSERVE_BASE_IMAGE}"}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    for service in compose["services"].values():
        # Without a value: unset, the Dockerfile's own default holds.
        args = service["build"]["args"]
        assert "SEGSERVE_BASE_IMAGE" in args
        assert isinstance(args, list) or args["SEGSERVE_BASE_IMAGE"] is None


def test_the_clients_generators_are_locked() -> None:
    """npm's packages too have their versions and hashes, and run no program when installed."""
    folder = ROOT / "tests" / "generators"
    lock = yaml.safe_load((folder / "package-lock.json").read_text(encoding="utf-8"))
    wanted = yaml.safe_load((folder / "package.json").read_text(encoding="utf-8"))
    packages = lock["packages"]
    assert packages.pop("")["dependencies"] == wanted["dependencies"]
    assert packages
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert "npm ci" in (ROOT / "Makefile").read_text(encoding="utf-8")
