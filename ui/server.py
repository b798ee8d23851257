"""The page as an ASGI application, which `streamlit run` finds and serves."""

from pathlib import Path

from starlette.middleware import Middleware
from streamlit.starlette import App

from ui.guard import Guard
from ui.settings import Settings

_settings = Settings()
app = App(
    Path(__file__).parent / "app.py",
    middleware=[Middleware(Guard, hosts=(_settings.host, *_settings.hosts))],
)
