import pytest

from rwc_pw.pipewire.graph import Graph
from rwc_pw.pipewire.session_manager import SessionManagerWatch

DEFAULTS, CLIENT, NEXT = 30, 31, 40


def ends(*graphs: set[int]) -> list[bool]:
    watch = SessionManagerWatch()
    return [watch.observe(Graph(session_manager_ids=frozenset(ids))) for ids in graphs]


@pytest.mark.parametrize(
    ("graphs", "ended"),
    [
        pytest.param([{CLIENT}, {CLIENT, DEFAULTS}], [0, 0], id="it begins piece by piece"),
        pytest.param([{CLIENT, DEFAULTS}, {CLIENT}, set()], [0, 1, 0], id="it ends piece by piece"),
        pytest.param([{CLIENT}, set(), {CLIENT}, set()], [0, 1, 0, 1], id="the next one has the same ids"),
        pytest.param([{CLIENT, DEFAULTS}, {CLIENT, NEXT}, {NEXT}], [0, 1, 0], id="the next one begins meanwhile"),
        pytest.param([set(), set(), {CLIENT}, set()], [1, 0, 0, 1], id="none at first"),
    ],
)
def test_each_end_is_noticed_once(graphs, ended):
    assert ends(*graphs) == list(map(bool, ended))


def test_the_next_one_may_forget_no_ports():
    watch = SessionManagerWatch()
    assert watch.forgets_ports, "it may have ended before the first graph"
    old = Graph(session_manager_ids=frozenset({CLIENT, DEFAULTS}), forgets_ports=True)
    rest_of_old = Graph(session_manager_ids=frozenset({DEFAULTS}))
    new = Graph(session_manager_ids=frozenset({NEXT}))
    told = []
    for graph in (old, rest_of_old, Graph(), new, Graph()):
        watch.observe(graph)
        told.append(watch.forgets_ports)
    assert told == [True, True, True, False, False]
