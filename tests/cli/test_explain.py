from xml.dom import minidom


def test_the_picture_of_a_cell_is_written_from_its_equations(loopcell, tmp_path):
    result = loopcell("explain", "gru", "--picture", tmp_path / "gru.svg")
    assert result.exit_code == 0
    texts = minidom.parse(str(tmp_path / "gru.svg")).getElementsByTagName("text")
    assert {"r", "z", "n", "h"} <= {text.firstChild.data for text in texts}


def test_another_ending_and_a_folder_that_is_not_there_are_one_sentence(loopcell, tmp_path):
    result = loopcell("explain", "gru", "--picture", tmp_path / "gru.png")
    assert result.exit_code != 0
    assert "ends in .svg" in result.stderr
    result = loopcell("explain", "gru", "--picture", tmp_path / "none" / "gru.svg")
    assert result.exit_code != 0
    assert "folder does not exist" in result.stderr
