"""Plug-ins: the guard inside other products.

Takes a product's own request. Gives its own answer, by the guard's verdict. Promises to translate only: no plug-in decides anything.
"""
