"""Holdfast: keeps websites reachable under attack, and makes every block accountable."""

__version__ = "0.1.0"
