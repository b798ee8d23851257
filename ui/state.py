"""The session's state: selected image, result, version. The only module with session_state keys."""

import hashlib
import itertools
import uuid

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui.client.errors import GatewayError
from ui.client.gateway_client import GatewayClient
from ui.imaging.input_image import InputImage
from ui.result import Result, segment

# Our own keys.
_IMAGE, _RESULT, _PENDING = "image", "result", "pending"
_VERSION, _UPLOADER_NUMBER = "version", "uploader_number"
_VISITOR = "visitor"
_BROWSER_COOKIE = "_streamlit_xsrf"
# Keys of widgets. Streamlit deletes their values when a script run does not draw them.
VERSION_CHOOSER, VIEW, OPACITY = "version_chooser", "view", "opacity"


def visitor() -> str:
    """Return a name for this browser, which tells nothing about its user.

    A reload keeps it, by the cookie against forged requests that every browser gets.
    """
    cookie = st.context.cookies.get(_BROWSER_COOKIE)
    if isinstance(cookie, str):  # there is none without a browser
        return hashlib.sha256(_unmasked(cookie)).hexdigest()[:32]
    own: str = st.session_state.setdefault(_VISITOR, uuid.uuid4().hex)
    return own


def _unmasked(cookie: str) -> bytes:
    """Return the token in the cookie, which has another mask after each reload."""
    _version, *parts = cookie.split("|")
    try:
        mask, token = (bytes.fromhex(each) for each in parts[:2])
    except ValueError:
        return cookie.encode()
    if not mask:
        return cookie.encode()
    return bytes(each ^ key for each, key in zip(token, itertools.cycle(mask), strict=False))


def image() -> InputImage | None:
    """Return the selected image: the upload or an example."""
    selected: InputImage | None = st.session_state.get(_IMAGE)
    return selected


def result() -> Result | GatewayError | None:
    """Return the result of the last request for this image, or the error."""
    last: Result | GatewayError | None = st.session_state.get(_RESULT)
    return last


def is_pending() -> bool:
    """Whether a segmentation is requested and has neither result nor error yet."""
    return bool(st.session_state.get(_PENDING))


def request() -> None:
    """Request a segmentation of the selected image; complete_request sends it."""
    st.session_state[_RESULT] = None
    st.session_state[_PENDING] = True


def complete_request(client: GatewayClient) -> None:
    """Send the pending request and keep the result or the error."""
    try:
        last: Result | GatewayError = segment(
            client, st.session_state[_IMAGE], selected_version(), visitor()
        )
    except GatewayError as error:
        last = error
    except Exception:
        # A bug of the page: sent again at every rerun, the request would only fail again.
        st.session_state[_PENDING] = False
        raise
    # An interrupted script ends before this line, and the request stays pending: the next rerun
    # sends it with the image and version that are selected by then.
    st.session_state[_RESULT] = last
    st.session_state[_PENDING] = False


def select_image(selected: InputImage | None) -> None:
    """Replace the image and drop the result of the previous one."""
    st.session_state[_IMAGE] = selected
    st.session_state[_RESULT] = None
    st.session_state[_PENDING] = False


def select_example(example: InputImage) -> None:
    """Select an example, empty the uploader and request the segmentation."""
    st.session_state[_UPLOADER_NUMBER] = st.session_state.get(_UPLOADER_NUMBER, 0) + 1
    select_image(example)
    request()


def uploader_key() -> str:
    """Return the uploader's key; a new key makes a new, empty uploader."""
    return f"upload-{st.session_state.get(_UPLOADER_NUMBER, 0)}"


def uploaded_file() -> UploadedFile | None:
    """Return the file in the uploader."""
    upload: UploadedFile | None = st.session_state[uploader_key()]
    return upload


def selected_version() -> str | None:
    """Return the selected version; None follows the default, also when that changes."""
    version: str | None = st.session_state.get(_VERSION)
    return version


def select_version(version: str | None) -> None:
    """Select a version, or None for the default."""
    st.session_state[_VERSION] = version


def chosen_label() -> str:
    """Return the option that the version chooser shows."""
    label: str = st.session_state[VERSION_CHOOSER]
    return label


def show_label(label: str) -> None:
    """Make the version chooser, which is not drawn yet, show an option."""
    if st.session_state.get(VERSION_CHOOSER) != label:
        st.session_state[VERSION_CHOOSER] = label
