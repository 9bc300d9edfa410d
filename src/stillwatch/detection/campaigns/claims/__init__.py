"""One module per test. Each takes a `Candidate`. Gives a `Claim` against its own null, or `Inconclusive` with what it needed.

Promises that a test reads only integers of the candidate and of the reference, and that its assumptions stand in the claim.
"""
