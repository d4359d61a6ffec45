"""The data plane: what HAProxy should hold, what it holds, and the way from one to the other.

The pure half: ``picture`` (the data), ``facts`` (desired nouns to picture), ``render`` and ``rules``
(picture to files), ``plan`` (two pictures to commands), ``commands``, ``effect``, ``answers``, ``slots``.
The shell half: ``runtime`` (Runtime API client), ``process`` (HAProxy's master), ``disk`` (files for the
next start). Nothing here decides what should be; that is the agent's desired state.
"""
