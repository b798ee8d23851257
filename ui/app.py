"""The page's widgets and their layout; run it with `python -m ui`."""

from html import escape
from pathlib import Path

import streamlit as st

from ui import choices, legend, overlay, result, words
from ui.answers import Readiness
from ui.errors import GatewayError
from ui.examples import EXAMPLES, thumbnails_css
from ui.gateway_client import GatewayClient
from ui.settings import Settings

TITLE = "DeepLabV3 image segmentation"
FILE_TYPES = ["jpg", "jpeg", "png", "webp", "gif", "tif", "tiff", "bmp", "avif"]
_LOOK_AGAIN_S = 3
_FOLDER = Path(__file__).parent


@st.cache_resource
def _settings() -> Settings:
    return Settings()


@st.cache_resource
def _client() -> GatewayClient:
    return GatewayClient(_settings().gateway_url, _settings().timeout_s)


def main() -> None:
    """Draw the page; Streamlit calls this for every visitor and every full rerun."""
    st.set_page_config(page_title=TITLE, page_icon=str(_FOLDER / "icon.png"), layout="wide")
    st.html(_FOLDER / "style.css")
    st.html(thumbnails_css())
    readiness = _readiness()
    _header(readiness)
    if isinstance(readiness, GatewayError):
        _wait_until_ready()
    with st.container(border=True):
        _inputs(readiness)
    _outputs()
    if isinstance(readiness, Readiness):
        _vocabulary(readiness)


def _readiness() -> Readiness | GatewayError:
    try:
        return _client().readiness()
    except GatewayError as error:
        return error


def _header(readiness: Readiness | GatewayError) -> None:
    title, status = st.columns([3, 1], vertical_alignment="center")
    title.title(TITLE, anchor=False)
    title.caption("Give it a photograph: every pixel gets the class that the model sees there.")
    if isinstance(readiness, Readiness):
        text, css = f"Ready: {readiness.model} {readiness.version}", "status"
    else:
        text, css = "Not ready", "status waiting"
    status.html(f'<div class="{css}"><span class="dot"></span>{escape(text)}</div>')


@st.fragment(run_every=_LOOK_AGAIN_S)
def _wait_until_ready() -> None:
    readiness = _readiness()
    if isinstance(readiness, Readiness):
        st.rerun()
    st.warning(words.waiting(readiness))


def _inputs(readiness: Readiness | GatewayError) -> None:
    upload, examples = st.columns(2, gap="large")
    with upload:
        choices.uploader("Choose a photograph", FILE_TYPES, _settings())
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            st.button(
                "Get segmentation map",
                type="primary",
                disabled=choices.picture() is None,
                on_click=choices.ask,
            )
            if isinstance(readiness, Readiness):
                choices.version_chooser(_client(), readiness.model)
    with examples:
        st.html('<div class="label">Or try an example</div>')
        with st.container(key="examples"):
            columns = st.columns(len(EXAMPLES))
        for column, example in zip(columns, EXAMPLES, strict=True):
            column.button(
                example.title,
                key=f"example-{example.key}",
                width="stretch",
                on_click=choices.take_example,
                args=(example, _settings()),
            )


def _outputs() -> None:
    picture = choices.picture()
    if picture is None:
        return
    outcome = choices.outcome()
    if isinstance(outcome, result.Result) and not choices.asked():
        _show_result(outcome)
        return
    _, segmented = _two_columns(picture)
    if choices.asked():
        with segmented, st.spinner("Segmenting ..."):
            choices.answer(_client())
        st.rerun()
    elif isinstance(outcome, GatewayError):
        segmented.error(words.problem(outcome))
    else:
        segmented.html('<div class="empty">Press "Get segmentation map".</div>')


def _two_columns(picture: result.Picture) -> tuple[st.delta_generator.DeltaGenerator, ...]:
    original, segmented = st.columns(2, gap="large")
    original.subheader("Original", anchor=False)
    segmented.subheader("Segmented", anchor=False)
    with original.container(key="original"):
        if picture.preview is None:
            st.html(f'<div class="empty">No preview. {escape(picture.words)}</div>')
        else:
            shown = overlay.encode(picture.preview, "JPEG")
            st.image(shown, output_format="JPEG", width="stretch", alt="The original picture")
    return original, segmented


# A fragment: the slider redraws from what is in memory, without asking the gateway again.
@st.fragment
def _show_result(shown: result.Result) -> None:
    _, segmented = _two_columns(shown.picture)
    with segmented:
        image = st.container(key="segmented")
        opacity = _opacity(shown)
    image.image(
        result.segmented_image(shown, opacity),
        width="stretch",
        alt="The picture with the classes in colour",
    )
    classes, facts = st.columns(2, gap="large")
    with classes:
        st.html('<div class="label">Share of the picture</div>')
        st.html(legend.rows_html(shown.rows))
    with facts:
        _downloads(shown, opacity)
        st.caption(words.provenance(shown))


def _opacity(shown: result.Result) -> float | None:
    """Ask how to draw the classes: None for the colours alone, else the overlay's opacity."""
    if not shown.can_overlay:
        st.info(f"Shown without the photograph. {words.plain(shown.words)}")
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
        "Opacity", 0, 100, 65, format="%d %%", key="opacity", disabled=kind == "Map"
    )
    return percent / 100 if kind == "Overlay" else None


def _downloads(shown: result.Result, opacity: float | None) -> None:
    stem = Path(shown.picture.name).stem
    with st.container(horizontal=True):
        st.download_button(
            "Download mask",
            shown.answer.mask_png,
            file_name=f"{stem}_mask.png",
            mime="image/png",
            on_click="ignore",
            icon=":material/download:",
            help="Indexed PNG of the picture's size; a pixel's index is its class.",
        )
        if opacity is not None:
            st.download_button(
                "Download overlay",
                lambda: result.overlay_png(shown, opacity, _settings().max_pixels),
                file_name=f"{stem}_overlay.png",
                mime="image/png",
                on_click="ignore",
                icon=":material/download:",
                help=f"PNG of at most {result.DOWNLOAD_PX} pixels on its long side.",
            )


def _vocabulary(readiness: Readiness) -> None:
    labels = result.labels_or_none(_client(), readiness.model, readiness.version)
    if labels:
        with st.expander("What this model can find", expanded=choices.picture() is None):
            st.html(legend.vocabulary_html(labels))


if __name__ == "__main__":
    main()
