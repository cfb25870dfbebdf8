"""How viewers behave: playlists read, parts chosen, a buffer that plays, stalls, pauses, seeks and switches. Sans-IO.

    player     one viewer: joins, chooses a variant, pauses, seeks, leaves
    track      one of its renditions: reloads the playlist and loads what it names, as hlsjs, safari or legacy
    lane       one connection's worth of requests, and the port through which they are sent
    playhead   the picture: start, stalls, leaps over gaps; the model is written there
    view       a playlist as units to load, with dates and addresses; library: each body is parsed once
    ladder     variants, and the estimate of the bandwidth; retry: hls.js' limits; cmcd: CTA-5004
    ledger     what was counted and timed since the last tick

Flow: the shell says what came (`Lane.owner.answered`, `failed`, `woken`, `Player.sample` once a second), the player
puts its next requests on free lanes and calls `Port.send`. Not here: connections, clocks, tasks (`generator`), media
bytes (parts are counted, not decoded).

What is timed: a part that was published while the viewer waited for it counts from its publication
(`Timing.PART`, `Track.live`), also when the server sent it late or all before it was late; what was there already at
a join, a seek, a switch or after a pause counts from its request (`Timing.RESPONSE`).
"""
