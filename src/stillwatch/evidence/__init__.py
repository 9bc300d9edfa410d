"""Evidence: what people read and check.

Takes campaigns with their claims and the facts of the run. Gives the incident report and the campaigns file.
Promises that nothing is said that is not in a record, that every value is escaped, and that no prompt text is shown unless given.
"""
