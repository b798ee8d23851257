"""What a visitor has chosen and got, kept in Streamlit's session between reruns."""

from collections.abc import Mapping, Sequence

import streamlit as st

from ui import result
from ui.client.errors import GatewayError
from ui.client.gateway_client import GatewayClient
from ui.client.responses import ModelVersion
from ui.imaging import input_image
from ui.settings import Settings
from ui.widgets.examples import Example

Outcome = result.Result | GatewayError

# The keys in st.session_state that are ours and not a widget's.
_PICTURE, _OUTCOME, _ASKED, _UPLOADS = "picture", "outcome", "asked", "uploads"
_WISH = "wish"
# The chooser's own: Streamlit forgets it whenever the chooser is not drawn.
_CHOOSER = "version"


def picture() -> input_image.InputImage | None:
    """Give the picture on the table, uploaded or one of the examples."""
    chosen: input_image.InputImage | None = st.session_state.get(_PICTURE)
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
    st.session_state[_OUTCOME] = None
    st.session_state[_ASKED] = True


def answer(client: GatewayClient) -> None:
    """Ask the gateway and keep the outcome, good or bad."""
    try:
        came: Outcome = result.segment(client, st.session_state[_PICTURE], _wish())
    except GatewayError as error:
        came = error
    except Exception:
        # A fault of ours: asked again at every rerun, it would only show again.
        st.session_state[_ASKED] = False
        raise
    # An interrupted script ends here, still asked: its rerun asks for what is chosen by then.
    st.session_state[_OUTCOME] = came
    st.session_state[_ASKED] = False


def take_example(example: Example, settings: Settings) -> None:
    """Put an example on the table, clear the uploader, and ask at once."""
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1
    data = example.path.read_bytes()
    _put(input_image.load(example.path.name, data, settings.max_pixels))
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
        _put(input_image.load(upload.name, upload.getvalue(), settings.max_pixels))


def _put(chosen: input_image.InputImage | None) -> None:
    st.session_state[_PICTURE] = chosen
    st.session_state[_OUTCOME] = None
    st.session_state[_ASKED] = False


def _wish() -> str | None:
    """Give the version that was chosen; None for the default, whichever it is by now."""
    wish: str | None = st.session_state.get(_WISH)
    return wish


def version_chooser(client: GatewayClient) -> None:
    """Offer the versions of the model if there are several, ready or not."""
    versions = _versions(client)
    _forget_if_gone(versions)
    if len(versions) < 2:
        return
    shown = next((each for each in versions if each.version == _wish()), versions[0])
    if st.session_state.get(_CHOOSER) != _version_words(shown):
        st.session_state[_CHOOSER] = _version_words(shown)
    wishes = {_version_words(each): None if each.default else each.version for each in versions}
    st.selectbox(
        "Model version",
        list(wishes),
        key=_CHOOSER,
        on_change=_choose,
        args=(wishes,),
        width=220,
    )


def _forget_if_gone(versions: Sequence[ModelVersion]) -> None:
    # Without a list nobody knows.
    if versions and _wish() not in [each.version for each in versions]:
        st.session_state[_WISH] = None


def _choose(wishes: Mapping[str, str | None]) -> None:
    # A browser may still show the words of an earlier list, which is no choice.
    shown = st.session_state[_CHOOSER]
    if shown in wishes:
        st.session_state[_WISH] = wishes[shown]


def _versions(client: GatewayClient) -> Sequence[ModelVersion]:
    """List the versions, the default first; none if the gateway does not say."""
    try:
        models = client.models()
    except GatewayError:
        return ()
    # A gateway serves one model.
    versions = models[0].versions if models else ()
    return sorted(versions, key=lambda each: not each.default)


def _version_words(version: ModelVersion) -> str:
    if not version.ready:
        return f"{version.version} (not ready)"
    return f"{version.version} (default)" if version.default else version.version
