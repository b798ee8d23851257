"""`python -m ui` becomes Streamlit with the flags that a service needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit import config
from streamlit.web.server.app_discovery import discover_asgi_app

from ui.__main__ import command
from ui.settings import Settings

ROOT = Path(__file__).parents[3]


def test_every_flag_is_an_option_of_streamlit() -> None:
    """A flag that Streamlit renames would stop the page from starting."""
    flags = [argument for argument in command(Settings()) if argument.startswith("--")]
    known = config.get_config_options()
    assert [flag for flag in flags if flag[2:].partition("=")[0] not in known] == []


def test_streamlit_finds_the_guarded_application() -> None:
    """Otherwise it would run the file as a script: an empty page without the guard."""
    (script,) = [Path(argument) for argument in command(Settings()) if argument.endswith(".py")]
    found = discover_asgi_app(script)
    assert (found.is_asgi_app, found.import_string) == (True, "server:app")


def test_the_page_is_quiet_closed_and_on_loopback() -> None:
    """No telemetry, no stack traces, no other address unless set."""
    flags = command(Settings(host="127.0.0.1", port=1234, max_image_mb=7))
    for flag in (
        "--server.address=127.0.0.1",
        "--server.port=1234",
        "--server.maxUploadSize=7",
        "--server.enableXsrfProtection=true",
        "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
    ):
        assert flag in flags


@pytest.mark.parametrize(("name", "value"), [("PORT", "none"), ("HOSTS", "http://a.test")])
def test_a_wrong_setting_is_one_line_that_names_it(name: str, value: str) -> None:
    """No stack trace at the start either."""
    environment = {**os.environ, f"SEGSERVE_UI_{name}": value}
    started = subprocess.run(
        [sys.executable, "-m", "ui"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert started.returncode == 2
    assert started.stderr.startswith(f"SEGSERVE_UI_{name}: ")
    assert len(started.stderr.splitlines()) == 1
