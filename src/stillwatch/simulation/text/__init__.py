"""Text: prompts, scaffolds and system prompts from a compositional grammar.

Takes symbols and 64-bit keys. Gives Arrow strings.
Promises that a text is a pure function of its symbols and keys, and that free text hardly ever repeats.
"""
