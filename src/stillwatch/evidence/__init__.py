"""Evidence: what people read and check.

Takes campaigns with their claims, the facts of the run, and canonical records of what was found and done. Gives the incident report, the
campaigns file, and a ledger with proofs. Promises that nothing is said that is not in a record, that every value is escaped, that no
prompt text is shown unless asked for, and then only after the look was recorded where there is a ledger.
"""
