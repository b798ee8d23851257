"""A new file replaces the image and its result."""

from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import press


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
