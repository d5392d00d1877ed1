"""What an artifact is made from, as canonical JSON, and the digest that goes into its file name.

Two artifacts with the same specification are the same artifact. The specification of a stage holds
what that stage depends on and nothing else, together with the recipe number of the stage.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

RECIPES: Mapping[str, int] = {
    "data": 3,
    "training": 4,
    "evaluation": 5,
    "tables": 7,
    "methods": 1,
}
"""One integer per stage; those of an analysis are in its `nstar.subjects.subject.Subject`. Raising it is
the declared way to say that a change of the *code* changes the numbers of that stage, so that they are
computed again (and belongs into CHANGELOG.md)."""

DIGEST_LENGTH = 12


def canonical_json(value: Any) -> str:
    """Return the one JSON text of `value`: sorted keys, no white space, floats by their shortest repr.

    Raises
    ------
    TypeError
        For anything JSON does not know (numpy numbers, paths): nothing is converted silently.
    ValueError
        For NaN and infinity.

    Examples
    --------
    >>> canonical_json({"width": 32, "kind": "lstm"})
    '{"kind":"lstm","width":32}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(specification: Mapping[str, Any]) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of the canonical JSON.

    Examples
    --------
    >>> digest({"kind": "lstm", "width": 32}) == digest({"width": 32, "kind": "lstm"})
    True
    """
    return hashlib.sha256(canonical_json(specification).encode()).hexdigest()[:DIGEST_LENGTH]
