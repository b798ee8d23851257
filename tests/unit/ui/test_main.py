"""`python -m ui` becomes Streamlit with the flags that a service needs."""

import os
import subprocess
import sys
from pathlib import Path

from streamlit import config

from ui.__main__ import command
from ui.settings import Settings

ROOT = Path(__file__).parents[3]


def test_every_flag_is_an_option_of_streamlit() -> None:
    """A flag that Streamlit renames would stop the page from starting."""
    flags = [argument for argument in command(Settings()) if argument.startswith("--")]
    known = config.get_config_options()
    assert [flag for flag in flags if flag[2:].partition("=")[0] not in known] == []


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


def test_a_wrong_setting_is_one_line_that_names_it() -> None:
    """No stack trace at the start either."""
    environment = {**os.environ, "SEGSERVE_UI_PORT": "none"}
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
    assert started.stderr.startswith("SEGSERVE_UI_PORT: ")
    assert len(started.stderr.splitlines()) == 1
