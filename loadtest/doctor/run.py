"""The command: watch, probe, check, print. Exit codes: 0 fine or advice only, 1 errors, 2 bad usage or no answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import TextIO
from urllib.parse import urlsplit

from . import advise, checks
from .catalogue import RULES
from .client import Client, HttpClient
from .findings import gather
from .probes import Prober
from .report import Report
from .values import Recording, RenditionRecord
from .watch import Options, Watch

FINE, FAILED, UNREACHABLE = 0, 1, 2

MIN_SECONDS, MAX_SECONDS = 1.0, 3_600.0
MAX_RENDITIONS = 32
PROBED = 2
"""Renditions that are probed. Why: one of each kind shows how the server treats them; more would load it."""
PROBE_LIMIT_S = 120.0
"""Longest time for the probes together."""


class UsageError(Exception):
    """An option is out of range, or the URL is none."""


class NotReachable(Exception):
    """There is no answer to the URL, or an error."""


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What the command line says."""

    url: str
    seconds: float = 20.0
    renditions: int = 8
    json: bool = False
    rules: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    insecure: bool = False

    def check(self) -> None:
        """Raise UsageError for what cannot be done."""
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise UsageError("URL: http:// or https:// and a host are needed")
        if not MIN_SECONDS <= self.seconds <= MAX_SECONDS:
            raise UsageError(f"--seconds: between {MIN_SECONDS:.0f} and {MAX_SECONDS:.0f}")
        if not 1 <= self.renditions <= MAX_RENDITIONS:
            raise UsageError(f"--renditions: between 1 and {MAX_RENDITIONS}")
        unknown = sorted({*self.rules, *self.ignored} - RULES.keys())
        if unknown:
            raise UsageError(f"rule {unknown[0]} is not one that is checked; docs/doctor.md lists them")


async def record(client: Client, url: str, options: Options) -> Recording:
    """Watch and probe; raises NotReachable."""
    watch = Watch(client, url, options)
    recording = watch.recording
    try:
        opened = await watch.open()
    finally:
        recording.ended = asyncio.get_running_loop().time()
    if not recording.entry.ok:
        status = recording.entry.status
        raise NotReachable(recording.entry.failure or f"status {status}")
    if opened:
        recording.http2 = await client.offers_http2(url)
        probing = asyncio.ensure_future(_probe(client, recording))
        try:
            await watch.follow()
            await probing
        finally:
            probing.cancel()
        recording.ended = asyncio.get_running_loop().time()
    for text in advise.notes(recording):
        recording.note(text)
    return recording


async def _probe(client: Client, recording: Recording) -> None:
    chosen = probed(recording.renditions)
    try:
        async with asyncio.timeout(PROBE_LIMIT_S):
            await asyncio.gather(*(Prober(client, one).run(deep=n == 0) for n, one in enumerate(chosen)))
    except TimeoutError:
        recording.note("not all requests were tried: the server is too slow")


def probed(renditions: list[RenditionRecord]) -> list[RenditionRecord]:
    """The first variant and the first audio rendition."""
    audio = [record for record in renditions[1:] if record.media is not None and not record.variants]
    return [*renditions[:1], *audio[: PROBED - 1]]


def examine(recording: Recording, *, only: Collection[int] = (), ignored: Collection[int] = ()) -> Report:
    """All checks on what was recorded."""
    return Report(recording, tuple(gather(checks.run(recording), RULES, only=only, ignored=ignored)))


async def diagnose(client: Client, options: DoctorOptions) -> Report:
    """The whole examination; raises NotReachable."""
    recording = await record(client, options.url, Options(options.seconds, options.renditions))
    return examine(recording, only=options.rules, ignored=options.ignored)


def run(options: DoctorOptions, out: TextIO | None = None) -> int:
    """Do what `options` say; the exit code. Raises UsageError."""
    options.check()
    out = out or sys.stdout
    try:
        report = asyncio.run(_run(options))
    except NotReachable as error:
        sys.stderr.write(f"headwater doctor: {options.url}: {error}\n")
        return UNREACHABLE
    except KeyboardInterrupt:
        return UNREACHABLE
    out.write(report.json() if options.json else report.text())
    out.flush()
    return FAILED if report.failed else FINE


async def _run(options: DoctorOptions) -> Report:
    async with HttpClient(insecure=options.insecure) as client:
        return await diagnose(client, options)
