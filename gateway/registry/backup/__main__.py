"""`python -m gateway.registry.backup`, the command where only the gateway is installed."""

from gateway.registry.backup.command import db

if __name__ == "__main__":
    db(prog_name="python -m gateway.registry.backup")
