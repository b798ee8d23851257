"""The command `python -m gateway.keys`: add, list and revoke keys."""

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from gateway.errors import GatewayError
from gateway.keys.store import KeyStore
from gateway.settings import Settings

_DESCRIPTION = "What `python -m gateway.keys` does: add, list and revoke keys."
_COLUMNS = "{:<12}  {:<5}  {:<20}  {:<16}  {:<11}  {}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exit with one line on standard error if it fails."""
    options = _parser().parse_args(arguments)
    try:
        options.command(KeyStore(Settings().keys_file), options)
    except ValidationError as exc:
        fault = exc.errors(include_input=False)[0]
        sys.exit(f"keys: {'.'.join(map(str, fault['loc']))}: {fault['msg']}")
    except GatewayError as exc:
        sys.exit(f"keys: {exc.detail}")


def _add(store: KeyStore, options: argparse.Namespace) -> None:
    key, presented = store.add(options.name, options.role, options.rate, options.concurrency)
    print(f"keys: added {key.id}; this is shown once:", file=sys.stderr)
    print(presented)


def _list(store: KeyStore, _: argparse.Namespace) -> None:
    print(_COLUMNS.format("id", "role", "created", "rate", "concurrency", "name"))
    for key in store.read():
        created = f"{key.created_at:%Y-%m-%d %H:%M:%SZ}"
        row = (key.id, key.role, created, key.rate or "-", key.concurrency or "-", key.name)
        print(_COLUMNS.format(*row))


def _revoke(store: KeyStore, options: argparse.Namespace) -> None:
    store.revoke(options.id)
    print(f"keys: revoked {options.id}; gateways refuse it within seconds", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.keys", description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="add|list|revoke")
    add = commands.add_parser("add", help="make a key and print it, once")
    add.add_argument("--name", required=True, help="whose it is")
    add.add_argument("--role", choices=("user", "admin"), default="user")
    add.add_argument("--rate", help="its own limit, such as 600/minute")
    add.add_argument("--concurrency", type=int, help="its own number of requests at once")
    add.set_defaults(command=_add)
    listing = commands.add_parser("list", help="show all keys, without their secrets")
    listing.set_defaults(command=_list)
    revoke = commands.add_parser("revoke", help="take a key back")
    revoke.add_argument("id", help="as the list shows it")
    revoke.set_defaults(command=_revoke)
    return parser
