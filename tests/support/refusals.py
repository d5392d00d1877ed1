"""Words that no refusal of a configuration may have."""

import re

JARGON = re.compile(
    r"pydantic|https?:|Traceback|input should|validation error|<class|type=|[a-z]+_type|tag:yaml|"
    r"Error\b|\bdict|\btuple|None|True|False|<block|<stream|NaN"
)
