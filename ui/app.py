"""The main script: page configuration, style and navigation; run it with `python -m ui`."""

from pathlib import Path

import streamlit as st

from ui.app_pages import try_image

_FOLDER = Path(__file__).parent


def main() -> None:
    """Run the current page; Streamlit calls this in every session at every full rerun."""
    st.set_page_config(page_icon=str(_FOLDER / "icon.png"), layout="wide")
    st.html(_FOLDER / "style.css")
    pages = [st.Page(try_image.show, title=try_image.TITLE, url_path="try", default=True)]
    st.navigation(pages, position="hidden").run()


if __name__ == "__main__":
    main()
