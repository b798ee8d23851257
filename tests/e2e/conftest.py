"""One running product for all end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.stack import ROOT, Stack, running_stack
from tests.unit.scripts.voc_folder import write

GOLDEN = ROOT / "tests" / "e2e" / "golden"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """TorchServe, gateway and page, as ``make run`` starts them."""
    with running_stack() as running:
        yield running


@pytest.fixture
def gateway(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the public API."""
    with httpx.Client(base_url=stack.gateway_url, timeout=30.0) as client:
        yield client


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A photograph with its golden mask as truth."""
    folder = tmp_path / "pictures" / "val"
    photograph = Image.open(ROOT / "ui" / "examples" / "cat.jpg").convert("RGB")
    write(folder, "cat", photograph, np.asarray(Image.open(GOLDEN / "cat.png")))
    return folder


@pytest.fixture
def version_removed(stack: Stack) -> Iterator[None]:
    """Version 1.0 serves alone afterwards, whatever a page's commands for 1.1 left."""
    yield
    stack.versions("default", "1.0")
    for alias in ("canary", "shadow", "next"):
        stack.versions("alias", alias, "--remove")
    stack.versions("remove", "1.1")
