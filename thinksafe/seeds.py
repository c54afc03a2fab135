"""Seeds by hashing, so that neighbouring replicates, prompts and samples never share a stream."""

import hashlib
import json


def seed_for(*parts: str | int) -> int:
    """Return a 63-bit seed that depends on every part and on their order."""
    return int.from_bytes(hashlib.sha256(json.dumps(list(parts)).encode()).digest()[:8], "big") >> 1
