"""Original and Segmented side by side, with the legend, the opacity and the downloads."""

from html import escape
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import messages, result
from ui.imaging.encoding import encode
from ui.imaging.input_image import InputImage
from ui.widgets import legend


def columns(image: InputImage) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Draw both headings and the original; give the columns to draw on."""
    original, segmented = st.columns(2, gap="large")
    original.subheader("Original", anchor=False)
    segmented.subheader("Segmented", anchor=False)
    with original.container(key="original"):
        if image.preview is None:
            st.html(f'<div class="empty">No preview. {escape(image.no_preview_reason)}</div>')
        else:
            shown = encode(image.preview, "JPEG")
            st.image(shown, output_format="JPEG", width="stretch", alt="The original picture")
    return original, segmented


# A fragment: the slider redraws from what is in memory, without asking the gateway again.
@st.fragment
def show(shown: result.Result, max_pixels: int) -> None:
    """Draw a result with all that belongs to it; max_pixels bounds what is decoded for it."""
    _, segmented = columns(shown.image)
    with segmented:
        drawn = st.container(key="segmented")
        opacity = _opacity(shown)
    drawn.image(
        result.segmented_image(shown, opacity),
        width="stretch",
        alt="The picture with the classes in colour",
    )
    classes, facts = st.columns(2, gap="large")
    with classes:
        st.html('<div class="label">Share of the picture</div>')
        st.html(legend.legend_html(shown.classes))
    with facts:
        _downloads(shown, opacity, max_pixels)
        st.caption(messages.provenance(shown))


def _opacity(shown: result.Result) -> float | None:
    """Ask how to draw the classes: None for the colours alone, else the overlay's opacity."""
    if not shown.can_overlay:
        st.info(f"Shown without the photograph. {messages.plain(shown.no_overlay_reason)}")
        return None
    view, slider = st.columns([2, 3], vertical_alignment="bottom")
    kind = view.segmented_control(
        "View",
        ["Overlay", "Map"],
        default="Overlay",
        required=True,
        key="view",
        label_visibility="collapsed",
    )
    percent = slider.slider(
        "Opacity",
        0,
        100,
        65,
        format="Opacity %d %%",
        key="opacity",
        disabled=kind == "Map",
        label_visibility="collapsed",
    )
    return percent / 100 if kind == "Overlay" else None


def _downloads(shown: result.Result, opacity: float | None, max_pixels: int) -> None:
    stem = Path(shown.image.name).stem
    with st.container(horizontal=True):
        st.download_button(
            "Download mask",
            shown.response.mask_png,
            file_name=f"{stem}_mask.png",
            mime="image/png",
            on_click="ignore",
            icon=":material/download:",
            help="Indexed PNG of the picture's size; a pixel's index is its class.",
        )
        if opacity is not None:
            st.download_button(
                "Download overlay",
                lambda: result.overlay_png(shown, opacity, max_pixels),
                file_name=f"{stem}_overlay.png",
                mime="image/png",
                on_click="ignore",
                icon=":material/download:",
                help=f"PNG of at most {result.DOWNLOAD_PX} pixels on its long side.",
            )
