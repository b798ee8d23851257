"""Original and segmented image side by side, with legend, opacity and downloads."""

from html import escape
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import messages, state
from ui.imaging.encoding import encode
from ui.imaging.input_image import InputImage
from ui.result import DOWNLOAD_PX, Result, overlay_png, segmented_image
from ui.widgets.legend import legend_html


def columns(image: InputImage) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Draw both headings and the original; return the two columns."""
    original, segmented = st.columns(2, gap="large")
    original.subheader("Original", anchor=False)
    segmented.subheader("Segmented", anchor=False)
    with original.container(key="original"):
        if image.preview is None:
            st.html(f'<div class="empty">No preview. {escape(image.no_preview_reason)}</div>')
        else:
            jpeg = encode(image.preview, "JPEG")
            st.image(jpeg, output_format="JPEG", width="stretch", alt="The original picture")
    return original, segmented


# A fragment: moving the slider redraws from memory and sends the gateway nothing.
@st.fragment
def show(result: Result, max_pixels: int) -> None:
    """Draw a result; max_pixels limits what is decoded for the overlay to download."""
    _, segmented = columns(result.image)
    with segmented:
        above_controls = st.container(key="segmented")
        opacity = _opacity(result)
    above_controls.image(
        segmented_image(result, opacity),
        width="stretch",
        alt="The picture with the classes in colour",
    )
    classes, facts = st.columns(2, gap="large")
    with classes:
        st.html('<div class="label">Share of the picture</div>')
        st.html(legend_html(result.classes))
    with facts:
        _downloads(result, opacity, max_pixels)
        st.caption(messages.provenance(result))


def _opacity(result: Result) -> float | None:
    """Draw the controls; return the overlay's opacity, or None for the mask alone."""
    if not result.can_overlay:
        st.info(f"Shown without the photograph. {messages.escape(result.no_overlay_reason)}")
        return None
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    view = left.segmented_control(
        "View",
        ["Overlay", "Map"],
        default="Overlay",
        required=True,
        key=state.VIEW,
        label_visibility="collapsed",
    )
    percent = right.slider(
        "Opacity",
        0,
        100,
        65,
        format="Opacity %d %%",
        key=state.OPACITY,
        disabled=view == "Map",
        label_visibility="collapsed",
    )
    return percent / 100 if view == "Overlay" else None


def _downloads(result: Result, opacity: float | None, max_pixels: int) -> None:
    stem = Path(result.image.name).stem
    with st.container(horizontal=True):
        st.download_button(
            "Download mask",
            result.response.mask_png,
            file_name=f"{stem}_mask.png",
            mime="image/png",
            on_click="ignore",
            icon=":material/download:",
            help="Indexed PNG of the picture's size; a pixel's index is its class.",
        )
        if opacity is not None:
            st.download_button(
                "Download overlay",
                lambda: overlay_png(result, opacity, max_pixels),
                file_name=f"{stem}_overlay.png",
                mime="image/png",
                on_click="ignore",
                icon=":material/download:",
                help=f"PNG of at most {DOWNLOAD_PX} pixels on its long side.",
            )
