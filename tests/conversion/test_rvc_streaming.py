"""StreamingConverter: the voice's own network, live."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rwc_pw.audio.crossfade import FADE_SAMPLES
from rwc_pw.conversion.network_loader import NetworkLoader
from rwc_pw.errors import ConversionError, RwcPwError, UnavailableError, UsageError
from rwc_pw.rvc import graph_files
from rwc_pw.streaming import (
    BufferConfig,
    ConversionConfig,
    StreamingConverter,
    StreamingPipeline,
    converter_slot,
    create_backend,
)
from rwc_pw.streaming.conversion_times import ConversionTimes
from rwc_pw.voices.adding.add import add_voice
from rwc_pw.voices.store import VoiceStore
from tests.conversion.test_rvc_batch import pitch_hz, spoken
from tests.patience import PATIENCE_S
from tests.rvc.checkable import make_index, make_voice
from tests.rvc.synthesizer import FEATURES
from tests.rvc.tone import tone
from tests.rvc.warble import delay_samples, warble

pytestmark = pytest.mark.needs_rvc

CHUNK = 4800
KINDS = [("v1", 48_000), ("v2", 32_000), ("v2", 40_000)]
KIND_ID = "{0[0]}-{0[1]}".format
OF_ONE_KIND = pytest.mark.parametrize("config", KINDS[:1], ids=KIND_ID, indirect=True)
"""For what does not depend on the kind of voice, but takes long."""


@pytest.fixture(scope="module", params=KINDS, ids=KIND_ID)
def config(request, kept, assets_dir, tmp_path_factory):  # noqa: ARG001
    """One of a stored voice with an index."""
    version, rate_hz = request.param
    folder = tmp_path_factory.mktemp("voice")
    make_voice(folder / "Kind.pth", version=version, rate_hz=rate_hz)
    make_index(folder / "Kind.index", dimension=FEATURES[version], vectors=500)
    store = VoiceStore(folder / "models")
    stored = store.folder_of(add_voice(folder / "Kind.pth", store, index=folder / "Kind.index"))
    return ConversionConfig(
        model_path=stored, assets_dir=assets_dir, backend="streaming", chunk_size=CHUNK, index_rate=0.5
    )


@pytest.fixture(scope="module")
def converter(config):
    """One that has been loaded; it begins anew in each test."""
    one = StreamingConverter(config)
    one.initialize()
    yield one
    one.cleanup()


class Untimed(ConversionTimes):
    """What is measured is different each time."""

    def add(self, time_s: float) -> None:
        pass


@pytest.fixture
def fresh(converter, config):
    converter.initialize()
    assert converter.adjust(config)
    return converter


def test_it_speaks_at_the_pitch_that_is_asked_for_while_it_speaks(fresh, config):
    for semitones in (-12, 0, 5, 12):
        assert fresh.adjust(dataclasses.replace(config, pitch_shift=semitones))
        assert pitch_hz(spoken(fresh, tone(1.5), CHUNK)) == pytest.approx(170 * 2 ** (semitones / 12), rel=0.01)


def test_what_is_said_comes_the_latency_later(fresh):
    said = warble(4.0)
    heard = spoken(fresh, said, CHUNK)
    assert delay_samples(said, heard, longest=2 * CHUNK) == pytest.approx(fresh.latency_samples, abs=96)


def test_the_end_of_a_block_is_heard_again_with_what_follows(fresh):
    import soxr

    said = np.sin(np.arange(5 * CHUNK) * 2 * np.pi * 6000 / 48_000).astype(np.float32)
    spoken(fresh, said, CHUNK)
    heard = fresh._stream._window
    at_once = soxr.resample(said, 48_000, 16_000)[-len(heard) :]
    np.testing.assert_allclose(heard[:-40], at_once[:-40], atol=5e-3)  # 0.05 where silence followed


@OF_ONE_KIND
def test_the_further_it_looks_ahead_the_later_it_speaks(fresh, config):
    further = dataclasses.replace(config, look_ahead=40)
    assert not fresh.adjust(further)
    one, said = StreamingConverter(further), warble(4.0)
    one.initialize()
    heard = spoken(one, said, CHUNK)
    assert one.latency_samples == fresh.latency_samples + 30 * 48
    assert delay_samples(said, heard, longest=2 * CHUNK) == pytest.approx(one.latency_samples, abs=96)
    one.cleanup()


@pytest.mark.usefixtures("kept")
def test_swift_f0_finds_the_pitch_as_well_and_as_late(assets_dir, stored):
    config = ConversionConfig(
        model_path=stored, assets_dir=assets_dir, backend="streaming", chunk_size=CHUNK, f0_method="swiftf0"
    )
    one = StreamingConverter(config)
    one.initialize()
    said = warble(4.0)
    heard = spoken(one, said, CHUNK)
    assert delay_samples(said, heard, longest=2 * CHUNK) == pytest.approx(one.latency_samples, abs=96)
    assert not one.adjust(dataclasses.replace(config, f0_method="auto"))
    with pytest.raises(UnavailableError, match="RMVPE"):
        StreamingConverter(dataclasses.replace(config, f0_method="rmvpe")).initialize()


@pytest.mark.usefixtures("kept")
def test_rmvpe_speaks_and_leaves_no_logs_where_we_were_started(assets_dir, stored, tmp_path, monkeypatch):
    """Of random weights, which find some pitch or other."""
    import torch
    from ultimate_rvc.rvc.lib.predictors.RMVPE import E2E

    models = tmp_path / "assets"
    shutil.copytree(assets_dir, models)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(E2E(4, 1, (2, 2)).state_dict(), models / "rvc/predictors/rmvpe.pt")
    started_in = tmp_path / "home"
    started_in.mkdir()
    monkeypatch.chdir(started_in)
    monkeypatch.delenv("URVC_NO_LOGGING")
    one = StreamingConverter(
        ConversionConfig(model_path=stored, assets_dir=models, backend="streaming", chunk_size=CHUNK, f0_method="rmvpe")
    )
    one.initialize()
    assert spoken(one, tone(1), CHUNK)[-CHUNK:].any()
    assert list(started_in.iterdir()) == []


def test_the_edges_of_blocks_are_as_smooth_as_what_is_between(fresh):
    heard = spoken(fresh, tone(10), CHUNK)[CHUNK * 4 :].astype(np.float64)
    bends = np.diff(heard, 2) ** 2
    at_edges = bends[: len(bends) // CHUNK * CHUNK].reshape(-1, CHUNK)[:, : CHUNK // 10]
    assert at_edges.mean() / bends.mean() == pytest.approx(1.0, abs=0.05)


def test_the_same_sound_is_converted_alike_every_time(fresh):
    first = spoken(fresh, tone(1), CHUNK)
    fresh.initialize()
    np.testing.assert_array_equal(spoken(fresh, tone(1), CHUNK), first)


@OF_ONE_KIND
def test_the_same_sound_is_said_however_it_arrives(config):
    said, heard = tone(2.0), []
    for size in (128, 480, 1024):
        converter = StreamingConverter(config)
        it = StreamingPipeline(converter, BufferConfig(CHUNK), times=Untimed(CHUNK))
        it.start()
        blocks = []
        for start in range(0, len(said) // size * size, size):
            it.process_input(said[start : start + size])
            blocks.append(it.get_output(size, timeout_s=PATIENCE_S))
        delay = round(it.get_metrics().total_latency_ms * 48) - converter.latency_samples
        heard.append(np.concatenate(blocks)[delay:][: 10 * CHUNK])
        it.stop()
    assert np.abs(heard[0]).max() > 0.1
    np.testing.assert_array_equal(heard[1], heard[0])
    np.testing.assert_array_equal(heard[2], heard[0])


def test_silence_is_silence_and_nothing_is_computed(fresh, monkeypatch):
    spoken(fresh, tone(0.5), CHUNK)
    spoken(fresh, np.zeros(10 * CHUNK, np.float32), CHUNK)
    monkeypatch.setattr(fresh._stream, "_step", None)
    assert not spoken(fresh, np.zeros(4 * CHUNK, np.float32), CHUNK).any()


def test_it_takes_over_in_the_middle_of_a_word(fresh):
    heard = fresh.convert_chunk(tone(1)[-CHUNK:], context=tone(1)[:-CHUNK])
    assert np.abs(heard[fresh.latency_samples // 2 :]).max() > 0


def test_what_takes_another_network_takes_another_converter(fresh, config, tmp_path):
    assert not fresh.adjust(dataclasses.replace(config, backend="batch"))
    assert not fresh.adjust(dataclasses.replace(config, chunk_size=2 * CHUNK))
    assert not fresh.adjust(dataclasses.replace(config, model_path=tmp_path))


def test_a_chunk_of_another_length_is_refused(fresh):
    with pytest.raises(UsageError, match="100 samples"):
        fresh.convert_chunk(tone(0.1)[:100])


def test_what_is_built_is_kept_and_a_replaced_voice_is_built_anew(fresh, config, kept, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(graph_files, "BUILD", ("-c", "raise SystemExit('it was to be built')"))
    StreamingConverter(config).initialize()
    model = config.model_path / "model.safetensors"
    written = model.stat()
    model.touch()
    with pytest.raises(RwcPwError, match="it was to be built"):
        StreamingConverter(config).initialize()
    os.utime(model, ns=(written.st_atime_ns, written.st_mtime_ns))  # for the next tests it is built
    assert list(kept.glob(".compiling-*")) == []
    assert not (Path.home() / "intel").exists()  # where openvino notes what it reports to its makers


@pytest.mark.parametrize("config", KINDS[:1], indirect=True, ids=KIND_ID)
def test_what_was_damaged_is_made_anew(fresh, config, kept):
    def cut(whole: bytes) -> bytes:
        return whole[: len(whole) // 2]

    def overwritten(whole: bytes) -> bytes:  # with what is no number, in the middle
        start = len(whole) // 4
        return whole[:start] + b"\xff" * 4096 + whole[start + 4096 :]

    assert spoken(fresh, tone(0.5), CHUNK).any()
    for name, damage in (
        ("Kind-*/decoder.bin", cut),
        ("Kind-*/decoder.bin", overwritten),
        ("Kind-*/text.xml", cut),
        (".fcpe-*/salience.bin", overwritten),
    ):
        [damaged] = kept.glob(name)
        spoiled = damage(damaged.read_bytes())
        damaged.write_bytes(spoiled)
        anew = StreamingConverter(config)
        anew.initialize()
        assert damaged.read_bytes() != spoiled
        heard = spoken(anew, tone(0.5), CHUNK)
        assert heard.any()
        assert np.isfinite(heard).all()


def test_a_voice_that_is_loaded_after_the_cleanup_is_not_kept(config, monkeypatch):
    one = StreamingConverter(config)
    load = NetworkLoader.load

    def load_too_late(loader):
        stream = load(loader)
        one.cleanup()
        return stream

    monkeypatch.setattr(NetworkLoader, "load", load_too_late)
    with pytest.raises(ConversionError, match="closed"):
        one.initialize()
    assert one._stream is None


TWO_NETWORKS = """
import signal, sys
from pathlib import Path
from rwc_pw.rvc.cpu_network import CpuNetwork
from rwc_pw.system.extra import load_module

openvino, path = load_module("openvino"), Path(sys.argv[1])
source = openvino.opset13.parameter([-1], name="x")
openvino.save_model(openvino.Model([openvino.opset13.relu(source)], [source]), path)
one, other = CpuNetwork(path, [[4]]), CpuNetwork(path, [[4]])
del one, other  # in this order
signal.signal(signal.SIGALRM, lambda *_: print("heard"))
signal.raise_signal(signal.SIGALRM)
"""


def test_after_networks_have_gone_signals_arrive_as_before(tmp_path):
    program = (sys.executable, "-c", TWO_NETWORKS, str(tmp_path / "network.xml"))
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


def test_without_contentvec_the_line_to_run_is_told(config, tmp_path):
    with pytest.raises(UnavailableError) as error:
        StreamingConverter(dataclasses.replace(config, assets_dir=tmp_path)).initialize()
    assert error.value.remedy == "Run `rwc-pw setup`."


@pytest.mark.usefixtures("kept")
def test_a_voice_without_pitch_speaks_too(assets_dir, tmp_path):
    make_voice(tmp_path / "Flat.pth", has_pitch=False)
    store = VoiceStore(tmp_path / "models")
    stored = store.folder_of(add_voice(tmp_path / "Flat.pth", store))
    flat = StreamingConverter(
        ConversionConfig(model_path=stored, assets_dir=assets_dir, backend="streaming", chunk_size=CHUNK)
    )
    flat.initialize()
    assert np.abs(spoken(flat, tone(1), CHUNK)[-CHUNK:]).max() > 0


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("size", [1024, 16384])
def test_the_shortest_and_the_longest_chunk_speak_too(assets_dir, stored, size):
    config = ConversionConfig(
        model_path=stored, assets_dir=assets_dir, backend="streaming", chunk_size=size, pitch_shift=5
    )
    one = StreamingConverter(config)
    one.initialize()
    heard = spoken(one, tone(2), config.chunk_samples)
    assert pitch_hz(heard) == pytest.approx(170 * 2 ** (5 / 12), rel=0.01)


def test_a_voice_may_be_called_contentvec_and_a_damaged_index_is_told(assets_dir, voice_file, tmp_path, kept):
    store = VoiceStore(tmp_path / "models")
    make_index(tmp_path / "voice.index", dimension=768, vectors=500)
    stored = store.folder_of(add_voice(voice_file, store, name="ContentVec", index=tmp_path / "voice.index"))
    config = ConversionConfig(model_path=stored, assets_dir=assets_dir, backend="streaming", chunk_size=CHUNK)
    StreamingConverter(config).initialize()
    index = stored / "model.index"
    whole, middle = index.read_bytes(), index.stat().st_size // 2
    built_before = [(path, path.stat().st_mtime_ns) for path in sorted(kept.rglob("*"))]
    for damaged in (b"no index", b"", whole[:middle] + b"\xff" * 4096 + whole[middle + 4096 :]):  # faiss takes the last
        index.write_bytes(damaged)
        with pytest.raises(RwcPwError, match=r"ContentVec/model\.index is damaged"):
            StreamingConverter(config).initialize()
    assert [(path, path.stat().st_mtime_ns) for path in sorted(kept.rglob("*"))] == built_before


def test_a_backend_that_is_none_is_told(tmp_path):
    with pytest.raises(UsageError, match="backend 'Batch'"):
        ConversionConfig(model_path=tmp_path, backend="Batch")


@pytest.mark.usefixtures("kept")
def test_nothing_that_changes_while_it_speaks_leaves_a_click_or_a_gap(assets_dir, tmp_path):
    store = VoiceStore(tmp_path / "models")
    voices = []
    for seed, name in enumerate(("Anna", "Otto")):
        make_voice(tmp_path / f"{name}.pth", seed=seed)
        add_voice(tmp_path / f"{name}.pth", store)
        voices.append(
            ConversionConfig(
                model_path=store.folder / name, assets_dir=assets_dir, backend="streaming", chunk_size=CHUNK
            )
        )
    anna, otto = voices
    it = StreamingPipeline(create_backend(anna), BufferConfig(CHUNK))
    it.start()
    heard = []
    moved = {"formant_shift": 3}
    changes = anna, otto, anna, otto, {"pitch_shift": 1}, {"index_rate": 0.2}, {"protect": 0.5}, moved
    for number, change in enumerate((*changes, dataclasses.replace(anna, **moved))):
        if isinstance(change, dict):
            otto = dataclasses.replace(otto, **change)
            assert it.adjust(otto)
        elif number:
            successor = create_backend(change)
            successor.initialize()
            it.replace_backend(successor)
        for start in range(0, 48_000, CHUNK):
            it.process_input(tone(1)[start : start + CHUNK])
            heard.append(it.get_output(CHUNK, timeout_s=PATIENCE_S))
    it.stop()
    sound = np.concatenate(heard)
    periods = np.abs(sound[24_000:].reshape(-1, 480)).max(axis=1)
    assert periods.min() > 0.5 * np.median(periods)
    steps = np.abs(np.diff(sound, prepend=0)).reshape(-1, 2, 24_000).max(axis=2)  # after a change, and later
    usual = np.maximum(steps[:-1, 1], steps[1:, 1])
    assert (steps[1:, 0] < 1.5 * usual).all()


@pytest.mark.usefixtures("kept")
def test_a_sample_that_is_no_number_silences_its_chunk_alone(assets_dir, stored, monkeypatch):
    monkeypatch.setattr(converter_slot, "FIRST_RETRY_S", 3600.0)
    config = ConversionConfig(model_path=stored, assets_dir=assets_dir, backend="streaming", chunk_size=CHUNK)
    it = StreamingPipeline(create_backend(config), BufferConfig(CHUNK))
    it.start()
    said = tone(2).reshape(-1, CHUNK)
    said[10, 100] = np.nan
    heard = []
    for chunk in said:
        it.process_input(chunk)
        heard.append(it.get_output(CHUNK, timeout_s=PATIENCE_S))
    it.stop()
    assert sum(not chunk[FADE_SAMPLES:].any() for chunk in heard[3:]) == 1
