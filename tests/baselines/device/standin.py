"""A stand-in GPU: tensors that say they are on cuda:0, compute on the CPU, and refuse to meet tensors of the CPU.

Every operation, also on the way back, passes ``Standin.__torch_dispatch__``, which raises what torch raises for
tensors on two devices. Numbers, shapes and types are those of the CPU. What it cannot show is in ``docs/gpu.md``.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
aten = torch.ops.aten
CROSSING = {aten.copy_.default, aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
"""Operations in which torch itself allows a GPU tensor next to one on the CPU: a copy, and an index."""


class Standin(torch.Tensor):
    """A tensor that holds one of the CPU."""

    device = property(lambda self: GPU)
    is_cuda = property(lambda self: True)

    @staticmethod
    def __new__(cls, inner):
        layout = dict(strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype)
        found = torch.Tensor._make_wrapper_subclass(cls, inner.size(), **layout, requires_grad=inner.requires_grad)
        found.inner = inner
        return found

    def __repr__(self, **_):
        return f"Standin({self.inner!r})"

    def data_ptr(self):
        return self.inner.data_ptr()

    def tolist(self):
        return self.inner.tolist()

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        for value in tree_flatten((args, kwargs))[0]:
            if type(value) is not Standin and isinstance(value, torch.Tensor) and value.ndim and func not in CROSSING:
                raise RuntimeError(f"{func}: expected all tensors to be on the same device, cuda:0 and cpu were found")
        if "device" in kwargs:
            kwargs["device"] = CPU
        inner = func(*tree_map_only(Standin, _inner, args), **tree_map_only(Standin, _inner, kwargs))
        return return_and_correct_aliasing(func, args, kwargs, tree_map_only(torch.Tensor, cls, inner))


def _inner(tensor):
    return tensor.inner


class _Onto(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor):
        return Standin(tensor.detach())

    @staticmethod
    def backward(ctx, grad):
        return grad.inner if isinstance(grad, Standin) else grad


class _Off(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor):
        return tensor.detach().inner.clone()

    @staticmethod
    def backward(ctx, grad):
        return Standin(grad)


class _Placing(TorchFunctionMode):
    """Hands ``device=`` and ``to`` to the stand-in, which the CPU build of torch would refuse."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.to:
            return self._moved(*args, **kwargs)
        if func is torch.Tensor.cpu:
            return self._moved(args[0], CPU)
        if func is torch.Tensor.cuda:
            return self._moved(args[0], GPU)
        asked = kwargs.get("device")
        if asked is not None and torch.device(asked).type == "cuda":
            found = func(*args, **{**kwargs, "device": CPU})
            return Standin(found) if type(found) is torch.Tensor else found
        return func(*args, **kwargs)

    def _moved(self, tensor, *args, device=None, dtype=None, **_):
        for value in args:
            if isinstance(value, torch.device | str):
                device = value
            elif isinstance(value, torch.dtype):
                dtype = value
            elif isinstance(value, torch.Tensor):
                device, dtype = value.device, value.dtype
        if dtype is not None:
            tensor = tensor.type(dtype)
        if device is None or torch.device(device).type == tensor.device.type:
            return tensor
        return (_Off if isinstance(tensor, Standin) else _Onto).apply(tensor)


@contextmanager
def standin():
    """Within the context torch has a GPU, the stand-in."""
    cuda = dict(
        is_available=lambda: True,
        mem_get_info=lambda device=None: (2**34, 2**34),
        max_memory_allocated=lambda device=None: 2**20,
        get_device_properties=lambda device=None: SimpleNamespace(total_memory=2**34),
        empty_cache=lambda: None,
    )
    engine = torch.autograd._engine_run_backward

    def back(*args, **kwargs):
        with _Placing():  # torch leaves the mode before it goes back, and our functions make tensors there
            return engine(*args, **kwargs)

    torch.__future__.set_overwrite_module_params_on_conversion(True)  # a parameter cannot become another class
    try:
        with (
            mock.patch.multiple(torch.cuda, **cuda),
            mock.patch("torch.autograd._engine_run_backward", back),
            _Placing(),
        ):
            yield
    finally:
        engine = torch.autograd._engine_run_backward

    def back(*args, **kwargs):
        with _Placing():  # torch leaves the mode before it goes back, and our functions make tensors there
            return engine(*args, **kwargs)

    torch.__future__.set_overwrite_module_params_on_conversion(False)
