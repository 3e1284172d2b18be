"""Parameter, Module, Sequential, ModuleList."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 3)
        self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.ReLU()])
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.register_buffer("steps", np.zeros((), np.int64))
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2, bias=False))

    def forward(self, x):
        x = self.hidden(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x * self.scale)


KEYS = ["scale", "steps", "hidden.weight", "hidden.bias", "blocks.0.weight", "blocks.0.bias", "head.1.weight"]


def ones(*shape):
    return Tensor(np.ones(shape, np.float32))


def test_members_come_with_pytorchs_names_in_pytorchs_order(torch):
    class Twin(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = torch.nn.Linear(4, 3)
            self.blocks = torch.nn.ModuleList([torch.nn.Linear(3, 3), torch.nn.ReLU()])
            self.scale = torch.nn.Parameter(torch.ones(3))
            self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
            self.head = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(3, 2, bias=False))

    ours, theirs = Net(), Twin()
    assert list(ours.state_dict()) == list(theirs.state_dict()) == KEYS
    for listing in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(ours, listing)()] == [n for n, _ in getattr(theirs, listing)()], listing
    assert {n: t.shape for n, t in ours.state_dict().items()} == {
        n: tuple(t.shape) for n, t in theirs.state_dict().items()
    }


def test_parameters_without_recursion_are_the_modules_own():
    net = Net()
    assert [n for n, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert list(net.parameters(recurse=False)) == [net.scale]
    assert list(net.buffers(recurse=False)) == [net.steps]


def test_shared_members_count_once_but_keep_both_keys():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert [n for n, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    layer = nn.Linear(2, 2)
    twice = nn.Sequential(layer, layer)
    assert len(list(twice.modules())) == 2
    assert len(list(twice.parameters())) == 2


def test_a_call_gives_gradients_to_every_parameter():
    net = Net().eval()
    net(ones(5, 4)).sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_train_and_eval_reach_every_module():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())


def test_requires_grad_freezes():
    net = Net().eval()
    net.hidden.requires_grad_(False)
    net(ones(1, 4)).sum().backward()
    assert net.hidden.weight.grad is None
    assert net.head[1].weight.grad is not None


def test_apply_goes_from_the_inside_out():
    seen = []
    net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh()))
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["ReLU", "Tanh", "Sequential", "Sequential"]


def test_repr_is_a_tree():
    assert repr(Net()) == (
        "Net(\n"
        "  (hidden): Linear(4, 3)\n"
        "  (blocks): ModuleList(\n"
        "    (0): Linear(3, 3)\n"
        "    (1): ReLU()\n"
        "  )\n"
        "  (head): Sequential(\n"
        "    (0): Dropout(p=0.5)\n"
        "    (1): Linear(3, 2, bias=False)\n"
        "  )\n"
        ")"
    )


def test_freezing_by_pattern():  # C4W2-finetune
    net = Net().eval()
    assert net.freeze("hidden.*", "head") is net
    assert [n for n, p in net.named_parameters() if p.requires_grad] == [
        "scale",
        "blocks.0.weight",
        "blocks.0.bias",
    ]
    net.unfreeze("*.weight")
    assert not net.hidden.bias.requires_grad
    assert net.hidden.weight.requires_grad
    net(ones(2, 4)).sum().backward()
    assert net.hidden.bias.grad is None
    assert not any(p.requires_grad for p in net.freeze().parameters())
    assert all(p.requires_grad for p in net.unfreeze().parameters())
    with pytest.raises(ValueError) as caught:
        net.freeze("hiden.*")
    assert str(caught.value) == (
        "Net has no parameter that 'hiden.*' fits; it has scale, hidden.weight, hidden.bias, ..."
    )
    assert all(p.requires_grad for p in net.parameters())
    with pytest.raises(ValueError, match="ReLU has no parameter that 'a' fits; it has none"):
        nn.ReLU().freeze("a")


def test_freezing_reaches_a_shared_parameter_by_each_of_its_names():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    net.freeze("1")
    assert [n for n, p in net.named_parameters() if not p.requires_grad] == ["0.weight", "1.bias"]


def test_to_another_float_type():
    net = Net()
    net(ones(2, 4)).sum().backward()
    weight = net.hidden.weight
    assert net.to(np.float64) is net
    assert net.hidden.weight is weight
    assert {p.dtype for p in net.parameters()} == {p.grad.dtype for p in net.parameters()} == {np.dtype("f8")}
    assert net.steps.dtype == np.int64
    assert net.eval()(np.ones((2, 4))).dtype == np.float64
    assert net.to("float32").hidden.weight.dtype == np.float32
    with pytest.raises(TypeError, match=r"Net\.to takes a float type such as np\.float64, got int64"):
        net.to(int)


# ---- state


def test_state_dict_round_trip():
    source, target = Net(), Net()
    source.steps.fill(7)
    target.load_state_dict(source.state_dict())
    for name, tensor in target.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), source.state_dict()[name].numpy())
    assert target.hidden.weight.numpy().base is not source.hidden.weight.numpy().base


def test_state_dict_shares_memory_as_in_pytorch():
    net = Net()
    net.state_dict()["scale"][...] = 3.0
    assert net.scale.tolist() == [3.0, 3.0, 3.0]


def test_load_state_dict_lists_every_kind_of_misfit_at_once_and_changes_nothing():
    net = Net()
    before = copy.deepcopy(net.state_dict())
    state = copy.deepcopy(before)
    state["tail.weight"] = state.pop("scale")
    state["head.1.weight"] = np.zeros((3, 2), np.float32)
    state["hidden.bias"] = state["hidden.bias"] + 1
    with pytest.raises(ValueError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "the weights do not fit Net: 1 missing (scale); 1 unexpected (tail.weight); "
        "1 mis-shaped (head.1.weight: got (3, 2), needs (2, 3))"
    )
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name].numpy())
    del state["head.1.weight"]
    net.load_state_dict(state, strict=False)
    np.testing.assert_array_equal(net.hidden.bias.numpy(), before["hidden.bias"].numpy() + 1)


def test_load_state_dict_is_seen_by_a_backward_that_needs_the_old_values():
    net = nn.Linear(2, 2)
    x = Tensor(np.ones((1, 2), np.float32), requires_grad=True)
    y = net(x)
    net.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="written in place"):
        y.sum().backward()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_modules_are_copied_and_pickled(duplicate):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(2, 2), nn.Linear(2, 2)).eval()
    net[2].weight = net[1].weight
    net[0].bias.grad = Tensor(np.ones(2, np.float32))
    net[1].requires_grad_(False)
    twin = duplicate(net)
    assert not twin.training
    assert twin[2].weight is twin[1].weight
    assert twin[0].weight.layout == net[0].weight.layout
    assert twin[0].bias.grad.tolist() == [1.0, 1.0]
    assert not twin[1].weight.requires_grad
    assert isinstance(twin[0].weight, nn.Parameter)
    with autograd.no_grad():
        twin[0].weight.fill(0.0)
    assert net[0].weight.numpy().any()


def test_parameter_requires_grad_and_its_results_are_tensors():
    p = nn.Parameter([1.0, 2.0])
    assert p.requires_grad
    assert p.dtype == np.float32
    assert p.layout is None
    assert type(p * 2) is Tensor
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="only floats"):
        nn.Parameter([1, 2])


# ---- what bad use gets


def test_assigning_before_super_init():
    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.ReLU()

    with pytest.raises(AttributeError, match=r"Early\.layer is assigned before super\(\).__init__\(\)"):
        Early()


@pytest.mark.parametrize("hidden", [[nn.ReLU()], (nn.ReLU(),), {"a": nn.ReLU()}, [nn.Parameter([1.0])]])
def test_modules_in_plain_containers_are_refused(hidden):
    net = nn.Module()
    with pytest.raises(
        TypeError, match=r"Module\.layers is a (list|tuple|dict) that holds .* use nn\.ModuleList"
    ):
        net.layers = hidden


def test_a_list_filled_later_is_found_when_parameters_are_listed():
    net = nn.Module()
    net.layers = []
    net.layers.append(nn.Linear(1, 1))
    with pytest.raises(TypeError, match=r"Module\.layers is a list"):
        list(net.parameters())


def test_a_parameter_is_replaced_by_parameters_only():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"Linear\.weight is a Parameter, got Tensor"):
        layer.weight = ones(2, 2)
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]


def test_names_that_modules_need_are_refused():
    with pytest.raises(ValueError, match="cannot have a member 'parameters'"):
        nn.Module().parameters = nn.ReLU()
    with pytest.raises(ValueError, match="cannot name a module 'forward'"):
        nn.Sequential({"forward": nn.ReLU()})
    with pytest.raises(ValueError, match="cannot name a module 'a.b'"):
        nn.Sequential({"a.b": nn.ReLU()})


def test_a_module_cannot_contain_itself():
    outer, inner = nn.Module(), nn.Module()
    outer.inner = inner
    with pytest.raises(ValueError, match="contain itself"):
        inner.parent = outer


def test_buffers():
    net = nn.Module()
    net.register_buffer("mean", np.zeros(3, np.float32))
    net.register_buffer("cache", None, persistent=False)
    assert list(net.state_dict()) == ["mean"]
    net.cache = np.ones(2)
    assert isinstance(net.cache, Tensor)
    assert [n for n, _ in net.named_buffers()] == ["mean", "cache"]
    assert list(net.state_dict()) == ["mean"]
    assert not list(net.parameters())
    for name in ("mean", "forward.x", "", "train"):
        with pytest.raises(ValueError, match="cannot have a buffer"):
            net.register_buffer(name, np.zeros(1))


def test_an_error_in_a_layer_names_its_path():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Module()
            self.head.fc1 = nn.Linear(400, 120)
            self.features = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(3, 3)))

        def forward(self, x):
            return self.head.fc1(x) if x.shape[1] > 3 else self.features(x)

    with pytest.raises(ValueError) as caught:
        Model()(ones(64, 392))
    assert str(caught.value) == "head.fc1: Linear needs 400 features, got 392; input (64, 392)"
    with pytest.raises(ValueError, match=r"^features\.1\.0: Linear needs 3 features, got 2"):
        Model()(ones(1, 2))
    whole = nn.Sequential(Model())
    with pytest.raises(ValueError, match=r"^0\.head\.fc1: Linear needs 400"):
        whole(ones(1, 5))
    with pytest.raises(ValueError, match=r"^Linear needs 400"):
        Model().head.fc1(ones(1, 5))


def test_an_error_of_an_op_names_the_path_and_keeps_its_kind():
    class Wrong(nn.Module):
        def forward(self, x):
            return x @ x

    with pytest.raises(ValueError, match=r"^1: matmul: "):
        nn.Sequential(nn.ReLU(), Wrong())(ones(2, 3))

    class Missing(nn.Module):
        def forward(self, x):
            return {}["key"]

    with pytest.raises(KeyError, match="^'key'$"):
        nn.Sequential(Missing())(ones(2, 3))


# ---- containers


def test_sequential():
    net = nn.Sequential({"fc": nn.Linear(2, 3), "act": nn.Tanh()})
    assert list(net.state_dict()) == ["fc.weight", "fc.bias"]
    assert len(net) == 2
    assert net[-1] is net.act
    assert list(net) == [net.fc, net.act]
    part = net[:1]
    assert isinstance(part, nn.Sequential)
    assert part.fc is net.fc
    np.testing.assert_array_equal(net(ones(1, 2)).numpy(), np.tanh(net.fc(ones(1, 2)).numpy()))
    assert len(nn.Sequential(nn.ReLU()).append(nn.ReLU())) == 2
    x = ones(1)
    assert nn.Sequential()(x) is x


def test_module_list():
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    assert [n for n, _ in layers.named_children()] == ["0", "1", "2"]
    layers[-1] = replacement = nn.Linear(2, 5)
    assert layers[2] is replacement
    assert len(layers[1:]) == 2
    assert len(layers.extend([nn.ReLU()])) == 4
    assert list(layers)[3] is layers[3]


@pytest.mark.parametrize(
    ("wrong", "said"), [(np.tanh, "ufunc"), (nn.ReLU, r"ReLU at 0: give ReLU\(\)"), (None, "None")]
)
def test_containers_hold_modules_only(wrong, said):
    with pytest.raises(TypeError, match=f"holds modules, got .*{said}"):
        nn.Sequential(wrong)


def test_importing_stays_cheap():
    heavy = "numba", "llvmlite", "sklearn", "matplotlib", "safetensors", "scipy", "graphviz", "tqdm"
    program = f"import sys, nn, optim; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_rooms_are_there_without_an_import_of_their_own():
    program = (
        "import nn; print(nn.train.fit.__name__, nn.models.__name__, nn.data.__name__, nn.summary.__name__)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["fit", "nn.models", "nn.data", "summary"]
    with pytest.raises(AttributeError, match="module 'nn' has no attribute 'Liner'"):
        nn.Liner  # noqa: B018
