"""An SRT peer that sends, for tests: live mode, handshake version 5, as caller or as listener. Sans-IO.

It is written from the draft and shares with the server only the bytes of key material and the AES of one packet; the
real senders are in `tests/peers`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from headwater.ingest.srt.keys import (
    EVEN,
    ODD,
    PacketCipher,
    build_key_material,
    derive_kek,
    parse_key_material,
    unwrap,
)

HEADER = struct.Struct(">IIII")
FIXED = struct.Struct(">IHHIIIIII16s")
INDUCTION, CONCLUSION = 1, 0xFFFF_FFFF
MASK31 = (1 << 31) - 1
LATENCY_KEPT = 1.25
"""A sender keeps packets for that many latencies, and for a second at least (draft section 4.6)."""


@dataclass
class Profile:
    """How a sender behaves; the defaults are those of ffmpeg."""

    stream_id: str = "#!::r=live/demo,m=publish"
    passphrase: str = ""
    key_length: int = 16
    latency_ms: int = 120
    sequence: int = 1000
    socket_id: int = 77
    clock_offset: float = 0.0
    """What its clock shows at time zero, in seconds."""
    clock_rate: float = 1.0
    answers_acks: bool = True
    drops_late: bool = True
    refresh_after: int = 0
    """A new key after so many packets; 0 for never."""
    announce_before: int = 50
    flags: int = 0xBF
    version: int = 0x010507
    mtu: int = 1500
    flow_window: int = 8192
    extensions: list[tuple[int, bytes]] = field(default_factory=list)
    """Further handshake extensions."""


def text(value: str) -> bytes:
    """A string as an extension holds it: little-endian words."""
    data = value.encode()
    data = data.ljust((len(data) + 3) // 4 * 4, b"\0")
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def extension(kind: int, contents: bytes) -> bytes:
    return struct.pack(">HH", kind, len(contents) // 4) + contents


def control(kind: int, stamp: int, peer: int, *, specific: int = 0, subtype: int = 0, body: bytes = b"") -> bytes:
    return HEADER.pack(0x8000_0000 | kind << 16 | subtype, specific, stamp, peer) + body


def handshake(
    kind: int,
    *,
    version: int = 5,
    encryption: int = 0,
    flags: int = 0,
    sequence: int = 1000,
    mtu: int = 1500,
    window: int = 8192,
    socket_id: int = 77,
    cookie: int = 0,
    extensions: bytes = b"",
    stamp: int = 0,
    peer: int = 0,
) -> bytes:
    body = FIXED.pack(version, encryption, flags, sequence, mtu, window, kind, socket_id, cookie, bytes(16))
    return control(0, stamp, peer, body=body + extensions)


def loss_ranges(body: bytes) -> Iterator[tuple[int, int]]:
    """The ranges of a loss report (draft appendix A)."""
    words = struct.unpack(f">{len(body) // 4}I", body)
    at = 0
    while at < len(words):
        if words[at] >> 31:
            yield words[at] & MASK31, words[at + 1]
            at += 2
        else:
            yield words[at], words[at]
            at += 1


@dataclass
class Kept:
    """A packet that may be asked for again."""

    number: int
    stamp: int
    sent_at: float
    which: int
    payload: bytes


class Sender:
    """The caller, or with `listening` the called side, that sends."""

    def __init__(self, profile: Profile | None = None, *, listening: bool = False) -> None:
        self.profile = profile or Profile()
        self.listening = listening
        self.connected = False
        self.closed = False
        self.rejected = 0
        """Handshake type of a rejection."""
        self.peer = 0
        self.latency_ms = 0
        self.outgoing: list[bytes] = []
        self.acks: list[tuple[int, ...]] = []
        self.light_acks = self.naks = self.keepalives = self.retransmitted = self.drop_requests = self.drops = 0
        self.nak_times: list[float] = []
        self.confirmed_keys: list[bytes] = []
        self.key_states: list[int] = []
        self.answers: list[bytes] = []
        self.received_stream_id = b""
        self.next_sequence = self.profile.sequence
        self._number = 0
        self._kept: dict[int, Kept] = {}
        self._salt = bytes(range(100, 116))
        self._kek = b""
        self._ciphers: dict[int, PacketCipher] = {}
        self._key_count = 0
        self.which = 0
        self._since_key = 0
        self._announced: bytes = b""
        self._announced_at = 0.0
        self._cookie = 0xC00C1E
        if self.profile.passphrase and not listening:
            self._kek = derive_kek(self.profile.passphrase, self._salt, self.profile.key_length)
            self.material = self._new_key(EVEN)
            self.which = EVEN

    def stamp(self, now: float) -> int:
        """The sender's clock."""
        seconds = self.profile.clock_offset + now * self.profile.clock_rate
        return int(seconds * 1_000_000) & 0xFFFF_FFFF

    # Handshake

    def induction(self, now: float) -> bytes:
        profile = self.profile
        return handshake(
            INDUCTION, version=4, flags=2, sequence=profile.sequence, socket_id=profile.socket_id, stamp=self.stamp(now)
        )

    def conclusion(self, cookie: int, now: float) -> bytes:
        profile = self.profile
        capabilities = struct.pack(">IIHH", profile.version, profile.flags, profile.latency_ms, profile.latency_ms)
        extensions, present = extension(1, capabilities), 1
        if profile.stream_id:
            extensions += extension(5, text(profile.stream_id))
            present |= 4
        for kind, contents in profile.extensions:
            extensions += extension(kind, contents)
            present |= 4
        if self._kek:
            extensions += extension(3, self.material)
            present |= 2
        return handshake(
            CONCLUSION,
            encryption=len(self._kek) // 8,
            flags=present,
            sequence=profile.sequence,
            mtu=profile.mtu,
            window=profile.flow_window,
            socket_id=profile.socket_id,
            cookie=cookie,
            extensions=extensions,
            stamp=self.stamp(now),
        )

    def connect(self, now: float) -> None:
        self.outgoing.append(self.induction(now))

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram of the receiver."""
        first, specific, _, destination = HEADER.unpack_from(datagram)
        body = datagram[16:]
        assert first >> 31, "a receiver sends no data"
        assert body and len(body) % 4 == 0, "libsrt takes such a control packet for broken"
        kind = first >> 16 & 0x7FFF
        if kind == 0:
            self._handshake(body, now)
            return
        assert destination == self.profile.socket_id
        if kind == 1:
            self.keepalives += 1
        elif kind == 2:
            self._ack(specific, body, now)
        elif kind == 3:
            self._nak(body, now)
        elif kind == 5:
            self.closed = True
        elif kind == 0x7FFF and first & 0xFFFF == 4:
            self._key_confirmed(body)
        else:
            raise AssertionError(f"a control packet of type {kind}")

    def _handshake(self, body: bytes, now: float) -> None:
        version, _, flags, _, _, _, kind, peer, cookie, _ = FIXED.unpack_from(body)
        if self.listening:
            self._called(kind, peer, flags, cookie, body, now)
        elif 1000 <= kind < 0xFFFF_FF00:
            self.rejected = kind
        elif kind == INDUCTION:
            assert version == 5
            assert flags == 0x4A17
            assert cookie
            self.outgoing.append(self.conclusion(cookie, now))
        elif kind == CONCLUSION:
            self.answers.append(body)
            if not self.connected:
                self._concluded(peer, body)

    def _concluded(self, peer: int, body: bytes) -> None:
        self.connected, self.peer = True, peer
        for kind, contents in blocks(body[48:]):
            if kind == 2:
                self.latency_ms = struct.unpack(">IIHH", contents)[2]
            elif kind == 4:
                self._key_confirmed(contents)
        if self._kek:
            assert self.confirmed_keys == [self.material]

    def _called(self, kind: int, peer: int, present: int, cookie: int, body: bytes, now: float) -> None:
        """The listener's side."""
        profile = self.profile
        if kind == INDUCTION:
            self.outgoing.append(
                handshake(
                    INDUCTION, flags=0x4A17, socket_id=profile.socket_id, cookie=self._cookie, stamp=self.stamp(now),
                    peer=peer,
                )
            )  # fmt: skip
            return
        assert kind == CONCLUSION
        assert cookie == self._cookie
        capabilities = struct.pack(">IIHH", profile.version, profile.flags, profile.latency_ms, profile.latency_ms)
        extensions, answered = extension(2, capabilities), 1
        code = 0
        for what, contents in blocks(body[48:]):
            if what == 5:
                self.received_stream_id = text(contents.decode()).rstrip(b"\0")
            elif what == 3 and profile.passphrase:
                code = self._adopt(contents)
                extensions += extension(4, contents)
                answered |= 2
        if profile.passphrase and not present & 2:
            code = 1011
        if code:
            self.outgoing.append(handshake(code, socket_id=profile.socket_id, stamp=self.stamp(now), peer=peer))
            return
        self.connected, self.peer = True, peer
        self.outgoing.append(
            handshake(
                CONCLUSION, flags=answered, sequence=profile.sequence, socket_id=profile.socket_id, cookie=cookie,
                extensions=extensions, stamp=self.stamp(now), peer=peer,
            )
        )  # fmt: skip

    def _adopt(self, contents: bytes) -> int:
        """Take the caller's key for what is sent."""
        material = parse_key_material(contents)
        self._salt = material.salt
        self._kek = derive_kek(self.profile.passphrase, material.salt, material.length)
        try:
            (self.which, key), *_ = unwrap(material, self._kek).items()
        except Exception:
            return 1010
        self._ciphers[self.which] = PacketCipher(key, material.salt)
        return 0

    # Data

    def send(self, payload: bytes, now: float, *, first_time: bool = True) -> None:
        """One packet; with `first_time` False it is counted as sent, and lost."""
        self._refresh(now)
        sequence = self.next_sequence
        self.next_sequence = (sequence + 1) & MASK31
        self._number = self._number % ((1 << 26) - 1) + 1
        self._kept[sequence] = Kept(self._number, self.stamp(now), now, self.which, self._sealed(sequence, payload))
        if first_time:
            self.outgoing.append(self._packet(sequence, 0))
        self._forget(now)

    def data_packet(self, sequence: int, payload: bytes, stamp: int, *, which: int = 0, flags: int = 0) -> bytes:
        """A data packet that is not kept."""
        return HEADER.pack(sequence, 0xC000_0000 | which << 27 | flags | 1, stamp, self.peer) + payload

    def shutdown(self, now: float) -> None:
        self.outgoing.append(control(5, self.stamp(now), self.peer, body=bytes(4)))

    def keepalive(self, now: float) -> None:
        self.outgoing.append(control(1, self.stamp(now), self.peer))

    def drop(self, first: int, last: int, now: float) -> None:
        """A drop request."""
        self.drop_requests += 1
        self.outgoing.append(control(7, self.stamp(now), self.peer, body=struct.pack(">II", first, last)))

    def _sealed(self, sequence: int, payload: bytes) -> bytes:
        return self._ciphers[self.which].apply(sequence, payload) if self.which else payload

    def _packet(self, sequence: int, again: int) -> bytes:
        kept = self._kept[sequence]
        second = 0xC000_0000 | kept.which << 27 | again << 26 | kept.number
        return HEADER.pack(sequence, second, kept.stamp, self.peer) + kept.payload

    def _forget(self, now: float) -> None:
        if not self.profile.drops_late:
            return
        span = max(1.0, LATENCY_KEPT * max(self.latency_ms, self.profile.latency_ms) / 1000)
        while self._kept:
            oldest = next(iter(self._kept))
            if now - self._kept[oldest].sent_at <= span:
                break
            del self._kept[oldest]
            self.drops += 1

    def _ack(self, number: int, body: bytes, now: float) -> None:
        words = struct.unpack(f">{len(body) // 4}I", body)
        if number == 0:
            self.light_acks += 1
        else:
            assert len(words) == 7
            self.acks.append((number, *words))
            if self.profile.answers_acks:
                self.outgoing.append(control(6, self.stamp(now), self.peer, specific=number))
        for sequence in list(self._kept):
            if (words[0] - sequence) & MASK31 < 1 << 30 and sequence != words[0]:
                del self._kept[sequence]
            else:
                break

    def _nak(self, body: bytes, now: float) -> None:
        self.naks += 1
        self.nak_times.append(now)
        for first, last in loss_ranges(body):
            gone: list[int] = []
            for step in range(((last - first) & MASK31) + 1):
                sequence = (first + step) & MASK31
                if sequence in self._kept:
                    self.retransmitted += 1
                    self.outgoing.append(self._packet(sequence, 1))
                else:
                    gone.append(sequence)
            if gone:
                self.drop(gone[0], gone[-1], now)

    # Keys

    def _new_key(self, which: int) -> bytes:
        self._key_count += 1
        key = bytes((self._key_count * 7 + at) & 0xFF for at in range(self.profile.key_length))
        self._ciphers[which] = PacketCipher(key, self._salt)
        return build_key_material(which, self._salt, self._kek, key)

    def _refresh(self, now: float) -> None:
        """Announce the next key, and change to it (draft section 6.1.6)."""
        profile = self.profile
        if not self.which or not profile.refresh_after:
            return
        self._since_key += 1
        other = EVEN + ODD - self.which
        if self._since_key == profile.refresh_after - profile.announce_before:
            self._announced = self._new_key(other)
            self._announce(now)
        elif self._announced and now - self._announced_at > 0.15:
            self._announce(now)
        if self._since_key >= profile.refresh_after:
            self.which, self._since_key = other, 0

    def _announce(self, now: float) -> None:
        self._announced_at = now
        self.announce(self._announced, now)

    def announce(self, material: bytes, now: float) -> None:
        """A key request during the connection."""
        self.outgoing.append(control(0x7FFF, self.stamp(now), self.peer, subtype=3, body=material))

    def _key_confirmed(self, body: bytes) -> None:
        if len(body) == 4:
            self.key_states.append(int.from_bytes(body))
            return
        self.confirmed_keys.append(body)
        if body == self._announced:
            self._announced = b""


def blocks(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Handshake extensions as (type, contents)."""
    at = 0
    while at < len(body):
        kind, words = struct.unpack_from(">HH", body, at)
        yield kind, body[at + 4 : at + 4 + words * 4]
        at += 4 + words * 4
