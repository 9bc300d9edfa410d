"""Cases: from what was found to what a court or a regulator can check.

Takes campaigns, runs, exchanges, decisions, reports and attestations. Gives a case file by elements, and a bundle of it that anybody can
verify with one file of Python. Promises that every statement says on what it rests, that what is missing is said, that a withheld
field can still be proved to be there, and that what was erased is gone while the ledger stays whole.
"""
