"""Lint of marking settings: what a serving engine's configuration does to the evidence, before a single token is marked.

Takes configurations of vLLM, SGLang, transformers, TensorRT-LLM and synthid-text as files of JSON or YAML, and the registry's keys where
they are at hand. Gives problems with line, caret, measured consequence and hint. Promises that no message holds a key.
"""
