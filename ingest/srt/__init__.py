"""SRT: a receive-only, live-mode listener and caller of SRT 1.5 (handshake version 5). Sans-IO throughout.

The protocol is that of draft-sharabayko-srt-01 ("draft" in comments); where it is silent, what libsrt 1.5 does.

Words
    listener    one UDP port, and everybody who calls it
    caller      who opens a connection: encoders call our listener, `Caller` calls others'
    induction   the first half of the handshake: it shows that the caller receives at its address
    conclusion  the second half: what both sides can do, latency, stream id, keys
    session     an open connection; known by our socket id
    position    a sequence number that does not wrap
    latency     how long a missing packet is waited for, from when it should have come
    due         when a packet is handed out at the latest, and a gap before it is given up
    KM, KEK, SEK  key material message, the key made from the passphrase, the key of the packets

Flow
    listener.Listener     datagrams of all callers
      admission, cookie   who may ask: no state before a cookie, allowances, bounds
      handshake, extensions, negotiation, streamid   what a conclusion asks for
      -> ConnectionRequested, and the shell's accept or reject
    caller.Caller         the same face for one connection that we open
    session.Session       one connection, of either
      keyring, keys       AES-CTR, key refresh
      buffer, loss, clock order, gaps, and how long to wait
      acks                ACK, RTT, rates
      -> DataReceived, PacketsLost, SessionClosed
    schedule says who is to be woken when, limits what things may cost, stats what was counted, errors how it fails.

The shell passes each datagram to `receive_datagram`, fetches `events_received` and `datagrams_to_send` after each
batch, and calls `handle_timeout` at `next_timeout`. A session's data comes out joined: one event per batch.

Not here: sockets and clocks; passphrases and PBKDF2 (the shell answers with a derived key); who may publish; sending of
data; handshake version 4, rendezvous, file mode, packet filters, bonding and AES-GCM, which are refused with the code
for it. Messages of several packets come out as the bytes of their packets: live senders have none.
"""

from .addresses import Address
from .caller import Caller
from .errors import CloseReason, RejectCode, WrongState
from .events import (
    CallerRefused,
    Connected,
    ConnectionRequested,
    DataReceived,
    Event,
    KeyRefreshRequested,
    PacketsLost,
    SessionClosed,
    SessionId,
)
from .keys import PASSPHRASE_BYTES, KeyAnswer, KeyOffer, KeyRequest, derive_kek
from .limits import Limits
from .listener import Acceptance, Listener
from .stats import PortCounters, Stats
from .streamid import Mode, StreamId

__all__ = [
    "PASSPHRASE_BYTES",
    "Acceptance",
    "Address",
    "Caller",
    "CallerRefused",
    "CloseReason",
    "Connected",
    "ConnectionRequested",
    "DataReceived",
    "Event",
    "KeyAnswer",
    "KeyOffer",
    "KeyRefreshRequested",
    "KeyRequest",
    "Limits",
    "Listener",
    "Mode",
    "PacketsLost",
    "PortCounters",
    "RejectCode",
    "SessionClosed",
    "SessionId",
    "Stats",
    "StreamId",
    "WrongState",
    "derive_kek",
]
