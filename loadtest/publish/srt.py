"""Publishing over SRT: a real ffmpeg sends, our test picture or a file is its input.

The project's own SRT stack only receives. The picture goes to ffmpeg as FLV through a pipe, in real time; ffmpeg puts
it into MPEG-TS, unchanged, and talks SRT. A file is read by ffmpeg itself.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from headwater.config.srturl import BadSrtUrl, SrtUrl, parse_srt_url

from .amf import Value, encode_all
from .connection import STALL_S, ConnectFailed
from .flv import TagKind
from .options import BadTarget, PublishOptions
from .rtmp import Event, Lost

NEEDED = (
    "publishing over SRT needs an ffmpeg with SRT, and none is there: install ffmpeg (with libsrt) so that it is in "
    "PATH, or the Python package imageio-ffmpeg"
)
PROBE_S = 10.0
"""For an ffmpeg to say what it knows."""
LAST_WORDS_S = 0.5
"""Between the last picture and the end of the pipe. Why: at its end libsrt drops what it has not sent, and with its own
linger option ffmpeg ends without taking leave of the server."""
FAREWELL_S = 3.0
"""For ffmpeg to leave."""
WORDS = 4_096
"""Bytes kept of what ffmpeg says last."""
REFUSALS = {
    "BADSECRET": "the passphrase is another one",
    "UNSECURE": "one side has a passphrase and the other has none",
    "PREDEFINED:400": "the stream id cannot be read, or names no stream",
    "PREDEFINED:401": "the publish key is missing or wrong",
    "PREDEFINED:402": "the server has no room, or too many attempts were made",
    "PREDEFINED:403": "publishing there is not allowed: the key is missing or wrong",
    "PREDEFINED:404": "there is no such application or stream",
    "PREDEFINED:405": "the server does not take publishers there",
    "PREDEFINED:409": "the stream has a publisher",
    "PREDEFINED:503": "the server is going down",
}
"""What libsrt's names of reject reasons mean for a publisher (its access control guidelines)."""
REFUSED = re.compile(r"ERROR:([A-Z]+(?::\d+)?)")
FLV_SOUND, FLV_PICTURE = 4, 1
"""Annex E.2: what the header of an FLV file says is in it."""


def parse_srt_target(url: str) -> SrtUrl:
    """`srt://host:port?streamid=...`. Raises BadTarget with a reason for people."""
    try:
        return parse_srt_url(url)
    except BadSrtUrl as error:
        raise BadTarget(f"bad URL: {error}") from None


def find_ffmpeg() -> str:
    """An ffmpeg that can SRT: from PATH, else of imageio-ffmpeg. Raises ConnectFailed."""
    candidates = [shutil.which("ffmpeg")]
    with contextlib.suppress(ImportError, RuntimeError):
        candidates.append(str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()))
    for candidate in candidates:
        if candidate is not None and _knows_srt(candidate):
            return candidate
    raise ConnectFailed(NEEDED)


def _knows_srt(ffmpeg: str) -> bool:
    try:
        told = subprocess.run(  # noqa: S603  # found in PATH or in a package
            [ffmpeg, "-hide_banner", "-protocols"], capture_output=True, timeout=PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"srt" in told.stdout.split()


def arguments_of(ffmpeg: str, options: PublishOptions, target: SrtUrl) -> list[str]:
    """The command line of ffmpeg."""
    command = [ffmpeg, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    if options.file is None:
        # Without the option ffmpeg reads more than a second before it sends, to guess a frame rate that nobody uses.
        command += ["-fpsprobesize", "0", "-f", "flv", "-i", "pipe:0"]
    else:
        command += ["-re", "-i", str(options.file), "-map", "0:v:0?", *(("-map", "0:a?") if options.audio else ())]
        if options.duration_s is not None:
            command += ["-t", f"{options.duration_s:g}"]
    command += ["-c", "copy", "-flush_packets", "1", "-muxdelay", "0", "-muxpreload", "0"]
    return [*command, "-f", "mpegts", url_of(target)]


def url_of(target: SrtUrl) -> str:
    """The URL as ffmpeg reads it: latency in microseconds, everything else percent-encoded."""
    values: dict[str, str] = {"pkt_size": "1316"}
    if target.stream_id:
        values["streamid"] = target.stream_id
    if target.passphrase:
        values["passphrase"] = target.passphrase
        values["pbkeylen"] = str(target.key_bytes or 16)
    if target.latency_ms is not None:
        values["latency"] = str(target.latency_ms * 1_000)
    return f"{target.shown}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


def flv_start(*, audio: bool) -> bytes:
    """File header (annex E.2) and the size of the tag before the first."""
    return b"FLV\x01" + bytes((FLV_PICTURE | (FLV_SOUND if audio else 0),)) + (9).to_bytes(4, "big") + bytes(4)


def flv_tag(kind: TagKind, timestamp: int, payload: bytes) -> bytes:
    """One tag of an FLV file (annex E.4.1), with its size behind it."""
    stamp = timestamp & 0xFFFFFFFF
    size = len(payload)
    head = bytes((kind,)) + size.to_bytes(3, "big") + (stamp & 0xFFFFFF).to_bytes(3, "big") + bytes((stamp >> 24,))
    return head + bytes(3) + payload + (size + 11).to_bytes(4, "big")


class SrtConnection:
    """An ffmpeg that sends to one SRT listener. Has the face of `connection.Connection`."""

    def __init__(self, options: PublishOptions, target: SrtUrl) -> None:
        """Starts it. Raises ConnectFailed."""
        self.shown = target.shown
        self.bytes_sent = 0
        self._secrets = [text for text in (target.passphrase, target.stream_id) if text]
        self._feeds = options.file is None
        self._out = bytearray(flv_start(audio=options.audio) if self._feeds else b"")
        self._words = b""
        self._progress = time.monotonic()
        self._process = _start(arguments_of(find_ffmpeg(), options, target), feeds=self._feeds)

    @property
    def unsent(self) -> int:
        """Bytes that ffmpeg has not taken yet."""
        return len(self._out)

    def send_metadata(self, values: Mapping[str, Value]) -> None:
        """`onMetaData`."""
        self._put(flv_tag(TagKind.SCRIPT, 0, encode_all("onMetaData", values)))

    def send_media(self, kind: TagKind, timestamp: int, payload: bytes) -> None:
        """One FLV tag."""
        self._put(flv_tag(kind, timestamp, payload))

    def exchange(self, until: float) -> list[Event]:
        """Feeds ffmpeg and listens to it until the monotonic time `until`, or until it is gone."""
        while True:
            self._send()
            now = time.monotonic()
            if self._out and now - self._progress > STALL_S:
                return [Lost(f"ffmpeg took no data for {STALL_S:.0f} s")]
            if self._process.poll() is not None:
                self._listen()
                return [Lost(self._why())]
            if now >= until:
                return []
            self._wait(now, until)

    def ended(self) -> bool:
        """Ffmpeg has sent its file and left."""
        return self._process.poll() == 0

    def close(self, *, politely: bool) -> None:
        """Ends it; `politely`: lets it send what it has."""
        process = self._process
        if politely and self._feeds:
            self.exchange(time.monotonic() + LAST_WORDS_S)
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if not politely or not self._feeds:
            process.terminate()
        try:
            process.wait(FAREWELL_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()

    def _put(self, data: bytes) -> None:
        if not self._out:
            self._progress = time.monotonic()
        self._out += data

    def _send(self) -> None:
        if self._process.stdin is None:
            return
        while self._out:
            try:
                sent = os.write(self._process.stdin.fileno(), self._out)
            except BlockingIOError:
                return
            except OSError:  # it is gone: `exchange` finds out
                self._out.clear()
                return
            del self._out[:sent]
            self.bytes_sent += sent
            self._progress = time.monotonic()

    def _wait(self, now: float, until: float) -> None:
        reading = [self._process.stderr] if self._process.stderr is not None else []
        writing = [self._process.stdin] if self._out and self._process.stdin is not None else []
        readable = select.select(reading, writing, [], max(0.0, until - now))[0]
        if readable and not self._listen():
            # It closed its end: it leaves in a moment.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(FAREWELL_S)

    def _listen(self) -> bool:
        """Reads what ffmpeg says; False: that is over."""
        if self._process.stderr is None:
            return False
        while True:
            try:
                said = os.read(self._process.stderr.fileno(), WORDS)
            except BlockingIOError:
                return True
            if not said:
                return False
            self._words = (self._words + said)[-WORDS:]

    def _why(self) -> str:
        """What ffmpeg said first, without secrets."""
        refused = REFUSED.search(self._words.decode(errors="replace"))
        if refused is not None:
            code = refused.group(1)
            return f"the server refused: {REFUSALS.get(code, code)}"
        lines = [line.strip() for line in self._words.decode(errors="replace").splitlines() if line.strip()]
        said = lines[0].partition("] ")[2] or lines[0] if lines else f"exit code {self._process.returncode}"
        for secret in self._secrets:
            for form in (quote(secret, safe=""), secret):
                said = said.replace(form, "...")
        return f"ffmpeg ended: {said}"


def _start(command: Sequence[str], *, feeds: bool) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(  # noqa: S603  # no shell; the program was found in PATH or in a package
            list(command),
            stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            # Ctrl-C is ours to handle: ffmpeg gets its leave.
            start_new_session=True,
        )
    except OSError as error:
        raise ConnectFailed(f"{Path(command[0]).name} does not start: {error.strerror or error}") from None
    for pipe in (process.stdin, process.stderr):
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
    return process
