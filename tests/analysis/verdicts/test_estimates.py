"""Intervals cover what they say, p values are uniform where nothing is, slopes are slopes."""

import numpy as np
import pytest
from scipy import stats

from medvision.analysis.verdicts.clinical import weighted_kappa
from medvision.analysis.verdicts.estimates import difference, holm, mean, share, slope

N_STUDIES = 400
"""Of 400 studies 92 to 98 % are three and more standard errors (1.1 %) around 95 %."""


def study(rng, n_subjects, *, effect=0.0):
    """Errors of several slices a subject: subjects differ, their slices are alike."""
    n_slices = rng.integers(1, 9, n_subjects)
    subject = np.repeat(np.arange(n_subjects), n_slices)
    values = effect + rng.normal(0, 1, n_subjects)[subject] + rng.normal(0, 0.5, len(subject))
    return subject, values


@pytest.mark.parametrize("n_subjects", [20, 50, 200])
def test_intervals_of_means_cover_the_truth_as_often_as_they_say(n_subjects):
    rng = np.random.default_rng(n_subjects)
    found = [mean(*study(rng, n_subjects, effect=0.4)) for _ in range(N_STUDIES)]
    covered = np.mean([one.low <= 0.4 <= one.high for one in found])
    assert 0.92 <= covered <= 0.98


@pytest.mark.parametrize("n_subjects", [20, 50, 200])
def test_intervals_of_skewed_errors_cover_their_mean(n_subjects):
    """Relative errors are never below 0 and have a long tail."""
    rng = np.random.default_rng(7 * n_subjects)
    covered = []
    for _ in range(N_STUDIES):
        subject, values = study(rng, n_subjects)
        found = mean(subject, 0.3 * np.abs(values))
        # |N(0, 1.25)|: the mean of a folded normal distribution
        covered.append(found.low <= 0.3 * np.sqrt(1.25 * 2 / np.pi) <= found.high)
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("n_subjects", [20, 50, 200])
def test_intervals_of_differences_and_slopes_cover_the_truth(n_subjects):
    rng = np.random.default_rng(3 * n_subjects)
    covered = {"difference": [], "slope": []}
    for _ in range(N_STUDIES):
        subject, noise = study(rng, n_subjects)
        is_first = rng.uniform(size=len(subject)) < 0.4
        gap = difference(subject, noise + 0.5 * is_first, is_first)
        covered["difference"].append(gap.low <= 0.5 <= gap.high)
        x = rng.lognormal(3, 0.5, len(subject))
        rise = slope(subject, x, 0.7 * x + 5 * noise)
        covered["slope"].append(rise.low <= 0.7 <= rise.high)
    for name, hits in covered.items():
        assert 0.92 <= np.mean(hits) <= 0.98, name


@pytest.mark.parametrize("n_subjects", [20, 50, 200])
@pytest.mark.parametrize("is_clustered", [True, False])
def test_intervals_of_shares_cover_them_be_they_rare_or_not(is_clustered, n_subjects):
    """Percentiles covered a share of 2 % in 64 % of studies of 20 subjects."""
    rng = np.random.default_rng(n_subjects)
    for wanted in (0.02, 0.05, 0.1, 0.5):
        covered = []
        for _ in range(3 * N_STUDIES):
            subject, _ = study(rng, n_subjects)
            of_subject = np.full(n_subjects, wanted)
            if is_clustered:
                of_subject = rng.beta(5 * wanted, 5 * (1 - wanted), n_subjects)
            found = share(subject, rng.uniform(size=len(subject)) < of_subject[subject])
            covered.append(found.low <= wanted <= found.high)
        assert 0.92 <= np.mean(covered) <= 0.98, wanted


def test_a_share_of_none_or_all_has_an_interval_that_depends_on_subjects():
    """Rule of three: of n that are all well, up to about 3 / n may not be."""
    subject = np.repeat(np.arange(60), 4)
    none, every = share(subject, subject < 0), share(subject, subject >= 0)
    assert none.low == 0.0
    assert 3 / 60 < none.high < 4 / 60
    assert (every.low, every.high) == pytest.approx((1 - none.high, 1.0))
    assert (none.n, none.n_subjects) == (240, 60)
    # One row each: Wilson's own interval, by another library, but for Student's t.
    flags = np.arange(2000) < 300
    alone = stats.binomtest(300, 2000).proportion_ci(method="wilson")
    found = share(np.arange(2000), flags)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), rel=1e-3)


@pytest.mark.parametrize("n_subjects", [20, 200])
def test_p_values_of_paired_comparisons_are_uniform_where_there_is_no_difference(n_subjects):
    rng = np.random.default_rng(11 + n_subjects)
    p_values = [mean(*study(rng, n_subjects)).p for _ in range(N_STUDIES)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.mean(np.array(p_values) < 0.05) < 0.09


def test_slope_is_that_of_least_squares():
    rng = np.random.default_rng(2)
    x, y = rng.normal(50, 9, 80), rng.normal(3, 1, 80)
    found = slope(np.arange(80) // 4, np.r_[x, np.nan][:-1], y)
    assert found.value == pytest.approx(np.polyfit(x, y, 1)[0])
    assert (found.n, found.n_subjects) == (80, 20)


def test_values_that_are_missing_are_left_out_and_unknown_stays_unknown():
    found = mean(np.array([0, 0, 1, 2]), np.array([1.0, np.nan, 3.0, np.nan]))
    assert (found.value, found.n, found.n_subjects) == (2.0, 2, 2)
    nothing = mean(np.array([0, 1]), np.array([np.nan, np.nan]))
    assert np.isnan([nothing.value, nothing.low, nothing.p]).all()
    assert nothing.interval is None
    assert mean(np.array([4, 4]), np.array([1.0, 2.0])).interval is None


@pytest.mark.parametrize("seed", range(4))
def test_weighted_kappa_is_that_of_its_definition(seed):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 4, 120)
    answered = np.clip(true + rng.integers(-1, 2, 120), 0, 3)
    observed = np.mean((true - answered) ** 2)
    by_chance = np.mean((true[:, None] - answered[None]) ** 2)
    found = weighted_kappa(np.arange(120) // 3, true, answered, 4)
    assert found.value == pytest.approx(1 - observed / by_chance)
    assert found.low < found.value < found.high


def test_holm_is_that_of_its_definition():
    rng = np.random.default_rng(1)
    p_values = rng.uniform(0, 0.2, 7)
    order = np.argsort(p_values)
    by_rank = [min(1, (7 - rank) * p_values[at]) for rank, at in enumerate(order)]
    expected = np.empty(7)
    expected[order] = np.maximum.accumulate(by_rank)
    assert holm(p_values.tolist()) == pytest.approx(expected)
    assert np.isnan(holm([np.nan, 0.03])[0])
    assert holm([np.nan, 0.03])[1] == 0.03
