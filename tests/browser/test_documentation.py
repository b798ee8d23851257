"""The API's documentation in a real browser."""

from playwright.sync_api import Browser, expect

from tests.stack import Stack


def test_documentation_is_shown_without_another_host(browser: Browser, stack: Stack) -> None:
    """/docs lists the routes on a machine that reaches nothing else."""
    page = browser.new_page()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{stack.gateway_url}/docs")
    expect(page.get_by_role("heading", name="DeepLabV3 image segmentation")).to_be_visible()
    expect(page.get_by_text("/segmentation", exact=True)).to_be_visible()
    page.close()
    # Of its policy too, which lets it run one script of its own.
    assert [text for text in complaints if "Content Security Policy" in text] == []
    assert [url for url in requested if not url.startswith((stack.gateway_url, "data:"))] == []
