import pytest


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny tensors: a second thread only waits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
