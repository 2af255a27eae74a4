"""All voices there are, for people and programs."""

from rwc_pw.errors import RwcPwError
from rwc_pw.voices.builtin import BUILTIN_VOICES
from rwc_pw.voices.store import VoiceStore


def catalogue(store: VoiceStore) -> list[dict[str, str]]:
    """Each voice's name, kind (built in, or RVC) and description, which is the remedy for a damaged one."""
    built_in = [
        {"name": name, "kind": "built in", "description": voice.description} for name, voice in BUILTIN_VOICES.items()
    ]
    return built_in + [{"name": name, "kind": "RVC", "description": _described(store, name)} for name in store.names()]


def _described(store: VoiceStore, name: str) -> str:
    try:
        return store.find(name).description
    except RwcPwError as error:
        return f"{error.message} {error.remedy}"
