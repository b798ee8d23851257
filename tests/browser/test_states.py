"""The page without a gateway, without a model, and with more than one version."""

from playwright.sync_api import Browser, expect

from tests.browser import screen
from tests.browser.conftest import OpenPage, running_page
from tests.unit.ui.gateway_double import GatewayDouble

_COUNT_MENUS = """
window.menus = 0;
new MutationObserver(() => {
  window.menus += document.querySelectorAll('[data-testid="stSidebarNav"]').length;
}).observe(document, {subtree: true, childList: true});
"""


def test_without_a_gateway_the_page_says_what_to_do(open_page: OpenPage) -> None:
    """The page opens; a click gives a message, not a stack trace."""
    with running_page("http://127.0.0.1:9") as url:
        page = open_page(url)
        expect(page.get_by_role("alert")).to_contain_text("Nothing answers at http://127.0.0.1:9")
        screen.press(page, "Cat")
        expect(page.get_by_role("alert").nth(1)).to_contain_text("Request id: ")
        expect(page.get_by_text("Traceback")).to_have_count(0)


def test_the_first_visitor_sees_no_navigation(browser: Browser, gateway: GatewayDouble) -> None:
    """There is one page, so no menu appears, not even for a moment in a server's first session."""
    with running_page(gateway.url) as url:
        page = browser.new_page()
        page.add_init_script(_COUNT_MENUS)
        page.goto(url)
        expect(page.get_by_text("Ready: deeplabv3 1.0")).to_be_visible(timeout=15_000)
        assert page.evaluate("window.menus") == 0
        page.close()


def test_the_page_notices_by_itself_that_the_model_is_ready(
    open_page: OpenPage, gateway: GatewayDouble
) -> None:
    """No reload is needed after a slow start."""
    gateway.ready = False
    with running_page(gateway.url) as url:
        page = open_page(url)
        expect(page.get_by_role("alert")).to_contain_text("No worker is up yet")
        gateway.ready = True
        expect(page.get_by_text("Ready: deeplabv3 1.0")).to_be_visible(timeout=15_000)
        expect(page.get_by_role("alert")).to_have_count(0)


def test_a_browser_is_one_visitor_and_another_is_not(
    browser: Browser, gateway: GatewayDouble
) -> None:
    """A visitor keeps its version while another is tried on some of them, also after a reload."""
    with running_page(gateway.url) as url:
        for _ in range(2):
            context = browser.new_context()
            page = context.new_page()
            for _ in range(2):
                page.goto(url)
                screen.press(page, "Cat")
                screen.wait_for_result(page)
            context.close()
    first, again, second, once_more = gateway.visitors
    assert first
    assert (first, second) == (again, once_more)
    assert first != second


def test_a_version_can_be_chosen(open_page: OpenPage, gateway: GatewayDouble) -> None:
    """With several versions there is a chooser, and the result names the one that made it."""
    gateway.versions = ("1.0", "1.1")
    with running_page(gateway.url) as url:
        page = open_page(url)
        page.get_by_role("combobox").click()
        page.get_by_role("option", name="1.1").click()
        screen.settle(page)
        screen.press(page, "Cat")
        screen.wait_for_result(page)
        expect(page.get_by_text("version 1.1")).to_be_visible()


def test_a_narrow_screen_shows_everything(open_page: OpenPage, gateway: GatewayDouble) -> None:
    """On a telephone nothing is wider than the screen."""
    with running_page(gateway.url) as url:
        page = open_page(url)
        page.set_viewport_size({"width": 390, "height": 844})
        screen.press(page, "Cat")
        screen.wait_for_result(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator(".st-key-segmented img").bounding_box() is not None
