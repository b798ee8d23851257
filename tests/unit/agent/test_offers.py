"""What came with a node is offered to a gateway, and again to another database."""

import json
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from agent.agent import Agent
from agent.disk import desired as on_disk
from agent.disk import offers as offers_module
from agent.disk.offers import Offers
from agent.gateway import Gateways
from agent.messages import Desired
from agent.settings import Settings
from tests.unit.agent.http_double import Answer, Asked, answering, closed_url, in_json
from tests.unit.agent.waiting import until

MODEL = "deeplabv3"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An agent without TorchServe."""
    return Settings(folder=tmp_path, node="a", node_token="a-token")


def _seed(folder: Path) -> Path:
    """An archive that came with the node."""
    seed = folder / f"{MODEL}-1.0.mar"
    with zipfile.ZipFile(seed, "w") as file:
        manifest = {"model": {"modelName": MODEL, "modelVersion": "1.0"}}
        file.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    return seed


def test_another_database_is_offered_what_came_with_the_node(
    settings: Settings, tmp_path: Path
) -> None:
    """And what was served is served until it has all of it; nothing is made stable over its head.

    Beside the reports: however long an offer takes, the node is heard.
    """
    heard, may_answer = [7, 8], threading.Event()
    may_answer.set()

    def decide(asked: Asked) -> Answer:
        if asked.path == "/v1/agent/heartbeat":
            return in_json({"generation": heard[-1], "models": {}})
        may_answer.wait(20)
        return in_json({"needs_archive": False, "refusal": None})

    with answering(decide) as gateway:
        chosen = replace(
            settings,
            gateway_urls=(gateway.url,),
            seeds=(_seed(tmp_path),),
            seed_is_stable="a start",
        )
        agent = Agent(chosen)

        def offered() -> list[bool]:
            asked = [each for each in gateway.asked if each.path == "/v1/agent/seeds"]
            return [json.loads(each.body)["stable"] for each in asked]

        assert agent._report(None)
        until(lambda: not agent._offers.is_waiting)
        may_answer.clear()
        heard.append(1)
        for _ in range(3):
            assert agent._report(None)
            assert agent._message(None).generation == 8
            assert on_disk.load(settings.folder) == Desired(8)
        may_answer.set()
        until(lambda: not agent._offers.is_waiting)
        assert agent._message(None).generation == 8
        assert agent._report(None)
        assert agent._message(None).generation == 1
        assert on_disk.load(settings.folder) == Desired(1)
        assert offered() == [True, False]


def test_a_chosen_seed_that_waits_is_made_stable_in_another_database(
    settings: Settings, tmp_path: Path
) -> None:
    """It was chosen for this start, whatever database answers."""
    stable = []

    def decide(asked: Asked) -> Answer:
        if asked.path == "/v1/agent/heartbeat":
            return in_json({"generation": 1, "models": {}})
        stable.append(json.loads(asked.body)["stable"])
        return in_json({"needs_archive": False, "refusal": None})

    on_disk.save(settings.folder, Desired(8))
    with answering(decide) as gateway:
        chosen = replace(
            settings, gateway_urls=(gateway.url,), seeds=(_seed(tmp_path),), seed_is_stable="x"
        )
        agent = Agent(chosen)
        assert agent._report(None)
        until(lambda: not agent._offers.is_waiting)
    assert stable == [True]


def test_an_offer_on_its_way_may_reach_the_former_database(
    settings: Settings, tmp_path: Path
) -> None:
    """So it is made again, for the other one; a refusal is an answer too."""
    held, said, offers = threading.Event(), list[str](), list[str]()

    def decide(asked: Asked) -> Answer:
        offers.append(json.loads(asked.body)["version"])
        held.wait(20)
        return in_json({"detail": "The version is retired."}, 409)

    with answering(decide) as gateway:
        chosen = replace(settings, seeds=(_seed(tmp_path),))
        waiting = Offers(chosen, Gateways([gateway.url], tmp_path / "none", "a"), said.append)
        for _ in range(2):
            waiting.go_on()
        until(lambda: offers)
        waiting.again()
        held.set()
        until(lambda: not waiting.is_waiting)
    assert offers == ["1.0", "1.0"]
    assert all("is not taken: " in each and "retired" in each for each in said)


def test_a_gateway_that_is_away_is_asked_again_later(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says so."""
    monkeypatch.setattr(offers_module, "OFFER_AGAIN_S", 0.0)
    said = list[str]()
    chosen = replace(settings, seeds=(_seed(tmp_path),))
    waiting = Offers(chosen, Gateways([closed_url()], tmp_path / "none", "a"), said.append)
    for _ in range(3):
        waiting.go_on()
        assert waiting._thread is not None
        waiting._thread.join(20)
    assert waiting.is_waiting
    assert len(said) == 1
    assert "could not be offered" in said[0]
