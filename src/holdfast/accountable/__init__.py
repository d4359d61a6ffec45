"""The operator's side of an accountable block: nothing is in force before it is on the public record.

``decide`` says what may be decided and what the record will say; ``draft`` keeps a decision on disk with the
step at which it stands; ``steps`` brings it from there to its last one, however often it is killed.
"""
