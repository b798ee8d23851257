"""Shared by all sub-commands: options, the configuration file, error reporting."""
