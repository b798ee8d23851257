"""What a visitor has chosen and got, kept in Streamlit's session between reruns."""

from collections.abc import Sequence

import streamlit as st

from ui import result
from ui.answers import ModelVersion
from ui.errors import GatewayError
from ui.examples import Example
from ui.gateway_client import GatewayClient
from ui.settings import Settings

Outcome = result.Result | GatewayError

# The keys in st.session_state that are ours and not a widget's.
_PICTURE, _OUTCOME, _ASKED, _UPLOADS = "picture", "outcome", "asked", "uploads"
_VERSION = "version"


def picture() -> result.Picture | None:
    """Give the picture on the table, uploaded or one of the examples."""
    chosen: result.Picture | None = st.session_state.get(_PICTURE)
    return chosen


def outcome() -> Outcome | None:
    """Give what came of the last question about this picture."""
    came: Outcome | None = st.session_state.get(_OUTCOME)
    return came


def asked() -> bool:
    """Whether a segmentation is wanted and not yet answered."""
    return bool(st.session_state.get(_ASKED))


def ask() -> None:
    """Want a segmentation of the picture on the table."""
    st.session_state[_ASKED] = True


def answer(client: GatewayClient) -> None:
    """Ask the gateway and keep the outcome, good or bad."""
    chosen = st.session_state[_PICTURE]
    st.session_state[_ASKED] = False
    try:
        came: Outcome = result.segment(client, chosen, st.session_state.get(_VERSION))
    except GatewayError as error:
        came = error
    st.session_state[_OUTCOME] = came


def take_example(example: Example, settings: Settings) -> None:
    """Put an example on the table, clear the uploader, and ask at once."""
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1
    data = example.path.read_bytes()
    _put(result.choose(example.path.name, data, settings.max_pixels))
    ask()


def uploader(label: str, types: Sequence[str], settings: Settings) -> None:
    """Offer the uploader; a new file replaces what is on the table."""
    # A widget cannot be emptied by code, but a new key makes a new and empty one.
    key = f"upload-{st.session_state.get(_UPLOADS, 0)}"
    st.file_uploader(
        label,
        type=types,
        max_upload_size=settings.max_image_mb,
        key=key,
        on_change=_take_upload,
        args=(key, settings),
    )


def _take_upload(key: str, settings: Settings) -> None:
    upload = st.session_state[key]
    if upload is None:
        _put(None)
    else:
        _put(result.choose(upload.name, upload.getvalue(), settings.max_pixels))


def _put(chosen: result.Picture | None) -> None:
    st.session_state[_PICTURE] = chosen
    st.session_state[_OUTCOME] = None
    st.session_state[_ASKED] = False


def version_chooser(client: GatewayClient, model: str) -> None:
    """Offer the versions of the model if there are several."""
    versions = {version.version: version for version in _versions(client, model)}
    if st.session_state.get(_VERSION) not in versions:
        # A choice that is gone, or none yet: the chooser starts at the default again.
        st.session_state.pop(_VERSION, None)
    if len(versions) < 2:
        return
    names = sorted(versions, key=lambda name: not versions[name].default)
    st.selectbox(
        "Model version",
        names,
        format_func=lambda name: _version_words(versions[name]),
        key=_VERSION,
        width=220,
    )


def _versions(client: GatewayClient, model: str) -> Sequence[ModelVersion]:
    try:
        models = {each.name: each for each in client.models()}
    except GatewayError:
        return ()
    return models[model].versions if model in models else ()


def _version_words(version: ModelVersion) -> str:
    if not version.ready:
        return f"{version.version} (not ready)"
    return f"{version.version} (default)" if version.default else version.version
