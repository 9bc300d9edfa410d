"""Sketching: from log lines to sketches, for a run of `detect`, for parts to be kept, and live.

Takes splits of logs, whole logs, or lines as they come. Gives sketches, or parts of them in a folder. Promises that all three ways give the same sketch of a
line, that a part says what it was made of, and that what was sketched before is not sketched again.
"""
