"""A new file replaces the image and its result."""

from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import press


def test_a_new_upload_takes_the_old_result_away(page: AppTest, cat_jpeg: bytes) -> None:
    """A result is never shown beside another image."""
    press(page.run(), "Astronaut")
    page.file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    assert len(page.get("image")) == 1
    assert not page.caption[1:]


def test_removing_the_upload_deselects_the_image(page: AppTest, cat_jpeg: bytes) -> None:
    """The page is as at the start."""
    page.run().file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    page.file_uploader[0].clear().run()
    assert not page.get("image")
