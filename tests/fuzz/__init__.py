"""Targets for coverage-guided fuzzing: untrusted bytes may only cause our own errors."""

import scripts  # noqa: F401  # makes the handler's package importable, as in the archive
