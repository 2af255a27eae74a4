"""Every event in every state of the voice that speaks: what is then, and what is done for it."""

from dataclasses import replace

import pytest

from rwc_pw.config import Config
from rwc_pw.conversion.backend import IdentityBackend
from rwc_pw.engine.voice_state import Action, LoadedVoice, VoiceState, Why
from rwc_pw.errors import Fault
from rwc_pw.streaming.conversion_times import ConversionTimes

CHUNK = 4800
NO_MEMORY = Fault("there is no memory", "Close something.")
BUILT_IN, OTTO, BERT = Config(voice="giant"), Config(voice="Otto"), Config(voice="Bert")
LOADED = LoadedVoice("a kind", None, IdentityBackend(), ConversionTimes(CHUNK))
ON_GPU = replace(LOADED, device="cuda")
OTHER_KIND = replace(LOADED, kind="another kind")

GIANT = VoiceState(BUILT_IN, speaking="giant")
LOADING = VoiceState(OTTO, load=Why.CHOSEN)
SPEAKING = VoiceState(OTTO, speaking="Otto", loaded=LOADED)
SPEAKING_ON_GPU = replace(SPEAKING, loaded=ON_GPU)
WHILE_GIANT = VoiceState(OTTO, speaking="giant", load=Why.CHOSEN)
WHILE_OTTO = VoiceState(BERT, speaking="Otto", loaded=LOADED, load=Why.CHOSEN)
RESIZING = replace(SPEAKING, load=Why.RESIZED)
BYPASS = VoiceState(OTTO, bypass=True, speaking="Otto")
FAILED = VoiceState(OTTO, failed=Why.CHOSEN, load_fault=NO_MEMORY)
NOT_RESIZED = replace(SPEAKING, failed=Why.RESIZED, load_fault=NO_MEMORY)

SPEAK = Action.STOP_LOADING, Action.SPEAK


@pytest.mark.parametrize(
    ("before", "event", "after", "actions"),
    [
        pytest.param(GIANT, ("chosen", OTTO), WHILE_GIANT, [Action.LOAD], id="the old voice speaks meanwhile"),
        pytest.param(SPEAKING, ("chosen", BUILT_IN), GIANT, SPEAK, id="a built-in voice speaks at once"),
        pytest.param(LOADING, ("chosen", BUILT_IN), GIANT, SPEAK, id="a load is given up"),
        pytest.param(FAILED, ("chosen", BUILT_IN), GIANT, SPEAK, id="a fault is over"),
        pytest.param(FAILED, ("chosen", BERT), replace(LOADING, config=BERT), [Action.LOAD], id="another is loaded"),
        pytest.param(SPEAKING, ("chosen", BERT), replace(SPEAKING, config=BERT), [Action.ADJUST], id="it is asked"),
        pytest.param(replace(SPEAKING, config=BERT), ("adjusted", False), WHILE_OTTO, [Action.LOAD], id="does not fit"),
        pytest.param(SPEAKING, ("adjusted", True), SPEAKING, [Action.STOP_LOADING], id="fits"),
        pytest.param(RESIZING, ("adjusted", True), SPEAKING, [Action.STOP_LOADING], id="fits, and is not resized"),
        pytest.param(NOT_RESIZED, ("adjusted", True), SPEAKING, [Action.STOP_LOADING], id="fits, and no fault is left"),
        pytest.param(BYPASS, ("chosen", BERT), VoiceState(BERT, True, "Bert"), SPEAK, id="nothing is loaded in bypass"),
        pytest.param(SPEAKING, ("bypassed", True), BYPASS, SPEAK, id="the real voice"),
        pytest.param(FAILED, ("bypassed", True), BYPASS, SPEAK, id="in bypass there is no fault"),
        pytest.param(BYPASS, ("bypassed", True), BYPASS, SPEAK, id="still the real voice"),
        pytest.param(BYPASS, ("bypassed", False), LOADING, [Action.CUT, Action.LOAD], id="the real voice ends"),
        pytest.param(
            VoiceState(BUILT_IN, True, "giant"), ("bypassed", False), GIANT, [Action.CUT, *SPEAK], id="and at once"
        ),
        pytest.param(SPEAKING, ("bypassed", False), SPEAKING, [Action.ADJUST], id="there was no bypass"),
        pytest.param(LOADING, ("arrived", LOADED), SPEAKING, [Action.REPLACE], id="the first voice"),
        pytest.param(
            WHILE_OTTO, ("arrived", ON_GPU), VoiceState(BERT, False, "Bert", ON_GPU), [Action.SWAP], id="the same kind"
        ),
        pytest.param(
            WHILE_OTTO, ("arrived", OTHER_KIND), VoiceState(BERT, False, "Bert", OTHER_KIND), [Action.REPLACE], id="not"
        ),
        pytest.param(LOADING, ("load_failed", NO_MEMORY), FAILED, [], id="no voice can be heard"),
        pytest.param(RESIZING, ("load_failed", NO_MEMORY), NOT_RESIZED, [], id="the voice is heard all the same"),
        pytest.param(FAILED, ("tried_again",), replace(FAILED, load=Why.CHOSEN), [], id="again"),
        pytest.param(NOT_RESIZED, ("tried_again",), replace(NOT_RESIZED, load=Why.RESIZED), [], id="resized again"),
        pytest.param(replace(FAILED, load=Why.CHOSEN), ("arrived", LOADED), SPEAKING, [Action.REPLACE], id="at last"),
        pytest.param(LOADING, ("gpu_failed",), replace(LOADING, load=Why.GPU_FAILED), [], id="loaded for the CPU now"),
        pytest.param(
            SPEAKING_ON_GPU,
            ("gpu_failed",),
            replace(LOADING, load=Why.GPU_FAILED),
            [Action.FALL_SILENT, Action.LOAD],
            id="the CPU is too slow",
        ),
        pytest.param(WHILE_OTTO, ("gpu_failed",), WHILE_OTTO, [], id="the old voice speaks on the CPU meanwhile"),
        pytest.param(RESIZING, ("gpu_failed",), RESIZING, [], id="the voice speaks all the same"),
        pytest.param(SPEAKING, ("resized",), RESIZING, [Action.LOAD], id="another chunk size"),
    ],
)
def test_what_follows_from_an_event(before, event, after, actions):
    name, *details = event
    assert getattr(before, name)(*details) == (after, tuple(actions))


def test_in_the_beginning_a_built_in_voice_speaks_and_an_rvc_voice_is_being_loaded():
    assert VoiceState.first(BUILT_IN) == GIANT
    assert VoiceState.first(OTTO) == LOADING


def test_only_the_voice_that_is_being_loaded_is_said_to_be():
    assert (WHILE_OTTO.loading, SPEAKING.loading, FAILED.loading) == ("Bert", "", "")


def test_it_is_a_fault_that_a_voice_cannot_be_loaded_but_not_that_another_chunk_size_for_it_cannot():
    assert FAILED.fault == replace(FAILED, load=Why.CHOSEN).fault == NO_MEMORY
    assert NOT_RESIZED.fault is None


@pytest.mark.parametrize("state", [GIANT, LOADING, RESIZING, NOT_RESIZED, BYPASS])
def test_the_chunk_size_is_adapted_only_while_a_voice_speaks_undisturbed(state):
    assert SPEAKING.may_be_resized
    assert not state.may_be_resized


@pytest.mark.parametrize("state", [GIANT, LOADING, SPEAKING, replace(SPEAKING_ON_GPU, load=Why.RESIZED), BYPASS])
def test_only_a_voice_that_speaks_on_the_gpu_and_goes_on_needs_it(state):
    assert SPEAKING_ON_GPU.needs_gpu
    assert not state.needs_gpu


def test_a_chunk_size_that_the_user_has_set_stays():
    assert not replace(SPEAKING, config=replace(OTTO, rvc_chunk_size=CHUNK)).may_be_resized
