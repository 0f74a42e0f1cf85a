"""Figures drawn from nothing: what panels show, how they stand on a page, and the truth about each of them.

The embedded sample is drawn with it, and the panel detector is trained on it.
"""
