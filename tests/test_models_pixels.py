"""Segmentation, faces, style and what units see: the lectures' facts."""

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, check_grads, no_grad
from autograd.tensor import writable
from nn import init, models
from nn.models.what_units_see import top_patches


def pictures(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def scrambled(net, seed=0):
    """Biases too are random: with zeros, rows of an image look alike to the network."""
    rng = np.random.default_rng(seed)
    with no_grad():
        for p in net.parameters():
            writable(p)[...] += rng.uniform(-0.1, 0.1, p.shape)
    return net


# ---- U-Net


def test_a_class_for_each_pixel():  # C4W3-unet: h x w x n_classes, a map of 1/2/3
    net = models.unet(num_classes=3, width=4).eval()
    logits = net(pictures(1, 48, 32, 3))
    assert logits.shape == (1, 48, 32, 3)
    assert set(np.unique(logits.numpy().argmax(-1))) <= {0, 1, 2}


def test_without_padding_a_pixel_sees_what_the_paper_says():
    """572 to 388: what lies more than 92 pixels outside the map cannot matter, what lies within can."""
    net = scrambled(models.unet_2015(width=1, dropout=0.0))
    image = Tensor(pictures(1, 188, 188, 1), requires_grad=True)
    map_ = net(image)
    assert map_.shape == (1, 4, 4, 2)  # 188 - 184, as 572 - 184 = 388
    map_.sum().backward()
    assert image.grad.numpy()[0, 90:98, 90:98].any()


def test_images_that_do_not_halve():
    with pytest.raises(ValueError, match=r"a side of 570 does not halve 4 times; .* 556, 572, 588"):
        models.unet_2015(width=1)(np.zeros((1, 572, 570, 1), np.float32))
    with pytest.raises(ValueError, match=r"a side of 100 does not halve 4 times; .* 96, 112"):
        models.unet(width=1)(np.zeros((1, 100, 96, 3), np.float32))
    with pytest.raises(ValueError, match="up_size is 2 or 3, got 4"):
        models.unet(up_size=4)


# ---- faces


@pytest.mark.slow
def test_an_embedding_has_length_1():  # C4W4-siamese: f(x) in R^128
    net = models.nn4_small2(width=0.1).eval()
    f = net(pictures(3, 96, 96, 3)).numpy()
    assert f.shape == (3, 128)
    np.testing.assert_allclose(np.sum(f * f, axis=1), 1, rtol=1e-5)
    buffers = sum(b.size for name, b in models.nn4_small2().named_buffers() if "running" in name)
    assert 3_733_968 + buffers == 3_743_280  # what the course's exercise prints


@pytest.fixture(scope="module")
def pair():
    autograd.seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    return encoder, pictures(4, 2, 2, 3), pictures(4, 2, 2, 3, seed=1)


@pytest.mark.parametrize("distance", ["absolute", "chi_square"])
def test_two_pictures_one_answer(distance, pair):  # C4W4-binary
    encoder, first, second = pair
    net = models.Siamese(encoder, 5, distance)
    f, g = encoder(first).numpy(), encoder(second).numpy()
    w, b = net.head.weight.numpy()[0], net.head.bias.numpy()[0]
    expected = np.zeros(4)
    for i in range(4):
        for k in range(5):
            apart = abs(f[i, k] - g[i, k])
            if distance == "chi_square":
                apart = (f[i, k] - g[i, k]) ** 2 / (f[i, k] + g[i, k]) if f[i, k] + g[i, k] else 0
            expected[i] += w[k] * apart
    logits = net(first, second).numpy()
    np.testing.assert_allclose(logits[:, 0], expected + b, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(logits, net(second, first).numpy())  # symmetric
    database = net.compare(f[:1], g).numpy()
    np.testing.assert_array_equal(database, net.compare(np.repeat(f[:1], 4, 0), g).numpy())
    np.testing.assert_allclose(net(first, first).numpy(), b, rtol=1e-6)
    loss = net(Tensor(first), Tensor(second)).sum()
    loss.backward()
    assert np.isfinite(encoder[1].weight.grad.numpy()).all()


def test_what_siamese_refuses(pair):
    encoder, first, second = pair
    with pytest.raises(ValueError, match="absolute or chi_square, got 'cosine'"):
        models.Siamese(encoder, 5, "cosine")
    with pytest.raises(ValueError, match="features >= 0.* end the encoder in a ReLU"):
        models.Siamese(encoder[:2], 5, "chi_square")(first, second)


# ---- style transfer


LAYERS = ("conv1_1", "conv2_1", "conv2_2")


@pytest.fixture(scope="module")
def taps():
    autograd.set_default_dtype(np.float64)
    try:
        autograd.seed(1)
        net = models.FeatureTaps((1, 2), LAYERS, width=3, average_pool=True).requires_grad_(False)
    finally:
        autograd.set_default_dtype(np.float32)
    for p in net.parameters():
        if p.ndim > 1:
            init.he_normal_(p)
    return net


def transfer(taps, content, style, **options):
    return models.StyleTransferCost(
        taps, content, style, layers=("conv1_1", "conv2_1"), at="conv2_2", **options
    )


def test_the_cost_of_a_picture(taps):  # C4W4-nst, C4W4-content, C4W4-style
    content, style, generated = (pictures(1, 8, 8, 3, seed=s, dtype=np.float64) for s in range(3))
    c, s, g = (
        dict(zip(LAYERS, [y.numpy()[0] for y in taps(Tensor(x))])) for x in (content, style, generated)
    )
    expected = 10 * 0.5 * np.sum((c["conv2_2"] - g["conv2_2"]) ** 2)
    for name in ("conv1_1", "conv2_1"):
        n_H, n_W, n_C = g[name].shape
        grams = [np.einsum("ijk,ijl->kl", x[name], x[name]) for x in (s, g)]
        expected += 40 * 0.5 * np.sum((grams[0] - grams[1]) ** 2) / (2 * n_H * n_W * n_C) ** 2
    rough = np.abs(np.diff(generated, axis=1)).sum() + np.abs(np.diff(generated, axis=2)).sum()
    cost = transfer(taps, content, style, alpha=10, beta=40, variation=0.3)
    assert cost(Tensor(generated)).item() == pytest.approx(expected + 0.3 * rough)
    same = transfer(taps, content, content)
    assert same(Tensor(content)).item() == 0


def test_slopes_of_the_pixels(taps):
    content, style = (pictures(1, 6, 6, 3, seed=s, dtype=np.float64) for s in range(2))
    check_grads(
        transfer(taps, content, style, alpha=1.0, beta=5.0),
        Tensor(pictures(1, 6, 6, 3, seed=2, dtype=np.float64), requires_grad=True),
        order=1,
    )


def test_pixels_descend(taps):  # G := G - dJ/dG
    content, style, start = (pictures(1, 8, 8, 3, seed=s, dtype=np.float64) for s in range(3))
    cost = transfer(taps, content, style, beta=20.0)
    generated, costs = Tensor(start, requires_grad=True), []
    for _ in range(60):
        j = cost(generated)
        costs.append(j.item())
        generated.grad = None
        j.backward()
        with no_grad():
            generated -= 0.1 * generated.grad
    assert costs[-1] < 0.3 * costs[0]
    assert all(p.grad is None for p in taps.parameters())


@pytest.mark.slow
def test_taps_are_vggs_own_activations():
    vgg = models.vgg19(num_classes=2, width=2, hidden=2)
    taps = models.vgg19_taps(width=2)
    taps.load_state_dict(vgg.state_dict(), strict=False)
    image = pictures(1, 32, 32, 3)
    found = taps.named(image)
    for name, index in {"conv1_1": 1, "conv3_1": 11, "conv4_2": 22, "conv5_1": 29}.items():
        np.testing.assert_array_equal(found[name].numpy(), vgg.features[: index + 1](image).numpy())
    with pytest.raises(ValueError, match="layers are some of conv1_1.*got"):
        models.vgg19_taps(("conv9_1",))


# ---- what units see


def test_the_nine_patches_are_the_maxima():  # C4W4-visual
    autograd.seed(3)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3)).eval()
    images = pictures(20, 14, 14, 1)
    maps = net(images).numpy()[..., 2]
    patches = top_patches(net, net[3], images, unit=2)
    assert [p.value for p in patches] == sorted(maps.max((1, 2)))[::-1][:9]
    for p in patches:
        assert maps[p.image][p.place] == maps[p.image].max() == p.value
        i, j = (
            p.place
        )  # the unit sees 3 + (3 - 1) * 2 + 1 = 8 pixels from 2i, fewer where ReLU and pool look away
        assert 2 * i <= p.top < p.bottom <= 2 * i + 8
        assert 2 * j <= p.left < p.right <= 2 * j + 8
    first = top_patches(net, net[0], images, unit=0, count=4)
    assert all((p.bottom - p.top, p.right - p.left) == (3, 3) for p in first)
    weight = net[0].weight.numpy()[..., 0]
    for p in first:
        value = np.sum(p.of(images) * weight) + net[0].bias.numpy()[0]
        assert value == pytest.approx(p.value, rel=1e-5)


def test_units_that_are_not_there():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten())
    images = pictures(2, 6, 6, 1)
    with pytest.raises(ValueError, match="units 0 to 2, got 3"):
        top_patches(net, net[0], images, 3)
    for layer in (net[1], nn.Conv2d(1, 1, 1)):
        with pytest.raises(ValueError, match=r"has to run once and to give \(m, n_H, n_W, n_C\)"):
            top_patches(net, layer, images, 0)


# ---- one axis and three


def test_the_lectures_convolutions():  # C4W4-conv1d, C4W4-conv3d
    for build, sizes in ((models.signal_network, (96, 2592)), (models.volume_network, (2016, 64032))):
        net = build()
        found = [sum(p.size for p in net.features[k].parameters()) for k in (0, 2)]
        assert tuple(found) == sizes
