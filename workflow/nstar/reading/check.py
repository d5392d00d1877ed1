"""How a configuration is checked: every mistake at once, each as one readable line."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nstar.errors import ConfigError, all_mistakes
from nstar.reading.contradictions import contradictions
from nstar.reading.families import as_written, expand_families, is_refused_list
from nstar.reading.messages import describe_error
from nstar.study import Study

REQUIRED_KEYS = tuple(name for name, field in Study.model_fields.items() if field.is_required())


def load_study(raw: Any) -> Study:
    """Return the study that a configuration describes.

    Parameters
    ----------
    raw : mapping
        The parsed YAML.

    Raises
    ------
    ConfigError
        With every mistake at once: dotted key, value, what is allowed, the nearest legal name.
    """
    if not isinstance(raw, Mapping) or not raw:
        raise ConfigError(f"the configuration is empty; it needs {', '.join(REQUIRED_KEYS)}")
    unreadable = [key for key in raw if isinstance(key, str) and not _is_unicode(key)]
    raw = {
        key: value for key, value in raw.items() if key not in unreadable
    }  # else they end the check
    expanded, origins, problems = expand_families(raw)
    problems += [f"{key}: unknown key; remove it" for key in unreadable]
    study, errors = None, []
    try:
        study = Study.model_validate(expanded)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    problems += dict.fromkeys(
        describe_error(raw, as_written(raw, origins, error))
        for error in errors
        if not _follows(error)
    )
    problems += contradictions(_valid_parts(expanded, errors), raw)
    if problems:
        raise all_mistakes("the configuration", problems)
    return study


def _is_unicode(text: str) -> bool:
    """Return whether text has no half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _follows(error: Mapping[str, Any]) -> bool:
    """Return whether another line says what is wrong: a list is empty after its wrong entries."""
    return is_refused_list(error) or (error["type"] == "too_short" and len(error["input"]) > 0)


def _valid_parts(raw: Mapping, errors: list) -> dict[str, Any]:
    """Return the top-level fields that are valid on their own, with defaults for those left out."""
    wrong = {error["loc"][0] for error in errors if error["loc"]}
    return {
        name: TypeAdapter(field.annotation).validate_python(raw[name])
        if name in raw
        else field.get_default(call_default_factory=True)
        for name, field in Study.model_fields.items()
        if name not in wrong
    }
