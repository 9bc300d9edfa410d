"""Labelled worlds out of real text, real arrivals and real networks, and the two studies beside them.

Takes the folder of third-party data that lies beside the repository (never a copy of it). Gives traffic in the generic
flat columns with its truth, the attribute tables of the coordination sets, and the single-prompt classifier's figures.
Promises that what is reported was never tuned on: `development` and `report` worlds share no extraction data set, no
template family and no written phrase (see `sources`).
"""
