"""`headwater purge`: tells an edge's admin listener to forget what it keeps."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings

TIMEOUT_S = 10.0
MAX_ANSWER = 1 << 16


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The command and its options."""
    command = commands.add_parser(
        "purge",
        help="make an edge forget a URL, all below a prefix, or a stream",
        description="Make an edge forget what it keeps of a URL, of all below a prefix, or of a stream. Purge from the "
        "origin outward: the shields first, then the leaves.",
        epilog="Exit codes: 0 done, 1 the edge did not do it, 2 bad usage.",
    )
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("url", nargs="?", metavar="URL", help="a URL or its path; without a query, with every query")
    what.add_argument("--prefix", metavar="URL", help="all whose path begins so; a folder ends in a slash")
    what.add_argument("--stream", metavar="URL", help="a playlist, its folder, and all that it leads to")
    command.add_argument("--soft", action="store_true", help="keep it as stale: ask the upstream whether it changed")
    command.add_argument("--admin", metavar="URL", help="the edge's admin listener (default: as edge.admin says)")
    return command


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Send the order; the exit code."""
    import http.client
    import urllib.error
    import urllib.request

    from .demo import local_host

    admin = settings.edge.admin
    base = (options.admin or f"http://{local_host(admin.host)}:{admin.port}").rstrip("/")
    if not base.startswith(("http://", "https://")):
        print(f"headwater purge: --admin {base}: not an http:// or https:// URL", file=sys.stderr)
        return 2
    what = "prefix" if options.prefix is not None else "stream" if options.stream is not None else "url"
    order = {what: getattr(options, what), "soft": options.soft}
    try:
        request = urllib.request.Request(  # noqa: S310  (the scheme was looked at)
            f"{base}/purge", json.dumps(order).encode(), {"Content-Type": "application/json"}
        )
        # Never by way of a proxy that the environment names: its loopback is another one.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=TIMEOUT_S) as answer:
            purged = json.loads(answer.read(MAX_ANSWER))["purged"]
        counts = ", ".join(f"{int(count)} {name}" for name, count in purged.items())
    except urllib.error.HTTPError as error:
        try:
            text = error.read(MAX_ANSWER).decode(errors="replace")
        except (OSError, http.client.HTTPException) as broken:
            text = f"{error.reason} ({broken})"
        print(f"headwater purge: {base}: {error.code}: {_shown(text)}", file=sys.stderr)
        return 2 if error.code == http.client.BAD_REQUEST else 1
    except (OSError, http.client.HTTPException) as error:
        print(f"headwater purge: {base}: {_shown(str(getattr(error, 'reason', None) or error))}", file=sys.stderr)
        return 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        print(f"headwater purge: {base}: this is no edge's admin listener", file=sys.stderr)
        return 1
    print(f"purged: {counts}")
    return 0


def _shown(text: str) -> str:
    """On one line, without what would control a terminal: whoever listens there wrote it."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
