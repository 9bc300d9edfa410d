"""Scan of a data set: which of its documents bear a mark, and of which campaigns.

Takes documents as token ids, and all keys ever issued. Gives the documents that are selected at a false-discovery rate over documents, the keys
that they are attributed to, and a claim for each key over the whole set. Promises that a pair of context and token counts once in the whole
set, so that copies are not new evidence, and that memory is bounded, whatever the size of the set.
"""
