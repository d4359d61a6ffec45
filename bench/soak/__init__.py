"""The soak: a real edge under load for an hour, changed, reloaded and restarted, and every request accounted
for. ``python -m bench.soak``; see ``__main__``."""
