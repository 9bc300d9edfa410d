"""Profiles: exact integer sufficient statistics per account, and a bounded sample of its exchanges.

Takes the sketches. Gives arrays per account. Promises that everything after depends on accounts, not on volume.
"""
