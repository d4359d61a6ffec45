"""A site to protect while trying Holdfast out.

Here belongs a small web application that an edge can stand in front of. Not here: anything that an edge or
the control plane needs; nothing imports this package.
"""
