"""The routes: HTTP in, one call, HTTP out."""
