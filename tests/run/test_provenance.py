"""Where a result comes from."""

import re
from datetime import datetime

from textpool.run.provenance import commit, now, versions


def test_time_is_utc_and_sorts_as_text() -> None:
    """ISO 8601 with milliseconds: two runs in one second still have an order."""
    first, second = now(), now()
    assert datetime.fromisoformat(first).utcoffset() is not None
    assert first <= second
    assert re.fullmatch(r".*\.\d{3}\+00:00", first)


def test_versions_and_commit() -> None:
    """The libraries that decide the numbers, and the code; outside of a repository there is no commit."""
    assert {"python", "textpool", "torch", "lightning"} <= set(versions())
    assert commit() is None or re.fullmatch(r"[0-9a-f]{40}(\+changes)?", commit() or "")
