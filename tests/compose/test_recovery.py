"""What the deployment remembers after kills, restarts and a loss of its volumes; its end."""

import json
import time
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.archives import renumbered
from tests.compose.client import back_after, from_the_guide, segment, shell, versions
from tests.compose.commands import run
from tests.compose.stack import SERVICES, Stack

pytestmark = pytest.mark.timeout(1800)

RESTARTED_S = 60
JAVA = """
import os
from pathlib import Path
for process in Path('/proc').glob('[0-9]*'):
    command = (process / 'cmdline').read_bytes()
    if b'java' in command.split(b'\\0')[0]:
        os.kill(int(process.name), 9)
        print(process.name)
"""
# The first process of a container heeds no signal from inside, but ends with its child.
EVERYTHING = """
import os
from pathlib import Path
for process in Path('/proc').glob('[0-9]*'):
    if int(process.name) not in (1, os.getpid()):
        os.kill(int(process.name), 9)
"""


def kill(stack: Stack, *services: str) -> None:
    """Kill all that runs in these containers; return when the engine has started them again."""
    before = {service: restarts(stack, service) for service in services}
    for service in services:
        stack.call("exec", "--detach", service, "python", "-c", EVERYTHING)
    end = time.monotonic() + RESTARTED_S
    while any(restarts(stack, service) == before[service] for service in services):
        assert time.monotonic() < end, "a killed container was not started again"
        time.sleep(0.1)  # the engine is another process


def restarts(stack: Stack, service: str) -> int:
    """How often the engine started the container again."""
    return int(stack.inspect(service)["RestartCount"])


@pytest.fixture(scope="module")
def second(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A version that was added and promoted while everything ran."""
    folder = tmp_path_factory.mktemp("archives")
    first = folder / "deeplabv3-1.0.mar"
    stack.call("cp", f"serving:/app/archives/{first.name}", str(first))
    archive = renumbered(first, folder / "deeplabv3-2.0.mar", "2.0")
    start = time.monotonic()
    versions(stack, "add", str(archive))
    stack.figures["add a version"] = f"{time.monotonic() - start:.1f} s"
    named = segment(stack, version="2.0")
    assert (named.status_code, named.headers["x-model-version"]) == (200, "2.0")
    assert segment(stack).headers["x-model-version"] == "1.0"
    versions(stack, "promote", "2.0", "--force", "--why", "a test")
    back_after_promotion(stack)
    return "2.0"


def back_after_promotion(stack: Stack) -> None:
    """Wait until the gateway follows, 2 seconds at most."""
    end = time.monotonic() + 2
    while segment(stack).headers["x-model-version"] != "2.0":
        assert time.monotonic() < end


def test_a_killed_server_comes_back(stack: Stack, second: str) -> None:
    """The agent starts Java again with what it had, and images are segmented again."""
    assert len(stack.python("serving", JAVA).split()) == 1
    first = segment(stack)
    assert first.status_code == 503, first.text
    stack.figures["answers after a kill of Java"] = f"{back_after(stack, second):.1f} s"


@pytest.mark.parametrize("services", [("serving",), ("gateway",), SERVICES], ids="+".join)
def test_a_version_survives_a_kill(stack: Stack, second: str, services: tuple[str, ...]) -> None:
    """Of a container with all that runs in it, and of all at once; the first one is there too."""
    kill(stack, *services)
    took = back_after(stack, second)
    stack.figures[f"answers after a kill of {'+'.join(services)}"] = f"{took:.1f} s"
    back_after(stack, "1.0", version="1.0")


def test_a_version_survives_a_restart_of_the_gateway(stack: Stack, second: str) -> None:
    """The history as well."""
    before = json.loads(versions(stack, "history", "--json"))
    stack.call("restart", "gateway", timeout_s=120)
    back_after(stack, second)
    assert json.loads(versions(stack, "history", "--json")) == before


def test_a_version_survives_the_removal_of_the_containers(stack: Stack, second: str) -> None:
    """`docker compose down` keeps the volumes."""
    stack.call("down", timeout_s=120)
    stack.up("up again")
    back_after(stack, second)
    back_after(stack, "1.0", version="1.0")


def test_a_backup_brings_a_version_back(stack: Stack, second: str, tmp_path: Path) -> None:
    """By the commands of the guide, after the volumes were lost."""
    shell(stack, from_the_guide("sh", ">registry.backup"), tmp_path)
    stack.call("down", "--volumes", timeout_s=120)
    stack.up("up with nothing")
    assert segment(stack).headers["x-model-version"] == "1.0"
    assert segment(stack, version=second).status_code == 404
    shell(stack, from_the_guide("sh", "tar --extract"), tmp_path)
    versions(stack, "scale", second, "2")  # waits until the node has it
    response = segment(stack, version=second)
    assert response.status_code == 200, response.text
    assert segment(stack).headers["x-model-version"] == second


def test_a_second_node_serves_while_the_first_is_down(
    stack: Stack, second: str, tmp_path: Path
) -> None:
    """By the file of the guide: it gets all versions from the gateway."""
    override = tmp_path / "docker-compose.override.yml"
    text = from_the_guide("yaml", "extends")
    override.write_text(text.replace("file: docker-compose.yml", f"file: {stack.file}"))
    both = ("--file", str(stack.file), "--file", str(override))
    try:
        stack.call(*both, "up", "--detach", "--wait", "serving-2", timeout_s=300)
        nodes = json.loads(versions(stack, "nodes", "--json"))
        assert {each["name"] for each in nodes if each["fresh"]} == {
            "serving",
            "serving-2",
        }
        stack.call("stop", "serving", timeout_s=120)
        took = back_after(stack, second)
        stack.figures["answers after the stop of a node of two"] = f"{took:.1f} s"
        assert segment(stack, version="1.0").status_code == 200
    finally:
        stack.call(*both, "rm", "--stop", "--force", "serving-2")
        run(["docker", "volume", "rm", f"{stack.project}_agent-2"], timeout_s=30)
        run(["docker", "image", "rm", f"{stack.project}-serving-2"], timeout_s=30)
        stack.up("up after the stop of a node")


def test_the_registry_moves_to_postgresql(stack: Stack, second: str, tmp_path: Path) -> None:
    """By the commands of the guide; images are segmented while the database is away."""
    with postgres.running() as server:
        url = server.create_database()
        folder = Path(url.partition("host=")[2])
        folder.chmod(0o711)  # the container's user reaches the socket in it
        override = tmp_path / "docker-compose.override.yml"
        override.write_text(
            f"services: {{gateway: {{volumes: ['{folder}:{folder}'], environment: "
            f"{{SEGSERVE_GATEWAY_DATABASE_URL: '{url}'}}}}}}"
        )
        both = ("--file", str(stack.file), "--file", str(override))
        shell(stack, from_the_guide("sh", ">registry.backup"), tmp_path)
        shell(stack, from_the_guide("sh", "run --rm"), tmp_path, *both)
        back_after(stack, second)
        with psycopg.connect(url) as connection:
            newest = connection.execute("SELECT action FROM audit ORDER BY id DESC").fetchone()
        assert newest == ("restore",)
        server.stop()
        time.sleep(2)
        assert segment(stack).headers["x-model-version"] == second
        server.start()
        versions(stack, "alias", "moved", second)
        assert segment(stack, version="moved").headers["x-model-version"] == second
    stack.up("up with SQLite again")
    back_after(stack, second)
    assert segment(stack, version="moved").status_code == 404


def test_a_version_that_was_removed_is_gone(stack: Stack, second: str) -> None:
    """After a restart as well."""
    versions(stack, "rollback", "--why", "a test")
    versions(stack, "remove", second)
    stack.call("restart", "gateway", timeout_s=120)
    back_after(stack, "1.0")
    assert segment(stack, version=second).status_code == 404


def test_stopping_is_clean_and_nothing_stays(stack: Stack) -> None:
    """Every process heeds SIGTERM (none is killed after the grace period); down removes all."""
    stack.measure("stop", "stop", timeout_s=120)
    codes = {service: stack.inspect(service)["State"]["ExitCode"] for service in SERVICES}
    assert 137 not in codes.values(), codes
    stack.down()
    assert stack.leftovers() == []
