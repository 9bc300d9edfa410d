"""Validators: what terms must not say, one sentence a module.

Takes a draft of terms. Gives problems with places and hints. Promises that all validators run, whatever the others find.
"""
