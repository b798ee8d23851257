"""What the one command hears: its parts when they are up, and the signals to stop."""

import signal
from pathlib import Path

import pytest

from scripts.launch.supervisor import Stopped, StopSignals, _answers
from tests.child_process import run_in_child
from tests.unit.scripts.folder_server import serving

pytestmark = pytest.mark.slow

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.usefixtures("absent_proxy")
def test_a_part_is_asked_directly_behind_a_proxy(tmp_path: Path) -> None:
    """Nothing but this machine is asked whether a part of it is up."""
    with serving(tmp_path) as url:
        assert _answers(f"{url}/")
        assert not _answers(f"{url}/readyz")


def _receive(number: signal.Signals, before: signal.Handlers) -> tuple[bool, bool]:
    """(whether a signal was an order to stop, whether its handler is the one of before)."""
    signal.signal(number, before)
    stop_signals = StopSignals()
    signal.raise_signal(number)
    try:
        stop_signals.wait(0)
    except Stopped:
        return True, signal.getsignal(number) == before
    return False, signal.getsignal(number) == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_an_order_to_stop(number: signal.Signals) -> None:
    """Ctrl-C, a service manager, and the terminal that is closed."""
    assert run_in_child(_receive, number, signal.SIG_DFL) == (True, False)


def test_a_closed_terminal_is_no_order_under_nohup() -> None:
    """It was started so that it goes on."""
    assert run_in_child(_receive, signal.SIGHUP, signal.SIG_IGN) == (False, True)
