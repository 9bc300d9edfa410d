"""Readers of sources, one module for each format.

Takes the bytes of a document, hostile until read. Gives notices. Promises that a document of another format is told apart by content.
"""
