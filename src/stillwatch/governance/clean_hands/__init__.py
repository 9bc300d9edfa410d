"""Clean hands: what of other providers' outputs and marks our own training data holds, held against licences and terms.

Takes rows of a training set, and what each provider allows. Gives findings by file, provider and sign. Promises that a row's text stands in no
finding, and that what the register does not speak of is unknown, never allowed.
"""
