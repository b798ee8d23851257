"""The parts that take an image from a route to a node and back, built once."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.admission.cpu_pool import CpuPool
from gateway.admission.slots import Admission
from gateway.admission.upload_budget import UploadBudget
from gateway.models.catalogue import Catalogue
from gateway.segmentation.pipeline import Pipeline
from gateway.segmentation.shadow.mirror import Mirror
from gateway.segmentation.shadow.offering import Offering
from gateway.segmentation.shadow.sums import HourlySums
from gateway.settings import Settings
from gateway.state import State
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.stages import Stages
from gateway.telemetry.tracing import Tracing
from gateway.torchserve.inference import InferenceClient, Liveness
from gateway.torchserve.transport import Timeouts, Transport
from gateway.traffic.dispatch import Dispatcher
from gateway.traffic.fan_out import FanOut
from gateway.traffic.nodes import NodeLoads
from gateway.traffic.trial import Trial


@dataclass(frozen=True)
class Serving:
    """The parts shared by all routes that run the model."""

    catalogue: Catalogue
    dispatcher: Dispatcher
    liveness: Liveness
    budget: UploadBudget
    pool: CpuPool
    pipeline: Pipeline
    mirror: Mirror
    trial: Trial


def build_serving(
    settings: Settings,
    inference: Transport,
    state: State,
    counts: Metrics,
    tracing: Tracing,
) -> Serving:
    """Build the pipeline and its dependencies."""
    liveness, loads = Liveness(), NodeLoads()
    timeouts = Timeouts(connect_s=settings.connect_timeout_s, read_s=settings.deadline_s)
    follower, fleet = state.follower, state.fleet
    catalogue = Catalogue(settings.model, follower, fleet, state.clients)
    dispatcher = Dispatcher(
        InferenceClient(inference, timeouts, liveness), fleet, loads, catalogue.digest
    )
    admission = Admission(settings.max_concurrency, settings.max_queue)
    budget = UploadBudget(settings.max_buffered_bytes)
    counts.watch(lambda: admission.waiting, lambda: admission.in_use, lambda: budget.held)
    pool = CpuPool()
    mirror = Mirror(
        dispatcher.predict,
        catalogue.labels_of,
        admission,
        pool,
        counts.shadow,
        HourlySums(lambda: datetime.now(UTC)),
        state.keep_shadow_hours,
        lambda: _spare(catalogue.stable_workers),
    )
    trial = Trial(catalogue.state_or_none, state.roll_back_canary)
    state.administration.behaviour = trial.behaviour
    state.administration.ask_nodes = FanOut(dispatcher, admission).ask
    pipeline = Pipeline(
        settings,
        catalogue,
        dispatcher,
        admission,
        budget,
        Stages(counts, tracing, catalogue.remembered_labels),
        trial,
        Offering(mirror, catalogue.state_or_none),
    )
    return Serving(catalogue, dispatcher, liveness, budget, pool, pipeline, mirror, trial)


def _spare(workers: int) -> int:
    """How many users' images may be computed while one goes to the shadow: half leave a core."""
    return max(0, (workers - 1) // 2)
