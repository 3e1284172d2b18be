"""The normal distribution of vectors."""

import math

import numpy as np
from scipy.stats import multivariate_normal as _own

rvs = _own.rvs


def logpdf(x, mean, cov, allow_singular=False):
    """log density at x (..., d). A singular covariance needs `allow_singular`: then the density is that
    within its
    range, by the pseudo-inverse."""
    d = x - mean
    if allow_singular:
        inverse = np.linalg.pinv(cov)
        values = np.linalg.eigvalsh(cov)
        values = values[values > 1e-10 * np.max(np.abs(values))]
        log_volume, rank = np.sum(np.log(values)), len(values)
    else:
        inverse, log_volume, rank = np.linalg.inv(cov), np.linalg.slogdet(cov)[1], np.shape(cov)[-1]
    distance = np.sum((d @ inverse) * d, axis=-1)
    return -(rank * math.log(2 * math.pi) + log_volume + distance) / 2.0


def pdf(x, mean, cov, allow_singular=False):
    """The density at x (..., d)."""
    return np.exp(logpdf(x, mean, cov, allow_singular))


def entropy(mean, cov):
    """log det(2 pi e cov) / 2."""
    return (np.shape(cov)[-1] * math.log(2 * math.pi * math.e) + np.linalg.slogdet(cov)[1]) / 2.0
