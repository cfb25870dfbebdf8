"""`headwater token`: mints playback tokens and prints the URL that carries one."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from headwater.edge.keyring import KeyFileError, read_key_file, secrets_of
from headwater.edge.tokens import MIN_SECRET_BYTES, ClaimError, mint

from .settings_viewers import Tokens

UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TIME = re.compile(r"(\d{1,9})([smhd]?)")
_KEY = re.compile(r"([A-Za-z0-9_-]{1,32}):(\S+)")


class UsageError(ValueError):
    """What was asked for cannot be minted; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOptions:
    """What to mint; names as the flags."""

    target: str
    """URL or path of what is watched."""
    key: str | None = None
    """`ID:SECRET`."""
    key_file: Path | None = None
    key_id: str | None = None
    """Which of several keys; None: the first."""
    expires: str = "6h"
    not_before: str | None = None
    paths: tuple[str, ...] = ()
    """What it opens; empty: the folder of the target."""
    addresses: tuple[str, ...] = ()


def seconds(text: str) -> int:
    """`90`, `90s`, `15m`, `6h`, `30d` in seconds. Raises UsageError."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"{text}: not a time such as 90s, 15m, 6h or 30d")
    return int(match[1]) * UNITS_S[match[2] or "s"]


def url_with_token(options: TokenOptions, configured: Tokens, unix: float) -> str:
    """The URL (or path) with a fresh token as its prefix. Raises UsageError."""
    parts = urlsplit(options.target)
    if not parts.path.startswith("/"):
        raise UsageError(f"{options.target}: neither a URL with a path nor a path that begins with a slash")
    folder = parts.path[: parts.path.rindex("/") + 1]
    kid, secret = _chosen(options, configured)
    start = None if options.not_before is None else unix + seconds(options.not_before)
    try:
        token = mint(
            kid,
            secret,
            expires=(start or unix) + seconds(options.expires),
            paths=options.paths or (folder,),
            not_before=start,
            networks=options.addresses,
        )
    except ClaimError as error:
        raise UsageError(str(error)) from None
    return urlunsplit(parts._replace(path=f"/t/{token}{parts.path}"))


def _chosen(options: TokenOptions, configured: Tokens) -> tuple[str, bytes]:
    secrets = _secrets(options, configured)
    if not secrets:
        raise UsageError("no key: give --key-file or --key, or configure edge.tokens")
    kid = options.key_id or next(iter(secrets))
    if kid not in secrets:
        raise UsageError(f"no key has the id {kid}; there are {', '.join(secrets)}")
    return kid, secrets[kid]


def _secrets(options: TokenOptions, configured: Tokens) -> Mapping[str, bytes]:
    if options.key is not None:
        match = _KEY.fullmatch(options.key)
        if match is None or len(match[2].encode()) < MIN_SECRET_BYTES:
            raise UsageError(f"--key: not ID:SECRET with a secret of at least {MIN_SECRET_BYTES} characters")
        return {match[1]: match[2].encode()}
    try:
        return read_key_file(options.key_file) if options.key_file is not None else secrets_of(configured)
    except KeyFileError as error:
        raise UsageError(str(error)) from None


def run(options: TokenOptions, configured: Tokens) -> int:
    """Print the URL; the exit code."""
    try:
        print(url_with_token(options, configured, time.time()))  # noqa: TID251  (tokens expire by the wall clock)
    except UsageError as error:
        print(f"headwater token: {error}", file=sys.stderr)
        return 2
    return 0
