"""Where the gate's keys come from: settings, files that are watched, a key set behind a URL that is fetched.

What is there at the start has to be well-formed. What becomes unreadable later leaves the last good keys in use, with
a warning in the log.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import aiohttp
import structlog

from headwater.config.settings_viewers import Tokens

from .filemark import Mark, mark
from .gate import Gate
from .jwts import MAX_DOCUMENT_BYTES, KeySet, KeySetError
from .tokens import MIN_SECRET_BYTES
from .unusable import Unusable

log = structlog.get_logger("headwater.edge")

LOOK_S = 2.0
"""Between looks at the files. Why: a stat costs microseconds, and a rotation is soon everywhere."""
RETRY_S = 5.0
"""After a fetch that failed; and the least time between fetches that unknown keys cause. Why: who sends tokens with
made-up key ids must not make us a nuisance to the issuer."""
FETCH_S = 10.0
MAX_FILE_KEYS = 64
MAX_FILE_BYTES = 64 << 10

_LINE = re.compile(r"([A-Za-z0-9_-]{1,32})[ \t]+(\S+)")


class KeyFileError(Unusable, ValueError):
    """A key file cannot be used; the message names it and says why, without a secret."""

    setting = "edge.tokens"


def read_key_file(path: Path) -> dict[str, bytes]:
    """`ID SECRET` per line, in the file's order; empty lines and those that begin with # mean nothing.

    Raises KeyFileError.
    """
    secrets: dict[str, bytes] = {}
    for number, line in enumerate(_text(path, MAX_FILE_BYTES).decode("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or len(match[2].encode()) < MIN_SECRET_BYTES:
            raise KeyFileError(
                f"{path}: line {number}: not an id and a secret of at least {MIN_SECRET_BYTES} characters"
            )
        if match[1] in secrets:
            raise KeyFileError(f"{path}: line {number}: the id {match[1]} is there twice")
        secrets[match[1]] = match[2].encode()
    if not secrets or len(secrets) > MAX_FILE_KEYS:
        raise KeyFileError(f"{path}: has {len(secrets)} keys; 1 to {MAX_FILE_KEYS} are wanted")
    return secrets


def secrets_of(settings: Tokens) -> dict[str, bytes]:
    """All secrets that sign tokens, those of the settings first. Raises KeyFileError."""
    secrets = {key.id: key.secret.get_secret_value().encode() for key in settings.keys}
    for name, secret in (read_key_file(settings.key_file) if settings.key_file is not None else {}).items():
        if name in secrets:
            raise KeyFileError(f"{settings.key_file}: the id {name} is also in edge.tokens.keys")
        secrets[name] = secret
    return secrets


def read_key_set(settings: Tokens) -> KeySet | None:
    """The key set of a file; None when it is none or behind a URL. Raises KeyFileError."""
    source = settings.jwt.jwks
    if source is None or _is_url(source):
        return None
    try:
        return KeySet.parse(_text(Path(source), MAX_DOCUMENT_BYTES), settings.jwt.issuer, settings.jwt.audience)
    except KeySetError as error:
        raise KeyFileError(f"{source}: {error}") from None


class Keyring:
    """Keeps a gate's keys current; one per edge."""

    def __init__(self, settings: Tokens, gate: Gate) -> None:
        self._settings = settings
        self._gate = gate
        self._next = 0.0
        self._watched: list[tuple[Path, Callable[[], None]]] = []
        self._seen: dict[Path, Mark] = {}
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    def start(self) -> None:
        """Load all keys. Raises KeyFileError. A key set behind a URL comes later; tokens wait for it with 503."""
        settings = self._settings
        if settings.key_file is not None:
            self._watched.append((settings.key_file, self._load_secrets))
        source = settings.jwt.jwks
        if source is not None:
            self._gate.expect_jwt(self._wanted.set)
            if _is_url(source):
                loop = asyncio.get_running_loop()
                self._task = loop.create_task(self._keep_fetching(source), name="token keys")
            else:
                self._watched.append((Path(source), self._load_key_set))
                self._load_key_set()
        self._seen = {path: mark(path) for path, _ in self._watched}
        self._load_secrets()

    def look(self, now: float) -> None:
        """Read again what changed; to be called often, `now` in monotonic seconds."""
        if now < self._next:
            return
        self._next = now + LOOK_S
        for path, load in self._watched:
            found = mark(path)
            if found == self._seen[path]:
                continue
            self._seen[path] = found
            try:
                load()
            except KeyFileError as error:
                log.warning("token-keys-unusable", error=str(error), kept="the last good ones")
            else:
                log.info("token-keys-read", file=str(path))

    def hurry(self) -> None:
        """Have the next `look` be one, and fetch what is fetched unless that was within `RETRY_S`."""
        self._next = 0.0
        self._wanted.set()

    async def close(self) -> None:
        """Fetch no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _load_secrets(self) -> None:
        self._gate.use_secrets(secrets_of(self._settings))

    def _load_key_set(self) -> None:
        key_set = read_key_set(self._settings)
        assert key_set is not None  # only files are watched
        self._gate.use_key_set(key_set)

    async def _keep_fetching(self, url: str) -> None:
        jwt = self._settings.jwt
        timeout = aiohttp.ClientTimeout(total=FETCH_S)
        last = b""
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                pause_s = RETRY_S
                try:
                    document = await _fetched(session, url)
                    if document != last:
                        self._gate.use_key_set(KeySet.parse(document, jwt.issuer, jwt.audience))
                        last = document
                        log.info("token-keys-read", url=url)
                    pause_s = jwt.refresh_s
                except (aiohttp.ClientError, OSError, TimeoutError, KeySetError) as error:
                    log.warning("token-keys-unusable", url=url, error=str(error) or type(error).__name__)
                await asyncio.sleep(min(RETRY_S, pause_s))
                self._wanted.clear()
                await _either(self._wanted, pause_s - RETRY_S)


async def _fetched(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, allow_redirects=False, headers={"User-Agent": "headwater-edge"}) as response:
        if response.status != 200:
            raise KeySetError(f"answered {response.status}")
        pieces = bytearray()
        async for piece in response.content.iter_any():
            pieces += piece
            if len(pieces) > MAX_DOCUMENT_BYTES:
                raise KeySetError(f"larger than {MAX_DOCUMENT_BYTES} bytes")
        return bytes(pieces)


async def _either(event: asyncio.Event, limit_s: float) -> None:
    """Until the event is set or the time is over."""
    try:
        async with asyncio.timeout(max(0.0, limit_s)):
            await event.wait()
    except TimeoutError:
        return


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _text(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise KeyFileError(f"{path}: larger than {limit} bytes")
    return data
