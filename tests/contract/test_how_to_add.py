"""The diffs of CONTRIBUTING.md, applied: one product file is all that each addition needs."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PARTS = ("gateway", "handler", "ui", "tests")
DIFFS = dict(
    re.findall(
        r"^\*\*(A palette|An output form of the mask|An image format)\.?\*\*.*?^```diff\n(.*?)^```",
        (ROOT / "CONTRIBUTING.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
)
PALETTE = """
import asyncio, json
from tests.unit.gateway.doubles import TorchServeDouble, application, client, send
from ui.classes import colour_of
document = json.dumps(application(TorchServeDouble()).openapi())

async def ask():
    async with client(TorchServeDouble()) as gateway:
        labels = (await gateway.get("/v1/models/deeplabv3/labels")).json()["labels"]
        image = await gateway.post("/v1/segment?palette=grey", content=b"a photo")
        return labels[1]["colours"]["grey"], image.status_code, image.content[41:47].hex()

print(json.dumps([document.count('"grey"') > 2, *asyncio.run(ask())]))
"""
RENDER = """
import asyncio, io, json
from PIL import Image
from tests.unit.gateway.doubles import TorchServeDouble, application, client
document = json.dumps(application(TorchServeDouble()).openapi())

async def ask():
    async with client(TorchServeDouble()) as gateway:
        answer = await gateway.post("/v1/segment?render=presence", content=b"a photo")
        return Image.open(io.BytesIO(answer.content)).getcolors()

print(json.dumps(["`presence`, white where anything is" in document, asyncio.run(ask())]))
"""
FORMAT = """
import io, json
from PIL import Image
from deeplab.decode import decode
from deeplab.formats import FORMAT_LIST
from gateway.openapi.image_formats import listed
from ui.imaging.formats import EXTENSIONS
from ui.imaging.preview import decode_upright
data = io.BytesIO()
Image.new("RGB", (4, 3), "red").save(data, "QOI")
sizes = [decode(data.getvalue(), 4).size, decode_upright(data.getvalue(), 4, 100).size]
print(json.dumps(["QOI" in FORMAT_LIST, "QOI" in listed("and"), EXTENSIONS["QOI"], *sizes]))
"""
CASES = {
    "A palette": (PALETTE, [True, "#0f0f0f", 200, "000000010101"]),
    "An output form of the mask": (RENDER, [True, [[9, 0], [3, 255]]]),
    "An image format": (FORMAT, [True, True, ["qoi"], [4, 3], [4, 3]]),
}


@pytest.mark.parametrize("addition", CASES)
def test_one_product_file_is_all_that_an_addition_needs(addition: str, tmp_path: Path) -> None:
    """Its diff changes one file, applies as it is printed, and what it adds works everywhere."""
    program, expected = CASES[addition]
    diff = DIFFS[addition]
    assert len(set(re.findall(r"^\+\+\+ b/(.*)$", diff, re.MULTILINE))) == 1
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, text=True, check=True)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{tmp_path / 'handler'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == expected
