"""AudioEffect: samples in, samples out; files of NAM, of RTNeural and its own; sounds of any cut, WAV to WAV."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from loopcell import GRU, LSTM, AudioEffect, Recurrent, State
from loopcell.errors import DataError, FileFormatError, FileWriteError, InputError, UsageError
from loopcell.export import OnnxStream, StepRun, to_c, to_onnx, to_wasm, verify
from loopcell.importing import from_nam, to_nam, to_rtneural

RATE = 44_100
SOUND = np.random.default_rng(0).normal(0, 0.2, 500).astype(np.float32)


def nam_file(path: Any, *, start: bool = True) -> Any:
    torch.manual_seed(0)
    net, head = LSTM(1, 6, num_layers=2, batch_first=True), nn.Linear(6, 1)
    state = State(h=torch.randn(2, 1, 6) * 0.3, c=torch.randn(2, 1, 6) * 0.3) if start else None
    to_nam([net, head], path, sample_rate=RATE, state=state)
    return path


def effect(*, skip: bool = False) -> AudioEffect:
    torch.manual_seed(1)
    return AudioEffect([GRU(1, 5), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1)], RATE, skip=skip)


def test_a_nam_file_gives_its_own_samples(tmp_path: Any) -> None:
    path = nam_file(tmp_path / "amp.nam")
    with torch.no_grad():
        expected = from_nam(path).model(torch.from_numpy(SOUND)[None, :, None])[0][0, :, 0].numpy()
    made = AudioEffect.load(path)
    assert made.sample_rate == RATE
    assert np.allclose(made.process(SOUND), expected, atol=1e-6)
    with pytest.raises(UsageError, match="is of 44,100 Hz, and sample_rate=48000 was given"):
        AudioEffect.load(path, 48_000)


def test_a_file_of_rtneural_needs_its_rate(tmp_path: Any) -> None:
    layers = [LSTM(1, 4), nn.Linear(4, 1), nn.Tanh()]
    to_rtneural(layers, tmp_path / "amp.json")
    with pytest.raises(UsageError, match="does not say its sample rate"):
        AudioEffect.load(tmp_path / "amp.json")
    with torch.no_grad():
        expected = layers[2](layers[1](layers[0](torch.from_numpy(SOUND)[:, None])[0]))[:, 0].numpy()
    assert np.allclose(AudioEffect.load(tmp_path / "amp.json", RATE).process(SOUND), expected, atol=1e-6)


@pytest.mark.parametrize("skip", [False, True])
def test_any_cut_of_a_sound_gives_the_same_samples(skip: bool) -> None:
    made, stream = effect(skip=skip), effect(skip=skip).stream()
    whole = made.process(SOUND)
    cuts = [0, 0, 1, 8, 136, 137, 400, 500]
    parts = [stream.feed(SOUND[start:end]) for start, end in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), whole)
    stream.reset()
    assert np.array_equal([stream.step(sample) for sample in SOUND[:20]], whole[:20])
    assert stream.rows == 20


def test_stereo_is_two_streams() -> None:
    made, both = effect(), np.stack([SOUND, SOUND[::-1]], axis=1)
    found = made.process(both)
    assert np.array_equal(found[:, 0], made.process(SOUND))
    assert np.array_equal(found[:, 1], made.process(SOUND[::-1]))


def test_a_stream_goes_on_where_its_file_says(tmp_path: Any) -> None:
    made = AudioEffect.load(nam_file(tmp_path / "amp.nam"))
    whole = made.process(SOUND)
    with made.stream(tmp_path / "s.state") as stream:
        first = stream.feed(SOUND[:200])
        other = stream.fork()
    with made.stream(tmp_path / "s.state") as stream:
        assert np.array_equal(np.concatenate([first, stream.feed(SOUND[200:])]), whole)
    assert np.array_equal(other.feed(SOUND[200:]), whole[200:])
    with pytest.raises(UsageError, match="another AudioEffect, whose weights are not those of this one"):
        effect().stream(tmp_path / "s.state")
    with pytest.raises(FileFormatError, match="does not describe a stream of this model"):
        made.stream(tmp_path / "s.state", channels=2)


def test_what_is_no_sound_is_said() -> None:
    made, whole = effect(), effect().process(SOUND)
    for given, sentence in (
        ("in.wav", "'in.wav' is a path: process_file"),
        (SOUND.reshape(2, -1), r"\[2, 250\] has 250 channels"),
        (np.arange(2), r"are floats from -1 to 1, or int16 or int32 as a WAV file has them; got int64 of \[2\]"),
        (np.array([0.1, np.nan]), r"^the chunk from sample 1 on has no value \(NaN\) at step 2"),
    ):
        with pytest.raises((DataError, InputError), match=sentence):
            made.process(given)
    with pytest.raises(InputError, match="is a path: process_file"):
        made.stream().feed("in.wav")
    assert np.array_equal(made.process(SOUND), whole)


def test_a_state_that_cannot_be_written_is_refused_first(tmp_path: Any) -> None:
    for path, sentence in ((tmp_path / "none" / "s", "its folder does not exist"), (tmp_path, "a folder has that")):
        with pytest.raises(FileWriteError, match=sentence):
            effect().stream(path)


def test_its_own_file_is_the_effect(tmp_path: Any) -> None:
    cell = Recurrent("mgu", 1, 4, num_layers=2)
    for made in (
        AudioEffect.load(nam_file(tmp_path / "amp.nam")),
        effect(skip=True),
        AudioEffect([cell, nn.Linear(4, 1)], RATE),
    ):
        made.save(tmp_path / "it.safetensors")
        again = AudioEffect.load(tmp_path / "it.safetensors")
        assert np.array_equal(again.process(SOUND), made.process(SOUND))
        assert (again.sample_rate, again.skip) == (made.sample_rate, made.skip)
        state = made.stream().state
        again.stream(state)  # the same identity


def test_a_damaged_file_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "it.safetensors"
    effect().save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    with pytest.raises(FileFormatError):
        AudioEffect.load(path)
    changed = bytearray(content)
    changed[-3] ^= 0x40
    path.write_bytes(bytes(changed))
    with pytest.raises(FileFormatError):
        AudioEffect.load(path)
    (tmp_path / "odd.nam").write_text(json.dumps({"architecture": "WaveNet", "version": "0.5.4"}), encoding="utf-8")
    with pytest.raises(FileFormatError, match="only LSTM is a recurrent network"):
        AudioEffect.load(tmp_path / "odd.nam")


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([GRU(1, 4)], r"give 4: add torch.nn.Linear\(4, 1\)"),
        ([nn.Linear(1, 1)], "these layers have none"),
        ([GRU(2, 4), nn.Linear(4, 1)], "an effect reads one number a sample, and these layers read 2"),
        ([GRU(1, 4), nn.Linear(5, 1)], "a layer of 5 inputs follows one of 4 outputs"),
        ([GRU(1, 4, bidirectional=True), nn.Linear(8, 1)], "reads a sound from its end too"),
        ([GRU(1, 4), nn.Softmax(-1), nn.Linear(4, 1)], "Softmax is no layer of an effect"),
        ([Recurrent("lstm_time_aware", 1, 4), nn.Linear(4, 1)], "reads more than the sound: dt"),
    ],
)
def test_what_is_no_effect_says_why(layers: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        AudioEffect(layers, RATE)


def test_bad_samples_are_refused() -> None:
    stream = effect().stream()
    for samples in ([0.1, np.nan], [[0.1, 0.2]], ["a"]):
        with pytest.raises((DataError, InputError)):
            stream.feed(np.array(samples))
    assert stream.rows == 0
    for rate in (0, True, 44_100.0):
        with pytest.raises(InputError, match="sample_rate="):
            AudioEffect([GRU(1, 4), nn.Linear(4, 1)], rate)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="channels=0"):
        effect().stream(channels=0)


@pytest.mark.parametrize("kind", ["PCM_16", "PCM_24", "FLOAT"])
def test_wav_to_wav(kind: str, tmp_path: Any) -> None:
    made, both = effect(skip=True), np.stack([SOUND, SOUND[::-1]], axis=1)
    soundfile.write(tmp_path / "in.wav", both, RATE, subtype=kind)
    given, _ = soundfile.read(tmp_path / "in.wav", dtype="float32")
    found = made.process_file(tmp_path / "in.wav", tmp_path / "out.wav")
    heard, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert (rate, soundfile.info(tmp_path / "out.wav").subtype) == (RATE, kind)
    expected = made.process(given)
    assert np.allclose(heard, expected, atol=2**-15)
    assert (found.samples, found.channels, found.clipped) == (500, 2, 0)
    assert found.peak == pytest.approx(float(np.abs(expected).max()))


def test_clipping_is_counted_and_another_rate_refused(tmp_path: Any) -> None:
    made = effect(skip=True)
    with torch.no_grad():
        made.layers[-1].bias.fill_(0.8)
    soundfile.write(tmp_path / "in.wav", SOUND, RATE, subtype="PCM_16")
    found = made.process_file(tmp_path / "in.wav", tmp_path / "out.wav")
    heard, _ = soundfile.read(tmp_path / "out.wav")
    assert found.clipped > 0
    assert found.clipped >= int((heard >= 1 - 2**-14).sum())
    assert f"{found.clipped:,} samples were beyond full scale and are clipped" in found.summary()
    soundfile.write(tmp_path / "slow.wav", SOUND, 22_050)
    with pytest.raises(DataError, match="has 22,050 Hz, and the effect 44,100"):
        made.process_file(tmp_path / "slow.wav", tmp_path / "new.wav")
    with pytest.raises(UsageError, match=r"name a \.wav"):
        made.process_file(tmp_path / "in.wav", tmp_path / "new.flac")
    assert not (tmp_path / "new.wav").exists()


@pytest.mark.parametrize("skip", [False, True])
def test_its_step_is_the_effect(skip: bool, tmp_path: Any) -> None:
    made = effect(skip=skip)
    step, check = made.step_model(), made.step_check(SOUND[:60])
    assert set(verify(step, StepRun(step), check).errors) == {"stepped", "own offline", "own streamed"}
    assert step.is_effect
    nam = AudioEffect.load(nam_file(tmp_path / "amp.nam"))
    to_onnx(nam.step_model(), tmp_path / "amp.onnx", form="sequence", x=nam.step_check(SOUND[:60]))
    found = OnnxStream(tmp_path / "amp.onnx").feed(x=SOUND[:60, None])["y"][:, 0]
    assert np.allclose(found, nam.process(SOUND[:60]), atol=1e-5)  # from the state that the file has


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("cc"), reason="there is no make or no C compiler")
def test_the_c_makes_wav_of_wav(tmp_path: Any) -> None:
    made = AudioEffect.load(nam_file(tmp_path / "amp.nam"))
    to_c(made, tmp_path / "c", data=made.step_check(SOUND[:50]), drift_steps=0)
    both = np.stack([SOUND, SOUND[::-1]], axis=1)
    for kind in ("PCM_16", "FLOAT"):
        soundfile.write(tmp_path / "in.wav", both, RATE, subtype=kind, format="WAV")
        command = f"make effect_wav && ./effect_wav {tmp_path}/in.wav {tmp_path}/c.wav"
        subprocess.run(command, shell=True, cwd=tmp_path / "c", check=True, capture_output=True)
        made.process_file(tmp_path / "in.wav", tmp_path / "py.wav")
        (c, _), (py, _) = (soundfile.read(tmp_path / name) for name in ("c.wav", "py.wav"))
        assert np.allclose(c, py, atol=1.01 / 32768)
        assert soundfile.info(tmp_path / "c.wav").subtype == kind


def test_the_worklet_has_a_stream_for_each_channel(tmp_path: Any) -> None:
    made = effect()
    to_wasm(made, tmp_path / "w", data=made.step_check(SOUND[:20]))
    manifest = json.loads((tmp_path / "w" / "effect.json").read_text(encoding="utf-8"))
    assert manifest["effect"] is True
    assert manifest["sample_rate"] == RATE
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node")
    program = f"""
        import {{ readFileSync }} from "node:fs";
        globalThis.sampleRate = {RATE};
        globalThis.AudioWorkletProcessor = class {{ constructor() {{ this.port = {{}}; }} }};
        let made;
        globalThis.registerProcessor = (name, kind) => {{ made = kind; }};
        await import("./effect-worklet.js");
        const module = new WebAssembly.Module(readFileSync("effect.wasm"));
        const worklet = new made({{ processorOptions: {{ module }} }});
        const sound = Float32Array.from(JSON.parse(process.argv[2])), found = [[], []];
        for (let at = 0; at < sound.length; at += 128) {{
          const left = sound.slice(at, at + 128), right = left.map((one) => -one);
          const out = [new Float32Array(left.length), new Float32Array(left.length)];
          worklet.process([[left, right]], [out]);
          out.forEach((channel, place) => found[place].push(...channel));
        }}
        console.log(JSON.stringify(found));
    """
    (tmp_path / "w" / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "w" / "run.mjs").write_text(program, encoding="utf-8")
    given = json.dumps(SOUND[:384].tolist())
    done = subprocess.run([node, "run.mjs", given], cwd=tmp_path / "w", capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    left, right = json.loads(done.stdout)
    assert np.allclose(left, made.process(SOUND[:384]), atol=1e-6)
    assert np.allclose(right, made.process(-SOUND[:384]), atol=1e-6)
