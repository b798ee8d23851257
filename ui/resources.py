"""Resources that all sessions of the server share: the settings and the gateway client."""

import streamlit as st

from ui.client.gateway_client import GatewayClient
from ui.settings import Settings


@st.cache_resource
def settings() -> Settings:
    """Read the settings from the environment, once."""
    return Settings()


@st.cache_resource
def client() -> GatewayClient:
    """Build the gateway client, once: its connections are kept open and shared."""
    return GatewayClient(settings().gateway_url, settings().timeout_s, api_key=settings().api_key)
