"""A live LL-HLS server that is bad in ways it was told: what the harness measures is compared with what was done.

Words
    fault       what is done wrong: kind, amount, share of the parts, from and to (seconds since the start)
    told        the account of what was really done, as JSON at `/told`
    listing     when a part enters the playlists; release: when its bytes may be had

Map
    faults●     the kinds of faults, and `--fault` texts
    shape●      what the stream looks like: durations, sizes, renditions, names
    schedule●   part number -> when it is due, listed, released
    playlists●  the playlists of one moment, exact, whatever the fault
    told●       counting
    reply●      answers ready to be written; how a body is spoilt
    stream●     target of a request + now -> Reply or Hold
    connection○ one client: llhttp, replies in order, bodies that stall, drip or break
    server○     the listener, and one timer that lists parts and wakes whoever is held
    __main__    `python -m headwater.loadtest.badserver`

Without a fault it is a good and cheap server of synthetic media: several thousand viewers on one core, to see what
a generator can drive. The media are boxes of filler: nothing decodes them.
"""
