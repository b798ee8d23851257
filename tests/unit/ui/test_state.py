"""What a visitor chooses is what is sent, once."""

from collections.abc import Callable

import pytest
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import press
from tests.unit.ui.gateway_double import GatewayDouble, problem
from ui.client.gateway_client import GatewayClient
from ui.client.responses import Segmentation


def segmentations(gateway: GatewayDouble) -> list[str]:
    """List the segmentations that the gateway was asked for."""
    return [path for path in gateway.asked if path.startswith("/segmentation")]


def test_an_upload_waits_for_the_button(
    page: AppTest, gateway: GatewayDouble, cat_jpeg: bytes
) -> None:
    """Choosing shows the picture; only the button sends it."""
    page.run().file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    assert len(page.get("image")) == 1
    assert segmentations(gateway) == []
    press(page, "Get segmentation map")
    assert segmentations(gateway) == ["/segmentation"]
    assert len(page.get("image")) == 2


def test_a_click_on_an_example_segments_it(page: AppTest, gateway: GatewayDouble) -> None:
    """One click, one result."""
    press(page.run(), "Cat")
    assert segmentations(gateway) == ["/segmentation"]
    assert [each.value for each in page.subheader] == ["Original", "Segmented"]


def test_an_example_replaces_an_upload(page: AppTest, cat_jpeg: bytes) -> None:
    """The uploader does not name a picture that is no longer on the table."""
    page.run().file_uploader[0].upload("mine.jpg", cat_jpeg).run()
    press(page, "Cat")
    assert page.file_uploader[0].value is None


def test_a_new_upload_takes_the_old_result_away(page: AppTest, cat_jpeg: bytes) -> None:
    """A result never stands beside a picture that it was not made from."""
    press(page.run(), "Astronaut")
    page.file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    assert len(page.get("image")) == 1
    assert not page.caption[1:]


def test_removing_the_upload_empties_the_table(page: AppTest, cat_jpeg: bytes) -> None:
    """Back to the beginning."""
    page.run().file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    page.file_uploader[0].clear().run()
    assert not page.get("image")


def test_one_version_is_no_choice(page: AppTest) -> None:
    """A chooser with one entry would only be in the way."""
    assert not page.run().selectbox


def test_the_chosen_version_makes_the_result(page: AppTest, gateway: GatewayDouble) -> None:
    """The default comes first; another choice is sent and named with the result."""
    gateway.versions = ("0.9", "1.0", "1.1")
    chooser = page.run().selectbox[0]
    assert chooser.options == ["1.0 (default)", "0.9", "1.1"]
    chooser.select("1.1").run()
    press(page, "Cat")
    assert segmentations(gateway) == ["/segmentation?version=1.1"]
    assert "version **1\\.1**" in page.caption[-1].value


@pytest.mark.parametrize("left", [("1.0",), ("1.0", "0.9")])
def test_a_version_that_is_gone_is_no_longer_chosen(
    page: AppTest, gateway: GatewayDouble, left: tuple[str, ...]
) -> None:
    """A version removed meanwhile gives way to the default."""
    gateway.versions = ("1.0", "1.1")
    page.run().selectbox[0].select("1.1").run()
    gateway.versions = left
    press(page.run(), "Cat")
    assert "1.1" not in segmentations(gateway)[0]


@pytest.mark.parametrize("lost", ["listing", "everything"])
def test_a_choice_outlives_a_gateway_that_does_not_answer(
    page: AppTest, gateway: GatewayDouble, lost: str
) -> None:
    """Without a list of the versions nobody can know that the chosen one is gone."""
    gateway.versions = ("1.0", "1.1")
    page.run().selectbox[0].select("1.1").run()
    gateway.lists, gateway.ready = False, lost == "listing"
    assert not page.run().selectbox
    gateway.lists = gateway.ready = True
    assert page.run().selectbox[0].value == "1.1"
    press(page, "Cat")
    assert segmentations(gateway) == ["/segmentation?version=1.1"]


def test_a_ready_version_can_be_chosen_while_the_default_is_not_ready(
    page: AppTest, gateway: GatewayDouble
) -> None:
    """The chooser says which is which; the page need not wait for the default."""
    gateway.versions, gateway.without_workers, gateway.ready = ("1.0", "1.1"), ("1.0",), False
    chooser = page.run().selectbox[0]
    assert chooser.options == ["1.0 (not ready)", "1.1"]
    chooser.select("1.1").run()
    press(page, "Cat")
    assert segmentations(gateway) == ["/segmentation?version=1.1"]


def test_without_a_choice_the_default_is_followed(page: AppTest, gateway: GatewayDouble) -> None:
    """Also to another version that became the default meanwhile."""
    gateway.versions = ("1.0", "1.1")
    page.run()
    gateway.default = "1.1"
    assert page.run().selectbox[0].value == "1.1 (default)"
    press(page, "Cat")
    assert "version **1\\.1**" in page.caption[-1].value


def test_the_default_can_be_chosen_again(page: AppTest, gateway: GatewayDouble) -> None:
    """Choosing it is choosing none."""
    gateway.versions = ("1.0", "1.1")
    page.run().selectbox[0].select("1.1").run()
    page.selectbox[0].select("1.0 (default)").run()
    press(page, "Cat")
    assert segmentations(gateway) == ["/segmentation"]


def test_a_choice_outlives_a_change_of_its_words(page: AppTest, gateway: GatewayDouble) -> None:
    """A version that becomes ready, or the default, is still the same one."""
    gateway.versions, gateway.without_workers = ("1.0", "1.1"), ("1.1",)
    page.run().selectbox[0].select("1.1 (not ready)").run()
    gateway.without_workers = ()
    assert page.run().selectbox[0].value == "1.1"
    gateway.default = "1.1"
    assert page.run().selectbox[0].value == "1.1 (default)"
    gateway.default = "1.0"
    assert page.run().selectbox[0].value == "1.1"


Segment = Callable[[GatewayClient, bytes, str | None], Segmentation]


@pytest.fixture
def interrupted(page: AppTest, gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Show a result; the connection drops while the same picture is segmented once more."""
    gateway.versions = ("1.0", "1.1")
    press(page.run(), "Cat")
    with monkeypatch.context() as patched:
        patched.setattr(GatewayClient, "segment", _dropping(GatewayClient.segment))
        return press(page, "Get segmentation map")


def _dropping(segment: Segment) -> Segment:
    """Segment, but the visitor is gone when the answer comes."""

    def dropped(client: GatewayClient, image: bytes, version: str | None) -> Segmentation:
        answer = segment(client, image, version)
        context = get_script_run_ctx()
        assert context is not None
        assert context.script_requests is not None
        context.script_requests.request_stop()
        return answer

    return dropped


def test_an_interrupted_segmentation_is_asked_again(
    interrupted: AppTest, gateway: GatewayDouble
) -> None:
    """When the visitor is back; once, and the older result does not stand for its answer."""
    assert not interrupted.caption[1:]
    interrupted.run()
    assert segmentations(gateway) == ["/segmentation"] * 3
    assert "Made by" in interrupted.caption[-1].value
    interrupted.run()
    assert segmentations(gateway) == ["/segmentation"] * 3


def test_a_version_chosen_meanwhile_is_the_one_asked(
    interrupted: AppTest, gateway: GatewayDouble
) -> None:
    """What is asked again is what is chosen by then."""
    interrupted.selectbox[0].select("1.1").run()
    assert segmentations(gateway)[2:] == ["/segmentation?version=1.1"]
    assert "version **1\\.1**" in interrupted.caption[-1].value


def test_a_refused_picture_is_sent_once(page: AppTest, gateway: GatewayDouble) -> None:
    """An error is an answer too."""
    gateway.segmentation = problem(503, "Overloaded", "Try again.")
    press(page.run(), "Cat")
    assert "Overloaded" in page.run().error[0].value
    assert segmentations(gateway) == ["/segmentation"]


def test_a_fault_of_the_page_is_no_question_without_end(
    page: AppTest, gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What raises is not tried again by itself, and no older result stands in its place."""
    press(page.run(), "Cat")

    def fail(*_: object) -> Segmentation:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(GatewayClient, "segment", fail)
        assert press(page, "Get segmentation map").exception
    assert not page.run().exception
    assert segmentations(gateway) == ["/segmentation"]
    assert not page.caption[1:]
