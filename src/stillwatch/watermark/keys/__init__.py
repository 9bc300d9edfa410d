"""Mark keys: derived from one master secret, committed to before use, revealed one at a time.

Takes a master secret that is held elsewhere, and what a key is for. Gives the key, its commitment and, when it is revealed, its opening.
Promises that there is no default key, that a raw key is in no store, log or message, and that whoever has an opening can check it alone.
"""
