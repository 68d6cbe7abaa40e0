"""The reader of pages lets no snippet slip through."""

from __future__ import annotations

import pytest

from tests.docs.pages import PageError, blocks, commands, pages

TEXT = """# A page

```python
x = 1

y = x
```

1. A list

   ```console
   $ loopcell train lm a.txt \\
       --hidden 64   # small
   epoch 1
   $ make demo
   ```

<!-- snippet: skip needs a GPU -->
```python
z
```

<!-- snippet: run -->

````shell
loopcell cells
````

```
plain
```
"""


def page_of(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_blocks_have_language_line_text_and_marker(tmp_path):
    found = blocks(page_of(tmp_path, TEXT))
    assert [block.language for block in found] == ["python", "console", "python", "shell", ""]
    assert found[0].text == "x = 1\n\ny = x"
    assert [block.skip for block in found] == ["", "", "needs a GPU", "", ""]
    assert [block.run for block in found] == [False, False, False, True, False]
    lines = TEXT.splitlines()
    for block in found:
        assert lines[block.line - 1].strip() == block.text.splitlines()[0]


def test_commands_are_the_typed_lines_split_as_a_shell_would(tmp_path):
    found = blocks(page_of(tmp_path, TEXT))
    assert commands(found[1]) == [
        ["loopcell", "train", "lm", "a.txt", "--hidden", "64"],
        ["make", "demo"],
    ]
    assert commands(found[3]) == [["loopcell", "cells"]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<!-- snippet: skip -->\n```python\n```\n", "page.md:1: write `snippet: skip REASON`"),
        ("<!-- snippet: later -->\n```python\n```\n", "page.md:1: write `snippet: skip REASON`"),
        ("```py\nx\n```\n", "page.md:1: write ```python, not ```py"),
        ("```bash\nls\n```\n", "page.md:1: write ```shell, not ```bash"),
        ("text\n```python\nx\n", "page.md:2: the block that starts here has no end"),
    ],
)
def test_a_page_that_hides_a_snippet_is_refused(tmp_path, text, sentence):
    with pytest.raises(PageError) as error:
        blocks(page_of(tmp_path, text))
    assert sentence in str(error.value)


def test_pages_are_those_at_the_root_and_everything_under_docs(tmp_path):
    (tmp_path / "docs" / "concepts").mkdir(parents=True)
    for name in ("CONTRIBUTING.md", "README.md", "CHANGELOG.md", "docs/a.md", "docs/concepts/b.md"):
        (tmp_path / name).touch()
    found = [str(page.relative_to(tmp_path)) for page in pages(tmp_path)]
    assert found == ["README.md", "CONTRIBUTING.md", "docs/a.md", "docs/concepts/b.md"]
