"""One protected node: an asyncio agent around HAProxy. Python is never on the request path."""
