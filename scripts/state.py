"""``segserve keys`` and ``segserve db``: the gateway's own commands; nothing else is imported."""

from gateway.keys.command import keys as keys
from gateway.registry.backup.command import db as db
