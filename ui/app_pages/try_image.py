"""The page to try the model: choose an image, get its segmentation."""

from html import escape

import streamlit as st

from ui import messages, resources, result, state
from ui.client.errors import GatewayError
from ui.client.responses import Readiness
from ui.widgets import comparison, legend
from ui.widgets.examples import EXAMPLES, thumbnails_css

TITLE = "DeepLabV3 image segmentation"
# The service goes by the content. Browsers on Windows save photographs as jfif.
FILE_TYPES = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "tif", "tiff", "bmp", "avif"]
_LOOK_AGAIN_S = 3


def show() -> None:
    """Draw the page."""
    st.html(thumbnails_css())
    readiness = _readiness()
    _header(readiness)
    if isinstance(readiness, GatewayError):
        _wait_until_ready()
    with st.container(border=True):
        _inputs()
    _outputs()
    if isinstance(readiness, Readiness):
        _vocabulary(readiness)


def _readiness() -> Readiness | GatewayError:
    try:
        return resources.client().readiness()
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
    st.warning(messages.waiting(readiness))


def _inputs() -> None:
    upload, examples = st.columns(2, gap="large")
    with upload:
        state.uploader("Choose a photograph", FILE_TYPES, resources.settings())
        row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
        row.button(
            "Get segmentation map",
            type="primary",
            disabled=state.picture() is None,
            on_click=state.ask,
        )
    with examples:
        st.html('<div class="label">Or try an example</div>')
        with st.container(key="examples"):
            columns = st.columns(len(EXAMPLES))
        for column, example in zip(columns, EXAMPLES, strict=True):
            column.button(
                example.title,
                key=f"example-{example.key}",
                width="stretch",
                on_click=state.take_example,
                args=(example, resources.settings()),
            )
    # Last: it asks the gateway, for whose silence nothing else need wait.
    with row:
        state.version_chooser(resources.client())


def _outputs() -> None:
    picture = state.picture()
    if picture is None:
        return
    outcome = state.outcome()
    if isinstance(outcome, result.Result) and not state.asked():
        comparison.show(outcome, resources.settings().max_pixels)
        return
    _, segmented = comparison.columns(picture)
    if state.asked():
        with segmented, st.spinner("Segmenting ..."):
            state.answer(resources.client())
        st.rerun()
    elif isinstance(outcome, GatewayError):
        segmented.error(messages.problem(outcome))
    else:
        segmented.html('<div class="empty">Press "Get segmentation map".</div>')


def _vocabulary(readiness: Readiness) -> None:
    labels = result.labels_or_empty(resources.client(), readiness.model, readiness.version)
    if labels:
        with st.expander("What this model can find", expanded=state.picture() is None):
            st.html(legend.vocabulary_html(labels))
