"""Every setting of Headwater: type, unit, bounds, default and reason, in one tree.

The TOML file, the environment (`HEADWATER_EDGE__HTTP__PORT=8080`) and the flags (`--edge.http.port 8080`)
all name the same keys. `config.load` reads them; `headwater config show` prints them. Sans-IO.

A field's description says what it does and, after "Why:", the reason for its default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from .section import NAME_PATTERN, Section, wrong
from .settings_encode import Encode
from .settings_freshness import EdgeDisk, Freshness
from .settings_srt import Passphrase, Pull, Srt
from .settings_tls import Tls
from .settings_upstream import MAX_UPSTREAMS, URL_PATTERN, EdgeTiers, EdgeUpstream, PlaylistPath, check_upstreams
from .settings_viewers import Proxy, Tokens, ViewerLimits
from .units import GIB, KIB, MIB, BitRate, Bytes, Count, Milliseconds, Port, Seconds


class Log(Section):
    """[log]"""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is written.")
    format: Literal["auto", "human", "json"] = Field(
        "auto",
        description="How lines are written. Why: human on a terminal, JSON elsewhere, so that a collector can read it.",
    )


class State(Section):
    """[state]"""

    dir: Path = Field(
        Path(".headwater"),
        description="Folder of the per-stream state files. Why: sequence numbers go on after a restart (one small "
        "file per stream); in a container this is the one volume.",
    )


class Publish(Section):
    """[[ingest.publish]]: who may publish what."""

    name: str = Field(
        pattern=r"^(\*|[A-Za-z0-9_-]{1,64})$", description="Stream name that the key opens; `*` opens every name."
    )
    key: SecretStr = Field(
        min_length=8,
        max_length=256,
        description="Secret that the encoder sends as ?key=. Letters, digits, - and _ reach us from every encoder; "
        "others have to be percent-encoded there (FFmpeg splits its URL at a slash in the key).",
    )
    passphrase: Passphrase | None = Field(
        None,
        description="SRT: passphrase of the streams that the key opens, 10 to 79 characters, in place of "
        "`ingest.srt.passphrase`. Who knows it need not send the key.",
    )


class RtmpLimits(Section):
    """[ingest.rtmp.limits]: what one peer may cost."""

    handshake_s: Seconds = Field(10, description="From accept to the end of the handshake.")
    publish_s: Seconds = Field(10, description="From the handshake to an accepted publish.")
    media_idle_s: Seconds = Field(10, description="Without media before a publisher is closed.")
    ping_s: Seconds = Field(20, description="Between pings. Why: finds half-open connections behind a NAT.")
    message_bytes: Bytes = Field(8 * MIB, description="Largest message. Why: the largest 4K keyframes are near 3 MiB.")
    command_bytes: Bytes = Field(64 * KIB, description="Largest command or metadata message.")
    pre_publish_bytes: Bytes = Field(256 * KIB, description="All that is read before publish is accepted.")
    partial_bytes: Bytes = Field(16 * MIB, description="Sum of unfinished messages of one connection.")
    outgoing_bytes: Bytes = Field(256 * KIB, description="Unsent replies to a peer that never reads.")
    chunk_streams: Count = Field(64, description="Chunk streams of one connection.")
    tracks_per_kind: Count = Field(8, description="Video tracks, and audio tracks, of one publisher.")
    connections: Count = Field(1_000, description="Connections of the listener.")
    connections_per_address: Count = Field(
        64, description="Connections of one remote address. Why: venues put many encoders behind one NAT."
    )
    bitrate: BitRate = Field(
        100_000_000, description="Of one publisher, averaged over 2 s; above it reading is paused."
    )


class Rtmp(Section):
    """[ingest.rtmp]"""

    enabled: bool = Field(True, description="Listen for RTMP.")
    host: str | None = Field(
        None,
        description="Address to bind. Unset: every address when publish keys are configured, else 127.0.0.1. "
        "Why: an open ingest on a public address is somebody else's stream by morning.",
    )
    port: Port = Field(1935, description="RTMP over TCP.")
    tls_port: Port = Field(1936, description="RTMPS; used when `certificate` is set.")
    certificate: Path | None = Field(None, description="PEM chain for RTMPS.")
    private_key: Path | None = Field(None, description="PEM key for RTMPS; unset: it is in `certificate`.")
    limits: RtmpLimits = RtmpLimits()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.private_key is not None and self.certificate is None:
            raise wrong("private_key", "needs `certificate` beside it")
        if self.certificate is not None and self.port == self.tls_port != 0:
            raise wrong("tls_port", "the same port as `port`")
        return self


class Ingest(Section):
    """[ingest]"""

    publish: tuple[Publish, ...] = Field(
        (), description="Publish keys; none: anybody who reaches the listener may publish, and it is bound to loopback."
    )
    applications: tuple[str, ...] = Field(
        ("live",), min_length=1, description="Application names that are accepted: what stands before the stream name."
    )
    max_streams: Count = Field(200, description="Streams known at once, those in their linger time included.")
    takeover_silence_s: Seconds = Field(
        3,
        description="A second publisher takes the name over when the first has been silent this long. "
        "Why: an encoder that lost its network returns at once; a busy name cannot be hijacked.",
    )
    linger_s: Seconds = Field(
        60,
        description="How long a stream goes on (as GAP) without a publisher before it ends. Why: one window, so "
        "that players outlive an encoder restart.",
    )
    late_track_ms: Milliseconds = Field(500, description="Longest wait for a track that is behind or not there yet.")
    ahead_s: Seconds = Field(
        2,
        description="How far media may run ahead of the wall clock before reading is paused (files pushed "
        "faster than real time).",
    )
    pull: tuple[Pull, ...] = Field((), max_length=200, description="Streams that are fetched from SRT listeners.")
    rtmp: Rtmp = Rtmp()
    srt: Srt = Srt()
    encode: Encode = Encode()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [pull.name for pull in self.pull]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise wrong(f"pull.{index}.name", "another [[ingest.pull]] has this name")
        passphrases: dict[str, SecretStr] = {}
        for index, entry in enumerate(self.publish):
            if (
                entry.passphrase is not None
                and passphrases.setdefault(entry.name, entry.passphrase) != entry.passphrase
            ):
                raise wrong(f"publish.{index}.passphrase", f"another one than before for {entry.name}: one per name")
        return self


class OriginHttp(Section):
    """[origin.http]"""

    host: str = Field("127.0.0.1", description="Address to bind. Why: viewers belong on the edge.")
    port: Port = Field(8081, description="Origin HTTP.")
    connections: Count = Field(10_000, description="Open connections; above it 503 and close.")
    max_held: Count = Field(100_000, description="Held requests of all streams; above it 503.")
    held_start_s: Seconds = Field(
        10, description="How long a request for a stream that is starting is held before 503 with Retry-After."
    )


class Admin(Section):
    """[origin.admin], [edge.admin]"""

    host: str = Field("127.0.0.1", description="Address to bind. Why: metrics and control are not for viewers.")
    port: Port = Field(0, description="Metrics, health and control.")


class Origin(Section):
    """[origin]"""

    part_target_ms: Annotated[int, Field(ge=200, le=2_000, json_schema_extra={"unit": "ms"})] = Field(
        520,
        description="PART-TARGET; raised before the first publication until every track fits. Why: four equal "
        "parts in a 2 s segment at 23.976 to 60 fps within the 85 % rule.",
    )
    segment_s: Annotated[float, Field(ge=0.5, le=10, json_schema_extra={"unit": "s"})] = Field(
        2, description="Segments end at the first keyframe after this much."
    )
    target_duration_s: Annotated[int, Field(ge=1, le=20, json_schema_extra={"unit": "s"})] = Field(
        4, description="EXT-X-TARGETDURATION; without a keyframe by then the segment is cut all the same."
    )
    window_s: Annotated[float, Field(ge=6, le=86_400, json_schema_extra={"unit": "s"})] = Field(
        60, description="What a playlist shows; at least 9 target durations are kept."
    )
    first_playlist_s: Annotated[float, Field(ge=0, le=120, json_schema_extra={"unit": "s"})] | None = Field(
        None,
        description="Media that a new stream has before its first playlist is served; unset: HOLD-BACK (three "
        "target durations). Why: AVPlayer loops on a shorter window.",
    )
    stream_bytes: Bytes = Field(
        512 * MIB, description="Media bytes kept of one stream; above it the oldest segments go early, with a warning."
    )
    http: OriginHttp = OriginHttp()
    admin: Admin = Admin(port=9601)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.segment_s > self.target_duration_s:
            raise wrong("segment_s", f"longer than `target_duration_s`, {self.target_duration_s} s")
        if self.part_target_ms > self.segment_s * 1000:
            raise wrong("part_target_ms", f"longer than `segment_s`, {self.segment_s:g} s")
        if self.first_playlist_s is not None and self.first_playlist_s > self.window_s:
            raise wrong("first_playlist_s", f"longer than `window_s`, {self.window_s:g} s")
        return self


class EdgeHttp(Section):
    """[edge.http]: what viewers reach."""

    host: str = Field("", description="Address to bind; empty: every address.")
    port: Port = Field(8080, description="Viewers' HTTP.")
    backlog: Count = Field(4_096, description="Connections the kernel queues. Why: a show starts for all at once.")
    connections: Count = Field(50_000, description="Open viewer connections; above it 503 and close.")
    header_bytes: Bytes = Field(16 * KIB, description="Request line and headers; above it 431 (line: 414).")
    header_s: Seconds = Field(10, description="To send a whole request head; above it 408.")
    idle_s: Seconds = Field(75, description="Keep-alive without a request.")
    pipeline: Count = Field(16, description="Requests read ahead on one connection.")
    write_high_bytes: Bytes = Field(256 * KIB, description="Unsent bytes above which no further answer is written.")
    write_stall_s: Seconds = Field(
        20, description="Without progress on a full write buffer before the connection is closed."
    )
    write_least_bytes_s: Bytes = Field(
        4 * KIB,
        description="Least rate, bytes per second, at which what was written has to be read, however steadily. Why: "
        "a quarter of the ladder's audio; whoever reads a byte at a time holds memory for ever.",
    )
    tls: Tls = Tls()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tls.enabled and self.port == self.tls.port != 0:
            raise wrong("tls.port", "the same port as `port`")
        return self


MAX_WORKERS = 256
"""Why: as many cores as a large machine has."""


class Edge(Section):
    """[edge]"""

    upstream: str | None = Field(
        None,
        pattern=URL_PATTERN,
        description="Base URL of the origin or the tier above, or `unix:/PATH`; unset, and no `upstreams`: the "
        "origin of this machine (http://127.0.0.1:8081).",
    )
    upstreams: tuple[EdgeUpstream, ...] = Field(
        (), max_length=MAX_UPSTREAMS, description="Several upstreams, in place of `upstream`."
    )
    node: str = Field("edge", pattern=NAME_PATTERN, description="Name in Cache-Status and Via.")
    workers: Annotated[int, Field(ge=0, le=MAX_WORKERS, json_schema_extra={"unit": "count"})] = Field(
        1,
        description="Processes that serve viewers; 0: one per usable core. Above 1 one more, the node, asks the "
        "upstreams once for all of them. Why 1: a core holds thousands of viewers, and each process takes 70 MB; a "
        "machine that only serves viewers wants 0.",
    )
    hang_s: Annotated[float, Field(ge=2, le=3_600, json_schema_extra={"unit": "s"})] = Field(
        10,
        description="Without a sign of life of the node or a worker before it is killed and replaced; used with "
        "several workers. Why: it gives one twice a second, and a process that is only slow must not lose its viewers.",
    )
    cache_bytes: Bytes = Field(
        1 * GIB,
        description="Memory for cached objects. With several workers the node gets half and they share the rest.",
    )
    object_bytes: Bytes = Field(
        64 * MIB, description="Largest object that is cached; a larger one passes through while it comes."
    )
    upstream_connections: Count = Field(256, description="Connections to the upstream.")
    upstream_timeout_s: Seconds = Field(
        40,
        description="For a held upstream request. Why: more than three target durations, so that the upstream's "
        "own 503 arrives first.",
    )
    connect_timeout_s: Seconds = Field(3, description="To reach the upstream.")
    upstream_stall_s: Seconds = Field(
        10,
        description="Between two pieces of a body that viewers already read while it comes; above it another upstream "
        "is asked for the rest. Why: longer than a segment of a slow encoder, shorter than a player waits.",
    )
    held: Count = Field(100_000, description="Held viewer requests; above it 503.")
    followers: Count = Field(2_000, description="Live playlists followed at once.")
    follow_grace_s: Seconds = Field(30, description="How long a playlist is followed after its last viewer.")
    pins: tuple[PlaylistPath, ...] = Field(
        (),
        max_length=200,
        description="Paths of playlists that are followed from the start, without viewers, with all that they lead to: "
        '`["/live/NAME/index.m3u8"]`. More at run time: POST /pins on the admin listener.',
    )
    tiers: EdgeTiers = EdgeTiers()
    freshness: Freshness = Freshness()
    disk: EdgeDisk = EdgeDisk()
    http: EdgeHttp = EdgeHttp()
    tokens: Tokens = Tokens()
    limits: ViewerLimits = ViewerLimits()
    proxy: Proxy = Proxy()
    admin: Admin = Admin(port=9602)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.upstream is not None and self.upstreams:
            raise wrong("upstream", "there are `upstreams` too: say all of them there")
        check_upstreams(self.upstreams, self.node)
        if self.object_bytes > self.cache_bytes:
            raise wrong("object_bytes", f"more than `cache_bytes`, {self.cache_bytes}")
        return self


class Demo(Section):
    """[demo]: what `headwater up --demo` publishes."""

    name: str = Field("demo", pattern=NAME_PATTERN, description="Stream name.")
    width: Annotated[int, Field(ge=160, le=3840, multiple_of=2, json_schema_extra={"unit": "px"})] = Field(
        1280, description="Picture width."
    )
    height: Annotated[int, Field(ge=90, le=2160, multiple_of=2, json_schema_extra={"unit": "px"})] = Field(
        720, description="Picture height."
    )
    fps: Annotated[int, Field(ge=1, le=60, json_schema_extra={"unit": "1/s"})] = Field(30, description="Frame rate.")
    bitrate: Annotated[int, Field(ge=100_000, le=50_000_000, json_schema_extra={"unit": "bit/s"})] = Field(
        2_500_000, description="Video bit rate."
    )


class Settings(Section):
    """The whole tree."""

    log: Log = Log()
    state: State = State()
    ingest: Ingest = Ingest()
    origin: Origin = Origin()
    edge: Edge = Edge()
    demo: Demo = Demo()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # Rule 162: the edge waits longer than the origin may hold a request.
        held_s = 3 * self.origin.target_duration_s
        if self.edge.upstream is None and not self.edge.upstreams and self.edge.upstream_timeout_s <= held_s:
            raise wrong("edge.upstream_timeout_s", f"not above three target durations of the origin, {held_s} s")
        return self
