"""The program beside a model of sound that reads WAV files, in C."""

from __future__ import annotations

from loopcell.export.c.blob import set_up_words
from loopcell.export.c.names import text
from loopcell.export.c.source import CSource


def reads_sound(source: CSource) -> bool:
    """Say whether a model takes frames of sound, or a sample at a time."""
    alone = [(one.kind, one.size) for one in source.model.inputs] == [("number", 1)]
    return source.model.frames is not None or (alone and "sample_rate" in source.model.facts)


def wav_target(source: CSource, at: str = "") -> str:
    """Return the lines of the Makefile that build the program; nothing for a model that reads no sound.

    Args:
        source: the model.
        at: the folder of its code, from that of the Makefile; "" for the same one.
    """
    if not reads_sound(source):
        return ""
    name = source.name
    include = f"-I{at} " if at else ""
    command = f"$(CC) $(STRICT) $(CFLAGS) $(ARCH) {include}{name}_wav.c {at}{name}.c -o $@"
    return f"{name}_wav: {name}_wav.c {at}{name}.c {at}{name}.h\n\t{command}\n\n"


def wav_text(source: CSource) -> str:
    """Return NAME_wav.c, for a model of sound: it prints answers, or writes the sound that an effect makes."""
    frames, name = source.model.frames, source.name
    sample_rate = frames.sample_rate if frames else source.model.facts["sample_rate"]
    head = text("wav_head.c").format(sample_rate=sample_rate)
    if source.model.is_effect:
        return text("effect_wav.c").format(**set_up_words(source), name=name, sample_rate=sample_rate, head=head)
    outputs = [(source.quantities[one.name], one.size) for one in source.outputs]
    words = ", ".join(word for word, _ in outputs)
    if frames is None:
        take = [f"if ({name}_step(&model, &state, &sample, {words})) return 1;", "answer();"]
        finish = []
    else:
        fed = f"{name}_feed(&model, &state, &sample, 1, &used, {words})"
        take = ["size_t used;", f"const int status = {fed};", f"if (status == {name.upper()}_ANSWER) answer();"]
        take += [f"else if (status != {name.upper()}_OK) return 1;"]
        finish = [f"if ({name}_finish(&model, &state, {words}) == {name.upper()}_ANSWER) answer();"]
    prints = [
        f'for (int unit = 0; unit < {size}; unit++) printf(" %.9g", (double){word}[unit]);' for word, size in outputs
    ]
    return text("wav.c").format(
        **set_up_words(source),
        name=name,
        sample_rate=sample_rate,
        head=head,
        declarations="\n".join(f"static float {word}[{size}];" for word, size in outputs),
        prints=_indented(prints),
        take=_indented(take),
        finish=_indented(finish),
    )


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
