"""The version chooser offers what the gateway lists, and keeps what was selected."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import press, segmentations
from tests.unit.ui.gateway_double import GatewayDouble


def test_one_version_needs_no_chooser(page: AppTest) -> None:
    """A chooser with one entry would be useless."""
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
def test_a_selection_outlives_a_gateway_that_does_not_respond(
    page: AppTest, gateway: GatewayDouble, lost: str
) -> None:
    """Without a list it is unknown whether the selected version still exists."""
    gateway.versions = ("1.0", "1.1")
    page.run().selectbox[0].select("1.1").run()
    gateway.lists_models, gateway.ready = False, lost == "listing"
    assert not page.run().selectbox
    gateway.lists_models = gateway.ready = True
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
    """That follows the default from then on."""
    gateway.versions = ("1.0", "1.1")
    page.run().selectbox[0].select("1.1").run()
    page.selectbox[0].select("1.0 (default)").run()
    press(page, "Cat")
    assert segmentations(gateway) == ["/segmentation"]


def test_a_selection_outlives_a_change_of_its_label(page: AppTest, gateway: GatewayDouble) -> None:
    """A version that becomes ready, or the default, is still the same one."""
    gateway.versions, gateway.without_workers = ("1.0", "1.1"), ("1.1",)
    page.run().selectbox[0].select("1.1 (not ready)").run()
    gateway.without_workers = ()
    assert page.run().selectbox[0].value == "1.1"
    gateway.default = "1.1"
    assert page.run().selectbox[0].value == "1.1 (default)"
    gateway.default = "1.0"
    assert page.run().selectbox[0].value == "1.1"
