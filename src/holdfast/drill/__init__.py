"""The drill: a bounded flood from this machine against a site that lies on it, and what came of it.

``plan`` bounds it, ``target`` says whether it may run, ``parties`` who asks for what, ``stream`` and ``run``
send, ``tally`` counts, ``verdict`` judges. Not here: the command (``cli.drill``), plots of attacks
(``edge.attack_plot``).
"""
