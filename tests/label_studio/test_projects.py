"""Ordinary projects of a real Label Studio are pre-annotated by the real product."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.e2e.gateways import second_gateway
from tests.label_studio.projects import Project, labels_of, new_project, pixels_of, regions_of
from tests.label_studio.server import LEGACY_KEY, PASSWORD, USER, Server
from tests.memory_use import MIB, gateway, workers
from tests.stack import ROOT, Stack

# Label Studio alone needs a minute to start, and longer on a busy machine.
pytestmark = pytest.mark.timeout(900)

EXAMPLES = ROOT / "ui" / "examples"
CAT_PHOTO = (EXAMPLES / "cat.jpg").read_bytes()
PERSON_PHOTO = (EXAMPLES / "astronaut.jpg").read_bytes()
CAT = 8
MANY = 500
# Whether a canvas has many pixels of the label's colour: the brush.
BRUSHED = """colour => [...document.querySelectorAll("canvas")].some(canvas => {
  if (!canvas.width || !canvas.height) return false;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let found = 0;
  for (let i = 0; i < pixels.length; i += 4)
    if (pixels[i + 3] && colour.every((value, c) => Math.abs(pixels[i + c] - value) < 12)) found++;
  return found > 10000;
})"""
# The upload budget is 64 MiB; measured were 35 for the gateway and 90 for a worker.
MOST_GATEWAY = 100 * MIB
MOST_WORKER = 250 * MIB


@pytest.fixture
def ids(stack: Stack) -> NDArray[np.uint8]:
    """The class ids of the photograph of a cat, as the gateway's own route gives them."""
    url = f"{stack.gateway_url}/v1/segment?render=labels"
    response = httpx.post(url, content=CAT_PHOTO, timeout=30, trust_env=False)
    return np.asarray(Image.open(io.BytesIO(response.content)))


@pytest.fixture(scope="session")
def project(server: Server, stack: Stack) -> Project:
    """A project with two uploaded images and the product as its back end."""
    made = new_project(server, "Uploads")
    made.upload({"cat.jpg": CAT_PHOTO, "a man's käse & #1 + 100%.jpg": PERSON_PHOTO})
    made.connect(stack.gateway_url)
    made.retrieve_predictions()
    return made


def test_uploaded_images_are_pre_annotated(project: Project, ids: NDArray[np.uint8]) -> None:
    """Label Studio names them by path, asks for predictions itself, and stores them."""
    tasks = sorted(project.tasks(), key=lambda task: int(task.id))
    assert [task.data["image"].startswith("/data/upload/") for task in tasks] == [True, True]
    assert [labels_of(task) for task in tasks] == [["Cat"], ["Person"]]
    (region,) = regions_of(tasks[0].predictions[0])
    assert np.array_equal(pixels_of(region), ids == CAT)


@pytest.mark.parametrize("kind", ["legacy", "personal"])
def test_local_files_are_pre_annotated(server: Server, stack: Stack, kind: str) -> None:
    """With either kind of key; names with blanks, umlauts and signs too."""
    folder = server.local_files / kind / "größe & 50% + x"
    folder.mkdir(parents=True)
    names = ("a cat.jpg", "käse#1.jpg", "a+b&c=d.jpg", "100%.jpg")
    for name in names:
        (folder / name).write_bytes(CAT_PHOTO)
    made = new_project(server, f"Local files, {kind}")
    made.add_local_files(str(folder.relative_to(server.local_files)))
    key = LEGACY_KEY if kind == "legacy" else server.access_token
    with second_gateway(stack, LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=key) as url:
        made.connect(url)
        made.retrieve_predictions()
    tasks = made.tasks()
    assert all("/data/local-files/?d=" in task.data["image"] for task in tasks)
    assert [labels_of(task) for task in tasks] == [["Cat"]] * len(names)


def test_an_image_that_is_gone_harms_no_other(server: Server, stack: Stack) -> None:
    """Its prediction is empty; Label Studio answers 500 for an upload that it does not know."""
    made = new_project(server, "One is gone")
    made.upload({"cat.jpg": CAT_PHOTO})
    gone = {"image": f"/data/upload/{made.id}/gone.jpg"}
    foreign = {"image": "http://127.0.0.1:1/data/upload/1/x.jpg"}
    server.client.projects.import_tasks(id=made.id, request=[gone, foreign])  # type: ignore[list-item]
    made.connect(stack.gateway_url)
    made.retrieve_predictions()
    tasks = sorted(made.tasks(), key=lambda task: int(task.id))
    assert [labels_of(task) for task in tasks] == [["Cat"], [], []]


def test_the_brush_is_seen_in_label_studio(project: Project, browser: Browser) -> None:
    """An annotator who opens the task in Chromium sees the cat's region and its name."""
    (task, *_) = sorted(project.tasks(), key=lambda each: int(each.id))
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.goto(f"{project.server.url}/user/login/")
    page.fill("input[name=email]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.goto(f"{project.server.url}/projects/{project.id}/data?task={task.id}")
    region = page.locator(".lsf-labels-list").get_by_text("Cat", exact=True)
    expect(region).to_be_visible(timeout=60_000)
    expect(page.get_by_text("deeplabv3:1.0")).to_be_visible()
    page.wait_for_function(BRUSHED, arg=[191, 141, 114], timeout=60_000)
    page.context.close()


def _photographs() -> dict[str, bytes]:
    """Five hundred JPEGs of one megapixel, all different."""
    photos = [Image.open(path).convert("RGB") for path in sorted(EXAMPLES.glob("*.jpg"))]
    files = {}
    for number in range(MANY):
        photo = photos[number % len(photos)]
        left = number // len(photos)  # a different crop
        box = (left % 40, left // 40, photo.width - 40 + left % 40, photo.height)
        buffer = io.BytesIO()
        photo.resize((1000, 1000), box=box).save(buffer, "JPEG", quality=85)
        files[f"{number:03d}.jpg"] = buffer.getvalue()
    return files


def test_five_hundred_tasks_are_pre_annotated(server: Server, stack: Stack) -> None:
    """Selected at once, of one megapixel each: none fails, and the memory stays bounded."""
    made = new_project(server, "Many")
    made.upload(_photographs())
    made.connect(stack.gateway_url)
    front, back = gateway(stack), workers(stack)
    made.retrieve_predictions()
    predictions = [task.predictions for task in made.tasks()]
    assert [len(each) for each in predictions] == [1] * MANY
    # A failed one has no score.
    assert [each for (each,) in predictions if _score(each) is None] == []
    assert front.peak - front.before < MOST_GATEWAY
    assert [each.peak - each.before for each in back if each.peak - each.before > MOST_WORKER] == []


def _score(prediction: Any) -> object:
    return prediction["score"] if isinstance(prediction, dict) else prediction.score
