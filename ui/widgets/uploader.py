"""The uploader: one file, which replaces the selected image."""

import streamlit as st

from ui import state
from ui.imaging import input_image
from ui.imaging.formats import EXTENSIONS
from ui.settings import Settings


def show(label: str, settings: Settings) -> None:
    """Draw the uploader."""
    st.file_uploader(
        label,
        type=[extension for each in EXTENSIONS.values() for extension in each],
        max_upload_size=settings.max_image_mb,
        key=state.uploader_key(),
        on_change=_select_upload,
        args=(settings,),
    )


def _select_upload(settings: Settings) -> None:
    upload = state.uploaded_file()
    if upload is None:
        state.select_image(None)
    else:
        image = input_image.load(upload.name, upload.getvalue(), settings.max_pixels)
        state.select_image(image)
