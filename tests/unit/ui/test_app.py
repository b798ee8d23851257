"""The main script configures the app and runs one page, without navigation of Streamlit's own."""

from tests.unit.ui.conftest import APP


def test_the_page_fetches_nothing_from_elsewhere() -> None:
    """Style and icon are files of ours: a machine without internet shows the same page."""
    folder = APP.parent
    assert "http" not in (folder / "style.css").read_text(encoding="utf-8")
    assert (folder / "icon.png").stat().st_size < 10_000


def test_streamlit_finds_no_pages_by_itself() -> None:
    """A folder named pages would be a second navigation, shown to the first visitor."""
    assert not (APP.parent / "pages").exists()
