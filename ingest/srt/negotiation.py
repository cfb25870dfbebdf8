"""What a conclusion asks for and what it gets (draft section 4.3.1.2). Sans-IO.

The same rules read the request of a caller and, with the roles exchanged, the answer of a listener.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import handshake as hs
from .addresses import Address, field_of
from .errors import HandshakeRefused, KeyMaterialError, RejectCode, StreamIdError
from .extensions import (
    MIN_SRT_VERSION,
    OURS,
    SRT_VERSION,
    Capabilities,
    ExtensionType,
    Features,
    Present,
    block,
    parse_capabilities,
    parse_text,
    split,
)
from .keys import KeyMaterial, is_gcm, parse_key_material
from .limits import MAX_LATENCY_FIELD_MS, MIN_MTU, Limits
from .packets import MAX_DATAGRAM
from .streamid import StreamId
from .streamid import parse as parse_stream_id


@dataclass(frozen=True, slots=True)
class Proposal:
    """A conclusion that can be accepted."""

    socket_id: int
    """Of the peer."""
    sequence: int
    """Of the peer's first data packet."""
    mtu: int
    latency_s: float
    """Agreed for what we receive."""
    send_latency_ms: int
    """Agreed for the other direction, which is not used here."""
    version: str
    """SRT version of the peer."""
    stream_id: StreamId
    material: KeyMaterial | None
    key_state: int | None = None
    """The peer says why its encryption does not work (KMRSP with one word)."""


def read_request(request: hs.Handshake, limits: Limits) -> Proposal:
    """Check the conclusion of a caller.

    Raises:
        HandshakeRefused: with the code to answer.
    """
    _check_fixed(request)
    blocks = _blocks(request)
    capabilities = _capabilities(blocks, ExtensionType.HSREQ)
    _check_config(blocks)
    stream_id = _stream_id(blocks.get(ExtensionType.SID))
    material = None
    if ExtensionType.KMREQ in blocks:
        material = _key_material(blocks[ExtensionType.KMREQ])
    return Proposal(
        socket_id=request.socket_id,
        sequence=request.sequence,
        mtu=min(request.mtu, MAX_DATAGRAM),
        latency_s=_latency(limits, _asked(capabilities, Features.TSBPDSND, capabilities.sender_ms)),
        send_latency_ms=_asked(capabilities, Features.TSBPDRCV, capabilities.receiver_ms),
        version=capabilities.version_text,
        stream_id=stream_id,
        material=material,
    )


def read_answer(answer: hs.Handshake, limits: Limits) -> Proposal:
    """Check the conclusion of a listener.

    Raises:
        HandshakeRefused: it cannot be used; nothing is answered.
    """
    _check_fixed(answer)
    blocks = _blocks(answer)
    capabilities = _capabilities(blocks, ExtensionType.HSRSP)
    _check_config(blocks)
    material, key_state = None, None
    contents = blocks.get(ExtensionType.KMRSP)
    if contents is not None and len(contents) == 4:
        # Draft section 3.2.1.2: one word is the state of a key exchange that failed.
        key_state = int.from_bytes(contents)
    elif contents is not None:
        material = _key_material(contents)
    return Proposal(
        socket_id=answer.socket_id,
        sequence=answer.sequence,
        mtu=min(answer.mtu, MAX_DATAGRAM),
        latency_s=_latency(limits, _asked(capabilities, Features.TSBPDSND, capabilities.sender_ms)),
        send_latency_ms=0,
        version=capabilities.version_text,
        stream_id=StreamId(),
        material=material,
        key_state=key_state,
    )


def answer_for(
    proposal: Proposal, address: Address, socket_id: int, cookie: int, limits: Limits, material: bytes
) -> hs.Handshake:
    """The conclusion that accepts `proposal`; `material` is the KM message that is confirmed, empty for none."""
    latency_ms = round(proposal.latency_s * 1000)
    capabilities = Capabilities(SRT_VERSION, OURS, latency_ms, proposal.send_latency_ms)
    present, extensions = Present.HSREQ, block(ExtensionType.HSRSP, capabilities.build())
    if material:
        present |= Present.KMREQ
        extensions += block(ExtensionType.KMRSP, material)
    return hs.Handshake(
        version=hs.SRT_VERSION,
        encryption=proposal.material.length // 8 if proposal.material and material else 0,
        extension=present,
        # As libsrt: the caller's number is given back. Nothing is sent in this direction.
        sequence=proposal.sequence,
        mtu=proposal.mtu,
        flow_window=limits.flow_window,
        type=hs.CONCLUSION,
        socket_id=socket_id,
        cookie=cookie,
        peer_ip=field_of(address),
        extensions=extensions,
    )


def rejection_for(request: hs.Handshake, address: Address, code: RejectCode) -> hs.Handshake:
    """The handshake that refuses `request` (draft section 4.3): no longer than the shortest request."""
    return hs.Handshake(
        version=hs.SRT_VERSION,
        encryption=0,
        extension=0,
        sequence=request.sequence,
        mtu=request.mtu,
        flow_window=request.flow_window,
        type=code,
        socket_id=request.socket_id,
        cookie=request.cookie,
        peer_ip=field_of(address),
    )


def _check_fixed(handshake: hs.Handshake) -> None:
    # Draft section 4.3: version 4 need not be supported.
    if handshake.version != hs.SRT_VERSION:
        raise HandshakeRefused(RejectCode.VERSION, f"handshake version {handshake.version}; only 5 is spoken")
    if handshake.socket_id == 0:
        raise HandshakeRefused(RejectCode.ROGUE, "a handshake without a socket id")
    if handshake.mtu < MIN_MTU:
        raise HandshakeRefused(RejectCode.ROGUE, "an MTU in which no packet fits")
    if handshake.flow_window < 1:
        raise HandshakeRefused(RejectCode.ROGUE, "a flow window of no packets")


def _blocks(handshake: hs.Handshake) -> dict[int, bytes]:
    """Extensions by type; the first of a type counts."""
    blocks: dict[int, bytes] = {}
    for kind, contents in split(handshake.extensions):
        blocks.setdefault(kind, contents)
    return blocks


def _capabilities(blocks: dict[int, bytes], kind: ExtensionType) -> Capabilities:
    # Draft section 4.3.1.2: it must be there.
    if kind not in blocks:
        raise HandshakeRefused(RejectCode.ROGUE, "a conclusion without the handshake extension message")
    capabilities = parse_capabilities(blocks[kind])
    if capabilities.version < MIN_SRT_VERSION:
        raise HandshakeRefused(RejectCode.VERSION, f"SRT {capabilities.version_text}; 1.3.0 or later is needed")
    # Draft section 4.2.2: buffer mode is for files.
    if capabilities.flags & Features.STREAM:
        raise HandshakeRefused(RejectCode.MESSAGEAPI, "buffer mode; only live mode is offered")
    return capabilities


def _check_config(blocks: dict[int, bytes]) -> None:
    congestion = blocks.get(ExtensionType.CONGESTION)
    if congestion is not None and parse_text(congestion) != "live":
        raise HandshakeRefused(RejectCode.CONGESTION, "another congestion control than live")
    if ExtensionType.FILTER in blocks:
        raise HandshakeRefused(RejectCode.FILTER, "a packet filter; none is offered")
    # Draft section 3.2.1.4.
    if ExtensionType.GROUP in blocks:
        raise HandshakeRefused(RejectCode.GROUP, "a bonding group; none is offered")


def _stream_id(contents: bytes | None) -> StreamId:
    if contents is None:
        return StreamId()
    try:
        return parse_stream_id(parse_text(contents))
    except StreamIdError as error:
        raise HandshakeRefused(RejectCode.BAD_REQUEST, f"the stream id: {error}") from None


def _key_material(contents: bytes) -> KeyMaterial:
    if is_gcm(contents):
        raise HandshakeRefused(RejectCode.CRYPTO, "AES-GCM; only AES-CTR is offered")
    try:
        return parse_key_material(contents)
    except KeyMaterialError as error:
        raise HandshakeRefused(RejectCode.ROGUE, str(error)) from None


def _asked(capabilities: Capabilities, flag: Features, value_ms: int) -> int:
    return value_ms if capabilities.flags & flag else 0


def _latency(limits: Limits, asked_ms: int) -> float:
    """Draft section 4.4: the greater of what both sides ask for; ours is bounded."""
    longest = min(limits.max_latency_s, MAX_LATENCY_FIELD_MS / 1000)
    return min(max(limits.latency_s, asked_ms / 1000), longest)
