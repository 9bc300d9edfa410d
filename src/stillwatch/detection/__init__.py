"""Detection: who acts together, and are they harvesting?

Takes the table of exchange sketches. Gives campaigns with claims, considered look-alikes, and one row per account.
Promises a false-discovery rate over campaigns, and a result that depends on the set of exchanges alone.
"""
