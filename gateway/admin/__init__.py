"""Administration of versions, traffic and nodes over HTTP."""
