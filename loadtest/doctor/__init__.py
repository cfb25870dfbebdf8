"""`headwater doctor URL`: watches an HLS stream from outside and checks it against the numbered rules.

    client      one bounded HTTP request                        -> Answer
    watch       follows the renditions, downloads what is listed -> Recording
    probes      requests a player makes rarely, and wrong ones   -> Recording.probes
    checks/*    Recording -> Seen: sans-IO, one module per group of rules
    catalogue   every rule that is checked: title, severity, what players do, how to mend it
    report      findings as text and as JSON
    run         the command: options, order, exit code

`values` are the recording's, `looks` and `mp4`, `bitstream`, `codecs` read media bytes. Not here: playing media,
decrypting it, MPEG-TS.
"""
