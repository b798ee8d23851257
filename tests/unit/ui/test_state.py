"""A request is sent once, for what is selected when it is sent."""

from collections.abc import Callable

import pytest
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import APP, press, segmentations
from tests.unit.ui.gateway_double import GatewayDouble, problem
from ui.client.gateway_client import GatewayClient
from ui.client.responses import Segmentation


def test_an_upload_waits_for_the_button(
    page: AppTest, gateway: GatewayDouble, cat_jpeg: bytes
) -> None:
    """Selecting a file shows it; only the button sends it."""
    page.run().file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    assert len(page.get("image")) == 1
    assert segmentations(gateway) == []
    press(page, "Get segmentation map")
    assert segmentations(gateway) == ["/segmentation"]
    assert len(page.get("image")) == 2


Segment = Callable[[GatewayClient, bytes, str | None, str | None], Segmentation]


@pytest.fixture
def interrupted(page: AppTest, gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Show a result; the connection drops while the same image is segmented once more."""
    gateway.versions = ("1.0", "1.1")
    press(page.run(), "Cat")
    with monkeypatch.context() as patched:
        patched.setattr(GatewayClient, "segment", _dropping(GatewayClient.segment))
        return press(page, "Get segmentation map")


def _dropping(segment: Segment) -> Segment:
    """Segment, but stop the script when the response arrives, as a closed connection does."""

    def dropped(
        client: GatewayClient, image: bytes, version: str | None, visitor: str | None
    ) -> Segmentation:
        response = segment(client, image, version, visitor)
        context = get_script_run_ctx()
        assert context is not None
        assert context.script_requests is not None
        context.script_requests.request_stop()
        return response

    return dropped


def test_an_interrupted_segmentation_is_requested_again(
    interrupted: AppTest, gateway: GatewayDouble
) -> None:
    """At the next rerun, once; the older result is not shown in its place."""
    assert not interrupted.caption[1:]
    interrupted.run()
    assert segmentations(gateway) == ["/segmentation"] * 3
    assert "Made by" in interrupted.caption[-1].value
    interrupted.run()
    assert segmentations(gateway) == ["/segmentation"] * 3


def test_a_version_selected_meanwhile_is_the_one_requested(
    interrupted: AppTest, gateway: GatewayDouble
) -> None:
    """The request uses the selection at the time it is sent."""
    interrupted.selectbox[0].select("1.1").run()
    assert segmentations(gateway)[2:] == ["/segmentation?version=1.1"]
    assert "version **1\\.1**" in interrupted.caption[-1].value


def test_a_refused_image_is_sent_once(page: AppTest, gateway: GatewayDouble) -> None:
    """An error completes the request."""
    gateway.segmentation = problem(503, "Overloaded", "Try again.")
    press(page.run(), "Cat")
    assert "Overloaded" in page.run().error[0].value
    assert segmentations(gateway) == ["/segmentation"]


def test_a_bug_of_the_page_is_not_requested_endlessly(
    page: AppTest, gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception ends the request, and no older result is shown in its place."""
    press(page.run(), "Cat")

    def fail(*_: object) -> Segmentation:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(GatewayClient, "segment", fail)
        assert press(page, "Get segmentation map").exception
    assert not page.run().exception
    assert segmentations(gateway) == ["/segmentation"]
    assert not page.caption[1:]


def test_the_session_has_one_owner() -> None:
    """Its keys are known in one module: widgets and pages call its functions."""
    sources = APP.parent.rglob("*.py")
    users = [path.name for path in sources if "st.session_state" in path.read_text("utf-8")]
    assert users == ["state.py"]
