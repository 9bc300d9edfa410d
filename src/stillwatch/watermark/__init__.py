"""Watermark: keys, schemes and scoring.

Takes token ids or texts, and keys. Gives scores and log p-values. Promises that every scheme is bit-compatible with the engine or library
that it names, and that scoring needs no engine and no torch.
"""
