"""Marking: putting a mark into answers while they are drawn, a key for each row of a batch.

Takes logits and contexts from a serving library, and handles of keys. Gives logits. Promises that each row bears the mark of its own key and
no other, that a row without a key is not touched, and that the detector finds the same uniforms, bit for bit. Needs the extra `models` (torch).
"""
