"""What a run found: ticks merged, invariants judged, and the report as JSON, Markdown, HTML and on the terminal."""
