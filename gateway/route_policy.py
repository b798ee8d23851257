"""Route policy: which paths are public, need the role admin, count against quotas or are probes.

Access, quotas, telemetry and the OpenAPI document all read this one table.
"""

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

UNMATCHED: Final = "unmatched"


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of a path; the defaults apply to every path that is not in the table.

    public: answered without a key.
    admin: needs a key with the role admin, where keys are required.
    administration: changes the gateway itself; without keys, only requests with the machine's
        token pass.
    counted: a POST counts against its sender's rate and concurrency.
    probe: polled every few seconds, so it is logged at debug level and not traced.
    """

    public: bool = False
    admin: bool = False
    administration: bool = False
    counted: bool = True
    probe: bool = False


_PROBE: Final = Policy(public=True, probe=True)
_PUBLIC: Final = Policy(public=True)
# A path, or a prefix of paths if it ends with an asterisk. A new route needs a key by default.
POLICIES: Final = {
    "/healthz": _PROBE,
    "/readyz": _PROBE,
    "/v2/health/live": _PROBE,
    "/v2/health/ready": _PROBE,
    "/v1/label-studio/health": _PROBE,
    "/v1/label-studio/setup": Policy(counted=False),  # a handshake, no inference
    "/v2/repository/index": Policy(counted=False),  # no inference either
    "/metrics": Policy(admin=True, probe=True),
    "/docs": _PUBLIC,
    "/docs/assets/*": _PUBLIC,
    "/openapi.json": _PUBLIC,
    "/v1/agent/*": Policy(public=True, counted=False, probe=True),  # it has a token of its own
    "/v1/admin*": Policy(admin=True, administration=True, counted=False),
}
_DEFAULT: Final = Policy()
_PREFIXES: Final = tuple(
    (path.removesuffix("*"), policy) for path, policy in POLICIES.items() if path.endswith("*")
)

# Prefixes of the routes that change the gateway itself.
ADMINISTRATION: Final = tuple(prefix for prefix, policy in _PREFIXES if policy.administration)


def policy_of(path: str) -> Policy:
    """Return the policy for a request's path or for the template of a route."""
    if exact := POLICIES.get(path):
        return exact
    return next((policy for prefix, policy in _PREFIXES if path.startswith(prefix)), _DEFAULT)


def is_counted(method: str, path: str) -> bool:
    """Whether a request counts against its sender's rate and concurrency."""
    return method == "POST" and policy_of(path).counted


def route_template(scope: Scope) -> str:
    """Return the template of a request's route, which bounds the number of label values."""
    template = getattr(scope.get("route"), "path_format", None)
    if template:
        return str(template)
    mount = str(scope.get("root_path", "")).removeprefix(scope.get("app_root_path", ""))
    return f"{mount}/{{path}}" if mount else UNMATCHED
