"""Radioactivity: was a model trained on answers that a key marked?

Takes what a suspect predicts or writes, in the token ids of the mark, and keys. Gives a `Claim` for each key, or an `Inconclusive` with what
would be needed. Promises that each pair of context and token is counted once, and that nothing that a text itself shows the suspect is counted.
"""
