"""A transparency log that anyone can verify, in the C2SP formats. It stands alone: it imports nothing else of
Holdfast, and knows bytes only.

The life of an entry: ``log`` appends it (durable), integrates it into tiles, and publishes a checkpoint;
``proof`` is what its owner keeps; ``verify`` and ``fsck`` check a whole log again, anybody's; ``witness``
lets others countersign. ``merkle``, ``note``, ``cosignature``, ``checkpoint``, ``tiles``, ``proof`` and
``entry`` do no I/O.
"""
