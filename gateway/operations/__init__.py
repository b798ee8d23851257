"""For operators: liveness, readiness and metrics."""
