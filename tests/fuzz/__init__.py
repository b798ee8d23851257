"""Targets for coverage-guided fuzzing: whatever strangers send, only our own refusals may leave."""

import scripts  # noqa: F401  # makes the handler's package importable, as in the archive
