"""The words both planes speak: frozen, typed, no I/O.

Here belong the nouns of the design's word list. Not here: how they are stored, sent or enforced.
"""
