"""How viewers behave: playlists read, parts chosen, a buffer that plays, stalls, pauses, seeks and switches.

Sans-IO. A player is told what arrived and what time it is; it says what to request next and counts what its viewer
would see. `generator` owns the connections.
"""
