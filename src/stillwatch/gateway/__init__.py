"""Gateway: from an enforcement bundle and a live request to a verdict.

Takes a signed bundle and requests. Gives a verdict for each, and a log line that `detect` reads. Promises that nothing on the way opens a
database or an engine of queries, that no answer is made worse in silence, and that no request is lost or answered twice.
"""
