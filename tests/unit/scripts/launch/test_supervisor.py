"""What the one command hears: its parts when they are up, and the signals to stop."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.launch.supervisor import Stopped, StopSignals, _answers
from tests.unit.scripts.folder_server import serving

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def _handlers() -> Iterator[None]:
    """The test process gets its own back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("absent_proxy")
def test_a_part_is_asked_directly_behind_a_proxy(tmp_path: Path) -> None:
    """Nothing but this machine is asked whether a part of it is up."""
    with serving(tmp_path) as url:
        assert _answers(f"{url}/")
        assert not _answers(f"{url}/readyz")


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_an_order_to_stop(number: signal.Signals) -> None:
    """Ctrl-C, a service manager, and the terminal that is closed."""
    signal.signal(number, lambda _number, _frame: None)
    stop_signals = StopSignals()
    signal.raise_signal(number)
    with pytest.raises(Stopped):
        stop_signals.wait(0)


@pytest.mark.usefixtures("_handlers")
def test_a_closed_terminal_is_no_order_under_nohup() -> None:
    """It was started so that it goes on."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_signals = StopSignals()
    signal.raise_signal(signal.SIGHUP)
    stop_signals.wait(0)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
