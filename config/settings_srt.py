"""[ingest.srt] and [[ingest.pull]]: SRT callers that push to us, and SRT listeners that we pull from. Sans-IO."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from .section import NAME_PATTERN, Section, wrong
from .srturl import PASSPHRASE, BadSrtUrl, SrtUrl, parse_srt_url
from .units import KIB, MIB, BitRate, Bytes, Count, Port, Seconds

Passphrase = Annotated[SecretStr, Field(min_length=PASSPHRASE[0], max_length=PASSPHRASE[1])]
"""10 to 79 characters, as every SRT implementation wants them."""

Latency = Annotated[int, Field(ge=20, le=20_000, json_schema_extra={"unit": "ms"})]
"""What SRT waits for a lost packet to come again."""


class SrtLimits(Section):
    """[ingest.srt.limits]: what the port and one peer may cost."""

    connections: Count = Field(256, description="Connections of the port, waiting ones included.")
    connections_per_address: Count = Field(
        64, description="Of one remote address (IPv6: of one /64). Why: venues put many encoders behind one NAT."
    )
    half_open: Count = Field(128, description="Connections that wait for their passphrase to be checked.")
    half_open_per_address: Count = Field(
        64, description="Of these, of one address. Why: a venue's encoders all return at once after an outage."
    )
    handshakes_per_s: Count = Field(
        2_000, description="First handshakes that are answered; the rest is dropped. Why: an answer costs 20 us."
    )
    key_derivations_per_s: Count = Field(
        50,
        description="Passphrases that are checked (PBKDF2), besides those remembered; the others wait. "
        "Why: each costs 1 to 3 ms of a core and anybody can ask for one.",
    )
    buffer_bytes: Bytes = Field(
        12 * MIB, description="Received, but waiting for a lost packet; of one connection. Why: 12 s at 8 Mbit/s."
    )
    inbox_bytes: Bytes = Field(
        4 * MIB,
        description="Waiting to be read of one publisher that sends faster than real time, or above `bitrate`; above "
        "it the connection is closed. Why: UDP cannot be told to wait.",
    )
    socket_bytes: Bytes = Field(
        24 * MIB,
        description="Kernel's receive buffer of the port. Why: 2 s of 50 callers at 2 Mbit/s, should the server be "
        "busy elsewhere: what waits in it is late, what does not fit is lost. Without CAP_NET_ADMIN Linux gives no "
        "more than net.core.rmem_max; less is said in the log.",
    )
    idle_s: Seconds = Field(5, description="Without a packet before a peer is gone.")
    media_idle_s: Seconds = Field(10, description="Without media before a publisher is closed.")
    tracks_per_kind: Count = Field(8, description="Video tracks, and audio tracks, of one publisher.")
    bitrate: BitRate = Field(100_000_000, description="Of one publisher, averaged over 2 s.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.buffer_bytes < 64 * KIB:
            raise wrong("buffer_bytes", f"less than {64 * KIB}: every loss would end in a gap")
        if self.inbox_bytes < 64 * KIB:
            raise wrong("inbox_bytes", f"less than {64 * KIB}: one keyframe would end the connection")
        return self


class Srt(Section):
    """[ingest.srt]"""

    enabled: bool = Field(True, description="Listen for SRT callers.")
    host: str | None = Field(
        None,
        description="Address to bind. Unset: every address when publish keys or a passphrase are configured, else "
        "127.0.0.1. Why: an open ingest on a public address is somebody else's stream by morning.",
    )
    port: Port = Field(8890, description="SRT over UDP; all callers use the one port.")
    latency_ms: Latency = Field(
        120,
        description="Least time that a lost packet is waited for; an encoder that asks for more gets more. Why: "
        "libsrt's default; 4 x the round trip time is what a link with 1 % loss needs, so say it in the encoder.",
    )
    max_latency_ms: Latency = Field(
        8_000, description="Most that an encoder gets. Why: it is the longest gap that viewers may have to wait for."
    )
    early_release: bool = Field(
        True,
        description="Media is passed on as soon as it is complete and in order; the latency is only the limit for "
        "gaps, which players keep as a reserve (it is added to PART-HOLD-BACK). False: at the sender's pace, `latency` "
        "later, as libsrt does. Why: who needs no reserve, a recorder or another server, has it sooner.",
    )
    passphrase: Passphrase | None = Field(
        None,
        description="Every caller has to know it, 10 to 79 characters; streams with a passphrase of their own in "
        "[[ingest.publish]] have that one in its place. It encrypts (AES).",
    )
    key_lengths: tuple[Literal[16, 24, 32], ...] = Field(
        (16, 24, 32), min_length=1, description="AES key lengths in bytes that are accepted; the sender chooses."
    )
    default_stream: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="Stream that a caller without a stream id publishes; unset: such callers are refused.",
    )
    limits: SrtLimits = SrtLimits()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.latency_ms > self.max_latency_ms:
            raise wrong("latency_ms", f"above `max_latency_ms`, {self.max_latency_ms}")
        return self


class Pull(Section):
    """[[ingest.pull]]: a stream that we fetch from an SRT listener."""

    name: str = Field(pattern=NAME_PATTERN, description="Stream name that it gets here.")
    url: SecretStr = Field(
        max_length=2_048,
        description="`srt://HOST:PORT?streamid=ID&passphrase=SECRET&latency=MS`; kept secret, since it may hold one.",
    )
    passphrase: Passphrase | None = Field(None, description="In place of the one in the URL.")
    latency_ms: Latency | None = Field(
        None, description="In place of the one in the URL; unset in both: `ingest.srt.latency_ms`."
    )
    enabled: bool = Field(True, description="False: it stays in the file and is not pulled.")
    retry_min_s: Seconds = Field(1, description="Pause before the first new attempt; doubled with each.")
    retry_max_s: Seconds = Field(30, description="Longest pause. Why: a source that comes back is seen within 30 s.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            parse_srt_url(self.url.get_secret_value())
        except BadSrtUrl as error:
            raise wrong("url", str(error)) from None
        if self.retry_min_s > self.retry_max_s:
            raise wrong("retry_min_s", f"above `retry_max_s`, {self.retry_max_s:g} s")
        return self

    @property
    def target(self) -> SrtUrl:
        """Where to call, what is configured beside the URL put in."""
        parsed = parse_srt_url(self.url.get_secret_value())
        secret = self.passphrase.get_secret_value() if self.passphrase is not None else parsed.passphrase
        latency_ms = self.latency_ms if self.latency_ms is not None else parsed.latency_ms
        return SrtUrl(parsed.host, parsed.port, parsed.stream_id, secret, latency_ms, parsed.key_bytes)
