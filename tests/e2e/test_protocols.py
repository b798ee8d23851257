"""Other programs' clients on real TorchServe: each gets the cat that the gateway's route gives."""

import base64
import io
import json
import re
import subprocess
import sys
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from huggingface_hub import InferenceClient
from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface.interface import LabelInterface
from numpy.typing import NDArray
from PIL import Image

from tests.e2e.pages import run_block
from tests.stack import ROOT, Stack

SECTION = (ROOT / "docs" / "api.md").read_text().split("## Clients of other programs\n")[1]
EXAMPLES = re.findall(r"```(python|bash)\n(.*?)```", SECTION.split("\n## ")[0], re.DOTALL)
PHOTO = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()
CAT = 8
LABEL_CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="tag" toName="image">'
    '<Label value="Cat"/><Label value="Zebra"/></BrushLabels></View>'
)


@pytest.fixture
def ids(gateway: httpx.Client) -> NDArray[np.uint8]:
    """The class ids of the photograph, as the gateway's own route gives them."""
    answer = gateway.post("/v1/segment?render=labels", content=PHOTO)
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.mark.parametrize("parameters", [{}, {"threshold": 0.1, "subtask": "semantic"}])
def test_hugging_faces_client_finds_the_cat(
    stack: Stack, ids: NDArray[np.uint8], parameters: dict[str, Any]
) -> None:
    """With the image as the body, and in JSON."""
    client = InferenceClient(model=f"{stack.gateway_url}/v1/hf/deeplabv3", token="none")
    found = {each.label: each for each in client.image_segmentation(PHOTO, **parameters)}
    assert 0.1 < float(found["cat"].score or 0) <= 1
    assert np.array_equal(np.asarray(found["cat"].mask), np.where(ids == CAT, 255, 0))


def test_tritons_client_finds_the_cat(stack: Stack, ids: NDArray[np.uint8]) -> None:
    """With binary tensors in both directions."""
    client = triton.InferenceServerClient(stack.gateway_url.removeprefix("http://"))
    image = triton.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(np.array([PHOTO], dtype=object))
    assert client.is_model_ready("deeplabv3", "1.0")
    found = client.infer("deeplabv3", [image])
    client.close()
    assert np.array_equal(found.as_numpy("mask"), ids)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(found.as_numpy("png")[0]))), ids)
    assert "cat" in [each["name"] for each in json.loads(found.as_numpy("classes")[0])]


def test_label_studio_gets_the_cat_as_a_brush_stroke(
    gateway: httpx.Client, ids: NDArray[np.uint8]
) -> None:
    """One stroke per label of its configuration that occurs; a damaged image affects no other."""
    photos = [PHOTO, PHOTO[:1000]]
    uris = [f"data:image/jpeg;base64,{base64.b64encode(each).decode()}" for each in photos]
    tasks = [{"id": number, "data": {"image": uri}} for number, uri in enumerate(uris)]
    sent = {"tasks": tasks, "label_config": LABEL_CONFIG}
    answer = gateway.post("/v1/label-studio/predict", json=sent).json()
    assert answer["model_version"] == "deeplabv3:1.0"
    good, bad = answer["results"]
    sdk: Any = LabelInterface(LABEL_CONFIG)
    assert sdk.validate_prediction(good, return_errors=True) == []
    (stroke,) = good["result"]
    pixels = decode_rle(stroke["value"]["rle"]).reshape(*ids.shape, 4)[:, :, 3]
    assert np.array_equal(pixels, np.where(ids == CAT, 255, 0))
    assert (bad["result"], "truncated" in bad["error"]) == ([], True)


@pytest.mark.parametrize(("language", "text"), EXAMPLES)
def test_the_examples_of_the_documentation_work(stack: Stack, language: str, text: str) -> None:
    """Unchanged except for the address."""
    if language == "bash":
        address = {"http://127.0.0.1:8000": stack.gateway_url, "curl ": "curl --fail --silent "}
        assert '"brushlabels":["Cat"]' in run_block(stack, text, address).stdout
        return
    script = text.replace("127.0.0.1:8000", stack.gateway_url.removeprefix("http://"))
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


def test_each_protocol_has_an_example() -> None:
    """Two in Python and one in the shell."""
    assert [language for language, _ in EXAMPLES] == ["python", "python", "bash"]
