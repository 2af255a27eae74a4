import pytest

from rwc_pw.rvc.graph_files import GraphFiles, forget

pytestmark = pytest.mark.needs_rvc


def graph(ops):
    given = ops.input([2])
    return ops.model([given], [ops.relu(given)], [])


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"1")
    return path


def test_what_is_kept_is_found_and_what_it_replaces_goes(tmp_path, weights):
    files, built = GraphFiles(tmp_path / "kept"), []

    def build(ops):
        built.append(1)
        return graph(ops)

    first = files.find("Otto", weights, 1, {"one": build, "two": graph})
    assert sorted(path.name for path in first.iterdir()) == ["one.bin", "one.xml", "two.bin", "two.xml"]
    assert files.find("Otto", weights, 1, {"one": build, "two": graph}) == first
    other = files.find("Otto-2", weights, 1, {"one": build})
    second = files.find("Otto", weights, 2, {"one": build, "two": graph})
    assert (first.exists(), other.exists(), second.exists(), len(built)) == (False, True, True, 3)
    weights.write_bytes(b"22")
    third = files.find("Otto", weights, 2, {"one": build, "two": graph})
    assert sorted(path.name for path in third.parent.iterdir()) == sorted([third.name, other.name])


def test_what_is_discarded_or_forgotten_goes_alone(tmp_path, weights):
    kept = tmp_path / "kept"
    other = GraphFiles(kept).find("Otto-2", weights, 1, {"one": graph})
    files = GraphFiles(kept)
    damaged = files.find("Anna", weights, 1, {"one": graph})
    files.discard()
    assert (damaged.exists(), other.exists()) == (False, True)
    files.find("Otto", weights, 1, {"one": graph})
    forget(kept, "Otto")
    assert list(kept.iterdir()) == [other]


def test_a_build_that_fails_leaves_nothing(tmp_path, weights):
    def fail(_):
        raise ValueError("no network")

    with pytest.raises(ValueError, match="no network"):
        GraphFiles(tmp_path / "kept").find("Otto", weights, 1, {"one": graph, "two": fail})
    assert list((tmp_path / "kept").iterdir()) == []
