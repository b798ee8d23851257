"""What is compared does the same work: everybody's mask is looked at first."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.models import Model
from benchmarks.photographs import SIZES, photographs, usual
from benchmarks.ports import free_ports
from benchmarks.rounds import BenchmarkError, check
from benchmarks.servers import BOUNDARY, PORTS, all_servers, form
from benchmarks.settings import ROOT

MASK = np.zeros((48, 64), dtype=np.uint8)


def test_the_same_mask_passes() -> None:
    """A few pixels may differ: int8 and f32 are not the same."""
    other = MASK.copy()
    other[0, :5] = 15
    check("litserve", other, MASK, is_proved=True)


def test_another_mask_is_found_out() -> None:
    """Whose it is and by how much."""
    other = MASK.copy()
    other[:24] = 15
    with pytest.raises(BenchmarkError, match=r"litserve gives the same class on 50\.0%"):
        check("litserve", other, MASK, is_proved=True)
    check("litserve", other, MASK, is_proved=False)  # random weights


def test_another_size_is_found_out() -> None:
    """Also where the weights are random."""
    with pytest.raises(BenchmarkError, match="litserve answers with a mask of"):
        check("litserve", MASK[:24], MASK, is_proved=False)


def test_the_photographs_have_the_announced_sizes() -> None:
    """JPEGs of 0.3, 1 and 12 megapixels, the same at each call."""
    made = photographs()
    assert [each.size for each in made] == list(SIZES.values())
    for photograph in made:
        with Image.open(io.BytesIO(photograph.jpeg)) as picture:
            assert (picture.format, picture.size) == ("JPEG", photograph.size)
    assert usual() == made[0]
    megapixels = [width * height / 1e6 for width, height in SIZES.values()]
    assert megapixels == pytest.approx([0.3, 1, 12], rel=0.05)


def test_the_form_carries_the_bytes_unchanged() -> None:
    """Between two boundaries, in the field of the drop-in endpoint."""
    body, content_type = form(b"jpeg")
    before, opened, rest = body.partition(b"\r\n\r\n")
    assert content_type == f"multipart/form-data; boundary={BOUNDARY}"
    assert before.startswith(f"--{BOUNDARY}\r\n".encode())
    assert b'name="file"' in before
    assert opened
    assert rest == f"jpeg\r\n--{BOUNDARY}--\r\n".encode()


def test_everybody_is_started_and_asked_in_their_own_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten servers on loopback, eleven targets: the product has two."""
    monkeypatch.setattr("benchmarks.servers.interpreter_of", lambda name: ROOT / name / "python")
    model = Model("bundled", "deeplabv3_efficientnet_lite0", ROOT / "w", ROOT / ".cache" / "tests")
    servers = all_servers(model, free_ports(PORTS))
    targets = [target for server in servers for target in server.targets]
    assert (len(servers), len(targets)) == (10, 11)
    assert len({target.name for target in targets}) == 11
    for target in targets:
        request = target.request(b"jpeg")
        assert request.url.startswith("http://127.0.0.1:")
        if "mlserver" in target.name:
            assert json.loads(request.body)["inputs"][0]["data"] == ["anBlZw=="]
        else:
            assert b"jpeg" in request.body
