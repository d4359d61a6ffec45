"""Floods: real ones, in network namespaces, against Holdfast and its peers; ``python -m bench.floods``.

How it is made: ``scenario`` (a file → what happens), ``log`` and ``visits`` (who the legitimate are and when
they come), ``network`` (where), ``origin``, ``legit`` and ``flood`` (processes of their own), ``contestant``
(what stands between), ``run`` (one measurement), ``figures`` (what follows from its records), ``report``.
"""
