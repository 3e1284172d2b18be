"""What people bring from torch.nn: every name is here or left out for a reason, with the same arguments."""

import inspect

import numpy as np
import pytest

import nn
from nn import functional as F

f32 = np.float32

LAZY = "no lazily shaped parameters: say how many features there are"
LEFT_OUT = {
    **dict.fromkeys((f"LazyBatchNorm{n}d" for n in (1, 2, 3)), LAZY),
    **dict.fromkeys((f"LazyInstanceNorm{n}d" for n in (1, 2, 3)), LAZY),
    **dict.fromkeys((f"LazyConv{n}d" for n in (1, 2, 3)), LAZY),
    **dict.fromkeys((f"LazyConvTranspose{n}d" for n in (1, 2, 3)), LAZY),
    "LazyLinear": LAZY,
    "Container": "the old name of Module",
    "NLLLoss2d": "the old name of NLLLoss",
    "UpsamplingNearest2d": "the old name of Upsample",
    "UpsamplingBilinear2d": "the old name of Upsample(mode='bilinear', align_corners=True)",
    "CrossMapLRN2d": "the old LocalResponseNorm",
    "SyncBatchNorm": "there is one device",
    "RNNBase": "abstract",
    "RNNCellBase": "abstract",
    "LinearCrossEntropyOptions": "how a GPU's memory is saved, not what is computed",
}


def test_every_layer_and_loss_of_pytorch_is_here(torch):
    theirs = {name for name in torch.nn.modules.__all__ if name != "Module"}
    assert theirs - set(vars(nn)) == set(LEFT_OUT)


def test_every_activation_of_pytorch_is_here(torch):
    assert set(torch.nn.modules.activation.__all__) <= set(vars(nn))


def test_every_initialisation_of_pytorch_is_here(torch):
    theirs = {name for name in vars(torch.nn.init) if name.endswith("_") and not name.startswith("_")}
    assert theirs | {"calculate_gain"} <= set(vars(nn.init))


WITHOUT_FUNCTION = {  # layers that hold what a function would need
    *("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Module", "Identity"),
    *("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"),
    *("MultiheadAttention", "Transformer", "TransformerEncoder", "TransformerDecoder"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer"),
    *("AdaptiveLogSoftmaxWithLoss", "HierarchicalSoftmax", "WeightedLoss"),
    *("Residual", "Parallel", "Concat", "Lambda", "Reshape", "Permute"),  # np.reshape, np.transpose
    *("PositionalEncoding", "LearnedPositionalEncoding"),
}
OTHER_NAMES = {
    **{f"BatchNorm{n}d": "batch_norm" for n in (1, 2, 3)},
    **{f"InstanceNorm{n}d": "instance_norm" for n in (1, 2, 3)},
    **{f"{kind}Pad{n}d": "pad" for n in (1, 2, 3) for kind in ("Zero", "Constant", "Reflection")},
    **{f"{kind}Pad{n}d": "pad" for n in (1, 2, 3) for kind in ("Replication", "Circular")},
    **{f"LPPool{n}d": f"lp_pool{n}d" for n in (1, 2, 3)},
    "ReLU": "relu", "ReLU6": "relu6", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "RReLU": "rrelu",
    "ELU": "elu", "CELU": "celu", "SELU": "selu", "GELU": "gelu", "SiLU": "silu", "GLU": "glu",
    "LogSigmoid": "logsigmoid", "Softmax2d": "softmax", "Upsample": "interpolate",
    "CTCLoss": "ctc_loss", "MSELoss": "mse_loss", "BCELoss": "binary_cross_entropy", "RMSNorm": "rms_norm",
}  # fmt: skip


def snake(name):
    """MaxPool2d as max_pool2d."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def test_every_layer_has_its_function():
    for name, kind in vars(nn).items():
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)) or name in WITHOUT_FUNCTION:
            continue
        if issubclass(kind, nn.losses.Loss):
            assert vars(F)[kind.function.__name__] is kind.function
        else:
            assert hasattr(F, OTHER_NAMES.get(name, snake(name))), name


# ---- the arguments of constructors


NOT_OURS = {  # PyTorch's arguments that we have not
    *("device", "dtype", "inplace", "batch_first"),
    *("size_average", "reduce"),  # its deprecated reduction
    *("_weight", "_freeze"),  # of Embedding: from_pretrained
    *("min_value", "max_value"),  # the deprecated names of Hardtanh
    *("recompute_scale_factor", "enable_nested_tensor", "mask_check"),
}


def arguments(kind):
    """Names, in order, and defaults of what may be given by place; names of what must be named."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    by_place = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    return by_place, {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


OTHER_DEFAULTS = {  # PyTorch's axis 1 is our last one; an empty list; functions by their names
    ("Softmax", "dim"), ("LogSoftmax", "dim"), ("Softmin", "dim"), ("CosineSimilarity", "dim"),
    ("ModuleList", "modules"), ("ParameterList", "values"), ("ModuleDict", "modules"),
    ("ParameterDict", "parameters"), ("Transformer", "activation"),
    ("TransformerEncoderLayer", "activation"), ("TransformerDecoderLayer", "activation"),
    ("MultiLabelMarginLoss", "reduction"), ("LinearCrossEntropyLoss", "ignore_index"),
}  # fmt: skip


def shared_kinds():
    """The names of the classes that both have and that declare their arguments."""
    import torch

    names = set(torch.nn.modules.__all__) & set(vars(nn)) - {"Module", "RNN", "LSTM", "GRU"}
    return sorted(
        n for n in names if "args" not in inspect.signature(getattr(torch.nn, n).__init__).parameters
    )


def test_constructors_take_pytorchs_arguments_in_its_order(torch):
    """Those of RNN, LSTM and GRU are by keyword from the fourth on, as a `batch_first` stands there."""
    for name in shared_kinds():
        theirs, their_named = arguments(getattr(torch.nn, name))
        ours, our_named = arguments(getattr(nn, name))
        dropped = NOT_OURS | ({"padding_mode"} if "Transpose" in name else set())
        dropped |= {"out_features", "options"} if name == "LinearCrossEntropyLoss" else set()
        wanted = [a for a in theirs if a not in dropped]
        assert list(ours)[: len(wanted)] == wanted, name
        assert their_named - dropped <= our_named | set(ours), name
        for argument in wanted:
            if (name, argument) not in OTHER_DEFAULTS:
                assert ours[argument] == theirs[argument] or theirs[argument] is inspect.Parameter.empty, (
                    name,
                    argument,
                )


# ---- what is said to a habit that does not work here


class Net(nn.Module):
    """A model as people write it."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Linear(8 * 4 * 4, 10)

    def forward(self, x):
        return self.classifier(nn.functional.flatten(self.features(x)))


images = np.zeros((2, 8, 8, 3), f32)
steps = np.zeros((2, 5, 3), f32)
logits = np.zeros((4, 3), f32)


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        # input
        (
            lambda: Net()(images.transpose(0, 3, 1, 2)),
            ValueError,
            "features.0: Conv2d needs 3 channels, got 8; input (2, 3, 8, 8): channels come last, "
            "x.transpose(0, 2, 3, 1)",
        ),
        (
            lambda: nn.BatchNorm2d(3)(np.zeros((2, 3, 8, 8), f32)),
            ValueError,
            "BatchNorm2d needs 3 channels, got 8; input (2, 3, 8, 8): channels come last",
        ),
        (
            lambda: nn.Conv1d(3, 2, 1)(np.zeros((2, 3, 5), f32)),
            ValueError,
            "Conv1d needs 3 channels, got 5; input (2, 3, 5): channels come last, x.transpose(0, 2, 1)",
        ),
        (
            lambda: Net()(images[0]),
            ValueError,
            "features.0: Conv2d needs (m, n_H, n_W, n_C), got",
        ),
        (lambda: Net()(images[:, :6]), ValueError, "classifier: Linear needs 128 features, got 96"),
        (
            lambda: Net()(images.astype(np.uint8)),
            TypeError,
            "features.0: Conv2d has weights of float32, got input of uint8: use x.astype(np.float32)",
        ),
        (lambda: Net()(images.astype(float)), TypeError, "got input of float64: use x.astype(np.float32)"),
        (lambda: Net()(images.tolist()), TypeError, "Conv2d takes a Tensor or an ndarray, got list"),
        (
            lambda: nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2))(steps),
            TypeError,
            "1: Linear takes a Tensor or an ndarray, got tuple: recurrent and attention layers return the "
            "output and more, take [0]",
        ),
        (lambda: nn.Embedding(9, 2)(steps[..., 0]), TypeError, "takes indices, integers from 0 to 8"),
        (
            lambda: nn.Embedding(9, 2)(np.array([9])),
            IndexError,
            "indices hold 9, the table has rows 0 to 8",
        ),
        # labels
        (lambda: F.cross_entropy(logits, np.zeros(4, f32)), TypeError, "must be integers, got float32"),
        (
            lambda: F.cross_entropy(logits, np.array([0, 1, 2, 3])),
            ValueError,
            "labels must lie in 0..2, got 3",
        ),
        (lambda: F.cross_entropy(logits, np.zeros((4, 1), int)), ValueError, "labels have shape (4, 1)"),
        (lambda: F.cross_entropy(logits.astype(int), np.zeros(4, int)), TypeError, "logits must be floats"),
        (lambda: F.mse_loss(logits[:, :1], np.zeros(4)), ValueError, "must have one shape: reshape one"),
        (lambda: F.binary_cross_entropy(logits - 1, logits), ValueError, "apply a sigmoid"),
        (
            lambda: F.cross_entropy(np.zeros((2, 7, 5), f32), np.zeros((2, 5), int)),
            ValueError,
            "logits (2, 7, 5): classes lie on the last axis, logits.transpose(0, 2, 1)",
        ),
        (
            lambda: F.ctc_loss(np.zeros((9, 2, 5), f32), np.ones((2, 3), int)),
            ValueError,
            "the batch comes first, log_probabilities.transpose(1, 0, 2)",
        ),
        (lambda: F.cross_entropy((logits, None), np.zeros(4, int)), TypeError, "got tuple: recurrent and"),
        (
            lambda: nn.MultiheadAttention(3, 1)(steps, steps, steps, np.ones((2, 5), int)),
            TypeError,
            "key_padding_mask is boolean, or floats that are added to the scores, got int64: of integers",
        ),
        # arguments
        (
            lambda: nn.LSTM(3, 4, batch_first=True),
            TypeError,
            "no argument 'batch_first': sequences are (m, T",
        ),
        (lambda: nn.ReLU(inplace=True), TypeError, "ReLU has no argument 'inplace': layers never write into"),
        (lambda: nn.ReLU(True), TypeError, "ReLU takes no arguments, got True"),
        (
            lambda: nn.Linear(3, 4, device="cpu"),
            TypeError,
            "no argument 'device': all is on the CPU",
        ),
        (
            lambda: nn.Linear(3, 4, dtype=f32),
            TypeError,
            "autograd.set_default_dtype(...) before, or",
        ),
        (lambda: nn.MSELoss(size_average=True), TypeError, "MSELoss has no argument 'size_average'"),
        (lambda: nn.Linear(3, 4).to("cuda"), TypeError, "there are no devices, all is on the CPU"),
        (lambda: nn.Linear(3, 4).to(np.int64), TypeError, "a float type such as np.float64, got"),
        (
            lambda: nn.Sequential([nn.ReLU()]),
            TypeError,
            "holds modules, got list at 0: unpack it with *",
        ),
        (lambda: nn.Sequential(nn.ReLU), TypeError, "got ReLU at 0: give ReLU()"),
        (lambda: nn.Conv2d(3, 8), TypeError, "Conv2d: missing a required argument: 'kernel_size'"),
        (lambda: nn.BatchNorm2d(8, gamma=1), TypeError, "BatchNorm2d: got an unexpected keyword argument"),
        # members
        (lambda: nn.ModuleList([nn.ReLU()])(images), TypeError, "ModuleList only holds modules: call them"),
        (lambda: nn.ModuleDict({"a": nn.ReLU()})(images), TypeError, "ModuleDict only holds modules: call"),
        (lambda: nn.ParameterList([np.ones(2)])(images), TypeError, "ParameterList only holds parameters"),
        (lambda: nn.ParameterDict({"keys": np.ones(2)}), ValueError, "cannot name a parameter 'keys'"),
        (lambda: nn.ParameterList([np.ones(2, int)]), TypeError, "only floats have gradients"),
        (
            lambda: Net().get_submodule("features.9"),
            KeyError,
            "no module 'features.9': Sequential has 0, 1",
        ),
    ],
)
def test_errors_tell_the_way_out(call, kind, said):
    with pytest.raises(kind) as caught:
        call()
    assert said in str(caught.value)
    assert "\\n" not in str(caught.value)


def test_arguments_of_the_users_own_modules_are_theirs():
    class Own(nn.Module):
        def __init__(self, batch_first, **more):
            super().__init__()

    assert type(Own(batch_first=True, device="x")) is Own


def test_lists_of_modules_are_edited_as_lists():
    layers = [nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)]
    for kind in (nn.Sequential, lambda *modules: nn.ModuleList(modules)):
        held = kind(*layers)
        assert held.insert(1, nn.Tanh()) is held
        assert [type(m).__name__ for m in held] == ["Linear", "Tanh", "ReLU", "Linear"]
        assert list(held.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
        assert held.pop() is layers[2] and held.pop(0) is layers[0]
        del held[0]
        assert list(held) == [layers[1]]
        held += [layers[2]]
        both = held + [nn.Tanh()]
        assert type(both) is type(held) and len(both) == 3 and len(held) == 2
        with pytest.raises(TypeError, match="holds modules, got int"):
            held.insert(0, 3)
        assert len(held) == 2
    named = nn.Sequential({"a": nn.Linear(2, 2), "b": nn.ReLU()})
    del named[0]
    assert [name for name, _ in named.named_children()] == ["0"]  # as PyTorch renumbers
    heads = nn.ModuleDict([("a", layers[0])])
    assert heads.pop("a") is layers[0] and len(heads) == 0


def test_lists_and_dicts_of_parameters():
    p = nn.Parameter(np.ones(2, f32))
    held = nn.ParameterList([p, np.zeros((2, 3), f32)]).append(np.ones(1, f32))
    assert held[0] is p and held[1].shape == (2, 3) and len(held) == 3 and len(held[:2]) == 2
    held[1] = np.ones(4, f32)
    assert [n for n, _ in held.named_parameters()] == ["0", "1", "2"]
    assert repr(held) == "ParameterList(0: (2,), 1: (4,), 2: (1,))"
    named = nn.ParameterDict({"scale": p})
    named.update({"shift": np.zeros(2, f32)})
    assert named.keys() == ["scale", "shift"] == list(named) and "scale" in named and named["scale"] is p
    assert named.pop("shift").shape == (2,) and [n for n, _ in named.items()] == ["scale"]
    del named["scale"]
    assert named.values() == [] and len(named) == 0
    with pytest.raises(KeyError, match="no parameter 'scale', only none"):
        named["scale"]


def test_members_by_name():
    net = Net()
    assert net.get_submodule("features.2") is net.features[2] and net.get_submodule("") is net
    net.add_module("extra", nn.ReLU())
    net.register_parameter("scale", nn.Parameter([1.0]))
    assert net.extra is net.get_submodule("extra") and "scale" in net.state_dict()


def test_keys_that_were_let_pass_are_returned():
    missing, unexpected = nn.Linear(2, 2).load_state_dict({"weight": np.ones((2, 2)), "w": 1.0}, strict=False)
    assert (missing, unexpected) == (["bias"], ["w"])
    assert nn.Linear(2, 2).load_state_dict(nn.Linear(2, 2).state_dict()) == ([], [])
