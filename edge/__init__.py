"""The edge: an HTTP cache that knows LL-HLS. One event loop, one upstream or several. Several processes are one edge
where a parent (`config.crew`) gives each a post: workers, whose upstream is a node.

    viewer ── http1 ──> core ──> follower   live playlist: answered here, one held request ahead upstream
                         │  └──> store      everything else that may be kept
                         └─────> flights    in flight: who asks for the same waits on it ──> tiers ──> fetch
                                 └─ fills   large or slow: goes out to all of them while it comes

Sans-IO: message (requests, entities, responses), keys (URL -> canonical key), freshness (lifetimes), judge (of
answers), control (what answers say of them), overrides (what the operator says), marks (what is remembered of
URLs), cmcd (what players report), sketch and viewers (who watches), overview (for the status page), entities
(answers made and received), select (range, conditions, encoding), ranges (of what is too large or still grows),
store (bytes kept), kept (what goes into it), keyindex (keys by folder), purge (what is to be forgotten), collapse
(waiting together), growing (a body that still comes, and its readers), fill (one answer that goes out while it
comes: joined, bounded, resumed), fills (all of them), version, livewindow and follow (a live playlist), pins
(playlists without viewers), core (all of them together).
On disk: diskformat (one object as a file), diskindex (which there are), diskfirst (the disk before the upstream).
Before look-up: tokens and jwts (playback tokens), gate (takes them off requests and judges them).
Before requests: addresses, proxyproto and forwarded (whose connection it is), caller, guard (limits, who is kept),
fields and asking (what both front ends have in common), heads (what an HTTP/1 connection answers), repeats and places
(what comes again byte for byte, and is answered or held in a shorter way).
At the start: unusable (what a setting names and cannot be used).
Several upstreams: tiers (choice, failover, second requests), homes and rendezvous (where a stream lives), member
and breaker (health of one), lineage, learn and paths (whose playlist names what), succession, join and scout (whose
playlist a follower shows), loops (CDN-Loop).
Several processes: post (what this one is), patience (a worker's requests while its node is away).
Shells: bind (sockets), fetch (aiohttp client), relay (its bodies: whole, or piece by piece), upstreams (all clients
and the tier), wire, body, arrival and http1 (viewers' HTTP/1), tls, encrypted, tlsserver and tlsmetrics (viewers' TLS),
keyring (keys of tokens), filemark, disk and diskfiles (threads, files), metrics, reports, storemetrics and tiermetrics,
pinapi, purgeapi and jsonbody (admin pages), refusals (log), app (`EdgeServer`).

Words
    entity      one representation as stored: status, headers, body, when it came
    flight      one upstream fetch with everybody who waits for it
    fill        a flight whose answer goes out while it comes; reader: one viewer's place in its body
    follower    what is kept per live playlist
    ticket      a viewer's place in a flight or at a follower; cancelled when the viewer leaves
    visitor     one connection, to count viewers by; room: the audience of one rendition
    outcome     how a request was answered: hit, join, fetch, stale, pass, reject

Not here: parsing and writing playlists (`origin.hls`), settings (`config.settings`); HTTP/2 is the package `http2`.
"""
