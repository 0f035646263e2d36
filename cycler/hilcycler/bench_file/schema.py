"""The JSON Schema of `bench.toml`, for editors.

`python -m hilcycler.bench_file.schema > docs/bench.schema.json` writes it; a test keeps it current.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from hilcycler.bench_file.model import BenchTable
from hilcycler.language.schema import without_null

TITLE = "hilcycler bench"


def json_schema() -> dict[str, Any]:
    """The schema, JSON Schema draft 2020-12."""
    schema = without_null(BenchTable.model_json_schema(by_alias=True))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": TITLE}


def text() -> str:
    """The schema as the file in docs."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
