"""The page to try the model: select an image and look at its segmentation."""

from html import escape

import streamlit as st

from ui import messages, resources, state
from ui.client.errors import GatewayError
from ui.client.responses import Readiness
from ui.result import Result, labels_or_empty
from ui.widgets import comparison, examples, uploader, version_chooser
from ui.widgets.legend import vocabulary_html

TITLE = "DeepLabV3 image segmentation"
_POLL_S = 3


def show() -> None:
    """Draw the page."""
    readiness = _readiness()
    _header(readiness)
    if isinstance(readiness, GatewayError):
        _wait_until_ready()
    with st.container(border=True):
        _inputs()
    _output()
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


@st.fragment(run_every=_POLL_S)
def _wait_until_ready() -> None:
    readiness = _readiness()
    if isinstance(readiness, Readiness):
        st.rerun()
    st.warning(messages.waiting(readiness))


def _inputs() -> None:
    left, right = st.columns(2, gap="large")
    with left:
        uploader.show("Choose a photograph", resources.settings())
        row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
        row.button(
            "Get segmentation map",
            type="primary",
            disabled=state.image() is None,
            on_click=state.request,
        )
    with right:
        examples.show(resources.settings())
    # Last: it waits for the gateway, and nothing else here should.
    with row:
        version_chooser.show(resources.client())


def _output() -> None:
    image, result = state.image(), state.result()
    if image is None:
        return
    if isinstance(result, Result) and not state.is_pending():
        comparison.show(result, resources.settings().max_pixels)
        return
    _, segmented = comparison.columns(image)
    if state.is_pending():
        with segmented, st.spinner("Segmenting ..."):
            state.complete_request(resources.client())
        st.rerun()
    elif isinstance(result, GatewayError):
        segmented.error(messages.problem(result))
    else:
        segmented.html('<div class="empty">Press "Get segmentation map".</div>')


def _vocabulary(readiness: Readiness) -> None:
    labels = labels_or_empty(resources.client(), readiness.model, readiness.version)
    if labels:
        with st.expander("What this model can find", expanded=state.image() is None):
            st.html(vocabulary_html(labels))
