"""Drives thousands of players of one process: connections, clocks, and the watch over its own CPU and lag.

Gives one `records.Tick` per second.
"""
