"""The specifications' own examples, as far as their bytes and keys are published."""

from __future__ import annotations

import pytest

from holdfast.ledger.checkpoint import parse_checkpoint
from holdfast.ledger.errors import UntrustedError
from holdfast.ledger.note import COSIGNATURE, Note, parse_note, parse_verifier_key, verify_note
from holdfast.ledger.proof import parse_proof

FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
MESSAGE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
POEM = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore \
NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""
SOFA = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 \
jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""
PROOF_HEAD = """\
c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

"""


def test_the_signed_note() -> None:
    note = parse_note(MESSAGE.encode())
    key = parse_verifier_key(FOO)
    assert (str(key), note.encode().decode()) == (FOO, MESSAGE)
    assert verify_note(note, [key]) == note.signatures
    with pytest.raises(UntrustedError):
        verify_note(Note("This is another message.\n", note.signatures), [key])


def test_the_note_with_an_empty_line() -> None:
    """Its key is not published: it is read, and written again."""
    note = parse_note(POEM.encode())
    assert note.encode() == POEM.encode()
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [(each.name, each.key_id.hex()) for each in note.signatures] == [
        ("quasimodo.example/salvatore", "367ba04b")
    ]


def test_the_checkpoint_and_its_cosignature() -> None:
    """Their keys are not published. The time in the cosignature is the one that the text of tlog-cosignature
    gives for it."""
    note = parse_note(SOFA.encode())
    checkpoint = parse_checkpoint(note.text)
    assert note.encode() == SOFA.encode()
    assert (checkpoint.origin, checkpoint.size, checkpoint.text()) == (
        "example.com/behind-the-sofa",
        20_852_163,
        note.text,
    )
    of_log, of_witness = note.signatures
    assert (len(of_log.data), len(of_witness.data)) == (64, 72)
    assert int.from_bytes(of_witness.data[:8], "big") == 1_679_315_147


def test_the_proof() -> None:
    """The checkpoint in the specification's example is cut short; here it is another example's."""
    data = (PROOF_HEAD + SOFA).encode()
    proof = parse_proof(data)
    assert proof.encode() == data
    assert (proof.index, len(proof.hashes), proof.checkpoint.decode()) == (73_894, 5, SOFA)
    assert proof.extra is not None
    assert proof.extra.startswith(b"age-v1.2.1-darwin-arm64.tar.gz")


def test_a_witnesss_key_in_use() -> None:
    """Published by its operator, and in the tests of transparency-dev/formats: an id of type 4."""
    text = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    key = parse_verifier_key(text)
    assert (key.name, key.kind, str(key)) == ("remora.n621.de", COSIGNATURE, text)
