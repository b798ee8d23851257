"""The version chooser: a list of the model's versions, the default first."""

from collections.abc import Mapping, Sequence

import streamlit as st

from ui import state
from ui.client.errors import GatewayError
from ui.client.gateway_client import GatewayClient
from ui.client.responses import ModelVersion


def show(client: GatewayClient) -> None:
    """Draw the chooser if the model has several versions, ready or not."""
    versions = _versions(client)
    _drop_removed_selection(versions)
    if len(versions) < 2:
        return
    selected = state.selected_version()
    shown = next((each for each in versions if each.version == selected), versions[0])
    state.show_label(_label(shown))
    # The default is selected as None, so that a new default is followed.
    options = {_label(each): None if each.default else each.version for each in versions}
    st.selectbox(
        "Model version",
        list(options),
        key=state.VERSION_CHOOSER,
        on_change=_select,
        args=(options,),
        width=220,
    )


def _drop_removed_selection(versions: Sequence[ModelVersion]) -> None:
    # No versions means that the list could not be had: the selection may still exist.
    if versions and state.selected_version() not in [each.version for each in versions]:
        state.select_version(None)


def _select(options: Mapping[str, str | None]) -> None:
    # A browser may still show an option of an earlier list; that selects nothing.
    label = state.chosen_label()
    if label in options:
        state.select_version(options[label])


def _versions(client: GatewayClient) -> Sequence[ModelVersion]:
    """Request the versions, the default first; empty if the gateway does not respond."""
    try:
        models = client.models()
    except GatewayError:
        return ()
    # A gateway serves one model.
    versions = models[0].versions if models else ()
    return sorted(versions, key=lambda each: not each.default)


def _label(version: ModelVersion) -> str:
    if not version.ready:
        return f"{version.version} (not ready)"
    return f"{version.version} (default)" if version.default else version.version
