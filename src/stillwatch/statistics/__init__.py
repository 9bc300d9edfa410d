"""Statistics: the only place where a number that moves a decision is computed.

Takes integer counts and float scores, as scalars or numpy arrays. Gives natural-log p-values, natural-log e-values,
intervals, selected sets and descriptive measures. Promises that every function is pure, that no p-value underflows,
that the order of the input never changes the answer, and that an argument out of range is refused, not repaired.
"""
