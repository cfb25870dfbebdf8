"""The edge: an HTTP cache that knows LL-HLS. One process, one event loop, one upstream or several.

    viewer ── http1 ──> core ──> follower   live playlist: answered here, one held request ahead upstream
                         │  └──> store      everything else that may be kept
                         └─────> flights    in flight: who asks for the same waits on it ──> tiers ──> fetch

Sans-IO: message (requests, entities, responses), keys (URL -> canonical key), freshness (lifetimes),
cmcd (what players report), sketch and viewers (who watches), overview (for the status page),
entities (answers made and received), select (range, conditions, encoding), ranges (of what is too large or still
grows), store (bytes kept), collapse (waiting together), version, livewindow and follow (a live playlist), pins
(playlists without viewers), core (all of them together).
Before look-up: tokens and jwts (playback tokens), gate (takes them off requests and judges them).
Before requests: addresses, proxyproto and forwarded (whose connection it is), caller, guard (limits, who is kept),
fields and asking (what both front ends have in common).
Several upstreams: tiers (choice, failover, second requests), homes and rendezvous (where a stream lives),
member and breaker (health of one), lineage, learn and paths (whose playlist names what), succession, join and scout
(whose playlist a follower shows), loops (CDN-Loop).
Shells: fetch (aiohttp client), upstreams (all clients and the tier), wire and http1 (viewers' HTTP/1), tls, tlsserver,
tlsmetrics and malloc (viewers' TLS), keyring (keys of tokens), filemark, metrics, reports and tiermetrics, pinapi
(admin pages), refusals (log), app (`EdgeServer`).

Words
    entity      one representation as stored: status, headers, body, when it came
    flight      one upstream fetch with everybody who waits for it
    follower    what is kept per live playlist
    ticket      a viewer's place in a flight or at a follower; cancelled when the viewer leaves
    visitor     one connection, to count viewers by; room: the audience of one rendition
    outcome     how a request was answered: hit, join, fetch, stale, pass, reject

Not here: parsing and writing playlists (`origin.hls`), settings (`config.settings`); HTTP/2 is the package `http2`.
"""
