"""The routes of the administration: HTTP only, then one call."""
