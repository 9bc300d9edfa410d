"""Assets: the models, data sets, prompts and endpoints that are to be protected, and what is missing about them.

Takes a register of YAML and counts from the logs. Gives assets and gaps. Promises that a gap names the asset, what is missing and where it was seen.
"""
