"""Our reading and writing of aurora-unicycler's JSON, judged by aurora-unicycler itself.

It is a judge here and never a dependency, so it lives in an environment of its own:

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install aurora-unicycler==0.4.6 hypothesis numpy pydantic PyYAML
    PYTHONPATH=cycler:tests/support /tmp/oracle/bin/python tests/optional/unicycler_oracle.py

Generated protocols, at least fifty that it accepts, must be accepted by it, go through our language, be accepted by it again,
and mean the same; so must the protocols that are given as files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aurora_unicycler import CyclingProtocol
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import ValidationError
from unicycler_files import Entry, meaning, protocols

from hilcycler.language import FileError
from hilcycler.language.exchange import Loss, from_unicycler, to_unicycler

counts = {"same": 0, "too long for anybody": 0, "refused by unicycler": 0}


def judged(text: str) -> Entry:
    """What unicycler makes of a text, as data."""
    found: Entry = CyclingProtocol.model_validate_json(text).model_dump(mode="json")
    return found


def through(text: str) -> None:
    before = judged(text)
    try:
        document = from_unicycler(json.dumps(before), amplitude="peak")
        bound = document.bind()
    except FileError as error:
        if "years" not in str(error) and "come to" not in str(error):
            raise
        counts["too long for anybody"] += 1
        return
    after = judged(to_unicycler(bound, document.cell, amplitude="peak", accept=[Loss.TIME_GUARD]))
    for old, new in zip(meaning(before), meaning(after), strict=True):
        assert old.keys() == new.keys(), (old, new)
        for key, value in old.items():
            assert new[key] == value or abs(new[key] - value) <= 1e-9 * abs(value), (old, new)
    counts["same"] += 1


@settings(max_examples=150, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(protocols())
def generated(protocol: Entry) -> None:
    try:
        judged(json.dumps(protocol))
    except ValidationError as error:
        # It takes a loop back to a number over a single step for one onto itself; by a tag it takes it.
        if "Loop start index" not in str(error):
            raise
        counts["refused by unicycler"] += 1
        return
    through(json.dumps(protocol))


if __name__ == "__main__":
    generated()
    for name in sys.argv[1:]:
        through(Path(name).read_text("utf-8"))
    print(counts)
    assert counts["same"] >= 50
