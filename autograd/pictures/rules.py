"""The derivative of each op, as a textbook writes it: dx is the gradient of the loss with respect to the
argument x, g that with respect to the op's result y.

Most rules are one expression of their own source, shown as it stands there. Those that are programs have
their formula in the table."""

import ast
import inspect
import textwrap
from functools import cache

from ..primitive import Plan

SUMS = "sums over the axes that it was repeated along"
THROUGH_TIME = {
    "x": "Wᵀ dzₜ at each step t, from the last to the first",
    "W": "Σₜ dzₜ xₜᵀ",
    "U": "Σₜ dzₜ hₜ₋₁ᵀ",
    "b": "Σₜ dzₜ",
    "b_h": "Σₜ dzₜ",
    "h0": "what reaches the first step of dh",
    "c0": "what reaches the first step of dc",
    "peephole": "Σₜ dzₜ cₜ",
    "projection": "Σₜ dhₜ (oₜ tanh cₜ)ᵀ",
}
TEXTBOOK = {
    "absolute": {"x": "g sign(x)"},
    "attention": {
        "q": "dS k / √d",
        "k": "dSᵀ q / √d",
        "v": "Aᵀ g",
        "bias": "dS = A (g vᵀ − Σ A g vᵀ), A = softmax(q kᵀ / √d + bias)",
    },
    "adaptive_avg_pool2d": {"x": "g / n to each of the n places of its window"},
    "avg_pool2d": {"x": "g / (f f) to each of its window"},
    "avg_pool2d_grad": {"g": "the mean of each window of it"},
    "batch_norm": {
        "x": "weight / σ (g − mean(g) − x̂ mean(g x̂))",
        "weight": "Σ g x̂",
        "bias": "Σ g",
    },
    "broadcast_to": {"array": f"Σ g {SUMS}"},
    "cholesky": {"a": "symmetric part of L⁻ᵀ Φ(Lᵀ g) L⁻¹, Φ the lower triangle with half its diagonal"},
    "clip": {
        "a": "g where a_min ≤ a ≤ a_max, 0 elsewhere",
        "a_min": "Σ g where a < a_min",
        "a_max": "Σ g where a > a_max",
        "min": "Σ g where a < min",
        "max": "Σ g where a > max",
    },
    "concatenate": {"arrays": "each its own part of g"},
    "contract": {"a": "g contracted with b", "b": "g contracted with a"},
    "conv2d": {"x": "g * w turned by 180°", "w": "x ⋆ g", "b": "Σ g"},
    "conv2d_weight_grad": {"x": "conv2d's dx, with g for its filters"},
    "conv3d": {"x": "g * w turned by 180°", "w": "x ⋆ g", "b": "Σ g"},
    "conv3d_input_grad": {"g": "u ⋆ w", "w": "conv3d's dw, with u for x", "b": "Σ u"},
    "conv3d_weight_grad": {"x": "conv3d's dx, with g for its filters"},
    "convolve_full": {"a": "g ⋆ v", "v": "g ⋆ a"},
    "copysign": {"a": "g where a and y have one sign, −g elsewhere"},
    "ctc": {"log_probabilities": "−g p(label at t | labels)"},
    "cumprod": {"a": "Σ over later terms of g y / a"},
    "cumsum": {"a": "Σ of g over later terms"},
    "det": {"a": "g y a⁻ᵀ"},
    "diagonal": {"a": "g on the diagonal, 0 elsewhere"},
    "dropout": {"x": "g mask / keep"},
    "eigh": {"a": "v (diag(g) + F ∘ vᵀ g) vᵀ, F_ij = 1 / (w_j − w_i)"},
    "eig": {"a": "v⁻ᵀ (diag(dw) + F ∘ vᵀ dv) vᵀ, F_ij = 1 / (w_j − w_i)"},
    "fft": {"a": "the Fourier transform of g"},
    "gather": {"table": "g added to the rows taken"},
    "flip": {"m": "g flipped back"},
    "gelu": {"x": "g (Φ(x) + x φ(x))"},
    "gelu_tanh": {"x": "g dy/dx of x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2"},
    "getitem": {"a": "g at the places taken, 0 elsewhere"},
    "group_norm": {
        "x": "1 / σ (h − mean(h) − x̂ mean(h x̂)), h = g weight",
        "weight": "Σ g x̂",
        "bias": "Σ g",
    },
    "ifft": {"a": "the inverse Fourier transform of g"},
    "inv": {"a": "−yᵀ g yᵀ"},
    "irfft": {"a": "the Fourier transform of g"},
    "layer_norm": {
        "x": "1 / σ (h − mean(h) − x̂ mean(h x̂)), h = g weight",
        "weight": "Σ g x̂",
        "bias": "Σ g",
    },
    "ldexp": {"x": "g 2ⁱ"},
    "linear": {"x": "g W", "W": "gᵀ x", "b": "Σ g"},
    "linear_relu": {"x": "h W, h = g where y > 0", "W": "hᵀ x", "b": "Σ h"},
    "local_response_norm": {"x": "g s^−β − 2αβ/n x Σ over near channels of g y / s"},
    "log_softmax": {"x": "g − softmax(x) Σ g"},
    "logsumexp": {"a": "g softmax(a)"},
    "matmul": {"a": "g bᵀ", "b": "aᵀ g"},
    "max": {"a": "g where a = y, 0 elsewhere; shared among equals"},
    "max_pool2d": {"x": "g to the largest of its window"},
    "mean": {"a": "g / n to each of n terms"},
    "min": {"a": "g where a = y, 0 elsewhere; shared among equals"},
    "mish": {"x": "g dy/dx of x tanh(log(1 + exp x))"},
    "moveaxis": {"a": "g, its axes in their old order"},
    "pinv": {"a": "−yᵀ g yᵀ + (1 − a y) gᵀ y yᵀ + yᵀ y gᵀ (1 − y a)"},
    "pool_gather": {"x": "g added to the places taken"},
    "power": {"a": "g b aᵇ⁻¹", "b": "g y log a"},
    "prod": {"a": "g y / a"},
    "put_diagonal": {"values": "the diagonal of g"},
    "qr": {"a": "(dQ + Q M) R⁻ᵀ, M symmetric with the lower triangle of R dRᵀ − dQᵀ Q"},
    "qr_complete": {"a": "qr's, the space of further columns turning against the first"},
    "repeat": {"a": f"Σ g {SUMS}"},
    "resample": {"x": "g to the places read, by the same weights"},
    "reshape": {"a": "g in the shape of a"},
    "rfft": {"a": "the real part of the Fourier transform of g"},
    "rms_norm": {"x": "1 / r (h − x̂ mean(h x̂)), h = g weight", "weight": "Σ g x̂"},
    "roi_align": {"x": "g to the places read, by the same weights"},
    "roi_align_grad": {"g": "roi_align of it"},
    "roi_gather": {"x": "g added to the places taken"},
    "roi_pool": {"x": "g to the largest of each bin"},
    "roll": {"a": "g rolled back"},
    "scale_shift": {"center": "−Σ g scale", "scale": "Σ g (x − center)"},
    "scatter_add_rows": {"values": "the rows of g"},
    "silu": {"x": "g σ(x) (1 + x (1 − σ(x)))"},
    "slogdet": {"a": "g a⁻ᵀ"},
    "softmax": {"x": "y (g − Σ g y)"},
    "softmax_cross_entropy": {"logits": "g (softmax(logits) − one-hot(labels)), / m for the mean"},
    "solve": {"a": "−db yᵀ", "b": "a⁻ᵀ g"},
    "sort": {"a": "g back to where each came from"},
    "split_heads": {"x": "g, its heads side by side again"},
    "stack": {"arrays": "each its own part of g"},
    "std": {"a": "g (a − mean(a)) / (n y)"},
    "sum": {"a": "g to each term"},
    "tanh": {"x": "g (1 − y²)"},
    "svd_full": {"a": "svd's, the space of further columns turning against the first"},
    "svd": {
        "a": "U (diag(ds) + (F ∘ (Uᵀ dU − dUᵀ U)) s + s (F ∘ (Vᵀ dV − dVᵀ V))) Vᵀ of a square a, "
        "F_ij = 1 / (s_j² − s_i²)"
    },
    "take": {"a": "g added to the places taken"},
    "take_along_axis": {"arr": "g added to the places taken"},
    "tile": {"A": f"Σ g {SUMS}"},
    "trace": {"a": "g on the diagonal, 0 elsewhere"},
    "transpose": {"a": "g, its axes in their old order"},
    "var": {"a": "2 g (a − mean(a)) / n"},
    **dict.fromkeys(("rnn", "gru", "lstm"), THROUGH_TIME),
}  # fmt: skip
SIGNS = ((" * ", " · "), (" - ", " − "), ("np.", ""), ("math.", ""))
LONGEST = 72  # letters of a source line that still reads as a formula


def textbook(plan) -> dict[str, str]:
    """The rule of each input of a recorded op that needs a gradient, by the input's name."""
    if not isinstance(plan, Plan):
        return {}  # one output of an op of several: its gradient is handed on
    table = TEXTBOOK.get(plan.primitive.name, {})
    found = {}
    for arguments, _, rule in plan.primitive.rules:
        for name in arguments:
            if name in plan.inputs:
                found[name] = table.get(name) or (len(arguments) == 1 and _source(rule)) or "see its source"
    return found


def written(rules: dict[str, str]) -> str:
    """The rules of an op, one line each."""
    return "\n".join(f"d{name} = {rule}" for name, rule in rules.items())


@cache
def _source(rule) -> str:
    """The expression that a rule of one line returns, "" for a longer one."""
    try:
        function = ast.parse(textwrap.dedent(inspect.getsource(rule))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return ""
    body = getattr(function, "body", [])
    body = [
        line for line in body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
    ]
    if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
        return ""
    text = ast.unparse(body[0].value)
    for sign, nicer in SIGNS:
        text = text.replace(sign, nicer)
    text = f"−{text[1:]}" if text.startswith("-") else text
    return text if len(text) <= LONGEST and "(g, " not in text else ""
