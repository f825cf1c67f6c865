"""Shares, messages, and the rounds in which weights are gathered, by processes that are threads."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from baselines.distributed.group import Group, PeerFailed, _Outcome, in_shares, total  # noqa: E402
from baselines.distributed.weights import Server, frozen_linear  # noqa: E402
from benchmark.engines.interface import PeerLost  # noqa: E402


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_shares_are_even_and_make_up_the_whole(size, count):
    items = list(range(count))
    parts = [Group(rank, size, None, None, None, None).share(items) for rank in range(size)]
    assert [item for part in parts for item in part] == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_process_in_no_group_does_everything_itself():
    assert in_shares([1, 2, 3], lambda part: [item * 2 for item in part], 2, print) == [2, 4, 6]
    assert total(3) == 3


def test_a_process_that_is_gone_is_told_from_one_that_failed(monkeypatch):
    def closed(found, message, group):
        raise RuntimeError("Connection closed by peer")

    group = Group(0, 2, None, None, None, SimpleNamespace(settle=lambda: None))
    monkeypatch.setattr(torch.distributed, "all_gather_object", closed)
    for call in (lambda: group.exchange(1), lambda: group.give_up("a reason")):
        with pytest.raises(PeerLost, match="one of 2 processes is gone: Connection closed by peer"):
            call()

    def other_failed(found, message, group):
        found[:] = [message, _Outcome(None, "a bug.")]

    monkeypatch.setattr(torch.distributed, "all_gather_object", other_failed)
    with pytest.raises(PeerFailed, match="process 1 of 2: a bug"):
        group.exchange(1)


class Servers:
    """Servers of as many threads, which gather by noting it."""

    def __init__(self, size, live=0, units=4):
        self.barrier, self.wanted = threading.Barrier(size, timeout=20), [0] * size
        self.log = [[] for _ in range(size)]
        self.servers = []
        for rank in range(size):
            server = Recording(size, lambda mine, rank=rank: self.exchange(rank, mine), live)
            server.log = self.log[rank]
            for _ in range(units):
                server.add([SimpleNamespace(ds_numel=10)])
            self.servers.append(server)

    def exchange(self, rank, mine):
        self.wanted[rank] = mine
        self.barrier.wait()
        found = list(self.wanted)
        self.barrier.wait()
        return found

    def run(self, *wishes):
        """Let every process ask for its units in order and then wait for the others."""

        def ask(server, wanted):
            for number in wanted:
                assert server.fetch(server.units[number]) == [f"whole {number}"]
            server.settle()

        threads = [threading.Thread(target=ask, args=pair) for pair in zip(self.servers, wishes, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        return self.log


class Recording(Server):
    """Gathers nothing but notes what all gather together."""

    __slots__ = ("log",)

    def _gather(self, unit, keep):
        self.gathered += 1
        self.log.append(unit.index)
        if keep:
            self._kept[unit.index] = [f"whole {unit.index}"]


def test_processes_that_want_the_same_gather_it_once():
    assert Servers(2).run([0, 1, 2], [0, 1, 2]) == [[0, 1, 2]] * 2


def test_processes_that_want_different_things_in_different_numbers_gather_in_one_order():
    one, two, three = Servers(3).run([0, 1, 2, 3, 0], [2], [])
    assert one == two == three == [0, 2, 1, 2, 3, 0]


def test_what_is_kept_is_not_gathered_again_but_others_are_served():
    log = Servers(2, live=20).run([0, 1, 0, 1, 2], [1, 1, 0])
    assert log[0] == log[1] == [0, 1, 0, 1, 2]
    assert Servers(1, live=0).run([0, 1, 0, 0]) == [[0, 1, 0]]


def test_a_frozen_map_is_its_own_second_derivative():
    torch.manual_seed(0)
    matrix, bias = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    weight = SimpleNamespace(get=lambda: matrix)
    x = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(frozen_linear(x, weight, bias), torch.nn.functional.linear(x, matrix, bias))
    assert torch.autograd.gradcheck(lambda x: frozen_linear(x, weight, bias), x)
    assert torch.autograd.gradgradcheck(lambda x: frozen_linear(x, weight, bias).sin(), x)
