import numpy as np
import pytest

from medvision.scoring.bootstrap import (
    Cell,
    RatioTerms,
    SubjectGroup,
    ratio_means,
    subject_counts,
    subject_draws,
    subject_intervals,
)

MEAN = RatioTerms(numerator=np.array([0]), denominator=np.array([1]))


def one_cell(sums):
    sums = np.asarray(sums, dtype=np.float64)
    cell = Cell(subject=np.arange(len(sums)), sums=sums)
    return SubjectGroup(n_subjects=len(sums), cells=(cell,))


def all_counts(n_subjects, n_resamples, *, seed):
    return subject_counts(subject_draws(n_subjects, range(n_resamples), seed=seed), n_subjects)


def test_each_resample_draws_as_many_as_there_are():
    counts = all_counts(37, 200, seed=1)
    assert counts.shape == (200, 37)
    assert (counts.sum(axis=1) == 37).all()
    assert counts.min() >= 0


def test_draws_are_uniform_over_subjects():
    counts = all_counts(10, 20_000, seed=2)
    assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=4 * np.sqrt(0.9 / 20_000))
    assert counts.var(axis=0) == pytest.approx(np.full(10, 0.9), rel=0.1)


def test_draws_do_not_depend_on_how_many_are_made():
    few = subject_draws(5, range(3, 6), seed=4)
    many = subject_draws(80, range(10), seed=4)
    assert np.array_equal(few, many[3:6, :5])
    assert not np.array_equal(many, subject_draws(80, range(10), seed=5))


def test_interval_equals_a_loop_that_repeats_rows():
    rng = np.random.default_rng(0)
    rows_of_subject = [rng.normal(3, 1, rng.integers(1, 9)) for _ in range(23)]
    group = one_cell([(rows.sum(), len(rows)) for rows in rows_of_subject])
    ends = subject_intervals([group], MEAN, n_resamples=300, seed=9)
    means = []
    for counts in all_counts(23, 300, seed=9).astype(int):
        drawn = []
        for rows, times in zip(rows_of_subject, counts, strict=True):
            for _ in range(times):
                drawn.extend(rows)
        means.append(np.mean(drawn))
    assert ends.low[0, 0] == pytest.approx(np.percentile(means, 2.5))
    assert ends.high[0, 0] == pytest.approx(np.percentile(means, 97.5))


def test_interval_of_independent_rows_is_as_wide_as_theory_says():
    values = np.random.default_rng(1).normal(0, 2, 4000)
    group = one_cell(np.stack([values, np.ones(4000)], axis=1))
    ends = subject_intervals([group], MEAN, n_resamples=1000, seed=0)
    width = ends.high[0, 0] - ends.low[0, 0]
    assert width == pytest.approx(2 * 1.96 * values.std() / np.sqrt(4000), rel=0.1)
    assert ends.low[0, 0] < values.mean() < ends.high[0, 0]


def test_rows_of_one_subject_count_as_one_piece_of_evidence():
    values = np.random.default_rng(2).normal(0, 1, 200)
    single = one_cell(np.stack([values, np.ones(200)], axis=1))
    repeated = one_cell(np.stack([values * 50, np.full(200, 50.0)], axis=1))
    a, b = (subject_intervals([g], MEAN, n_resamples=200, seed=0) for g in (single, repeated))
    assert b.low == pytest.approx(a.low)
    assert b.high == pytest.approx(a.high)


def test_equal_subjects_have_an_interval_without_width():
    ends = subject_intervals([one_cell([(6.0, 2.0)] * 8)], MEAN, n_resamples=100, seed=0)
    assert (ends.low[0, 0], ends.high[0, 0]) == (3.0, 3.0)


def test_one_subject_or_no_resample_gives_no_interval():
    groups = [one_cell([(6.0, 2.0)]), one_cell([(6.0, 2.0), (5.0, 2.0)])]
    assert np.isnan(subject_intervals(groups, MEAN, n_resamples=100, seed=0).low[0, 0])
    assert np.isnan(subject_intervals(groups, MEAN, n_resamples=0, seed=0).high).all()


def test_resamples_without_the_metric_are_left_out():
    group = one_cell([(1.0, 1.0), (0.0, 0.0), (0.0, 0.0)])
    ends = subject_intervals([group], MEAN, n_resamples=100, seed=0)
    assert (ends.low[0, 0], ends.high[0, 0]) == (1.0, 1.0)


def test_interval_does_not_depend_on_the_other_groups():
    rng = np.random.default_rng(3)
    groups = [
        one_cell(np.stack([rng.normal(size=n), np.ones(n)], axis=1))
        for n in rng.integers(1, 40, 300)
    ]
    together = subject_intervals(groups, MEAN, n_resamples=50, seed=6)
    for at in (0, 57, 299):
        alone = subject_intervals([groups[at]], MEAN, n_resamples=50, seed=6)
        assert np.array_equal(alone.low[0], together.low[at], equal_nan=True)
        assert np.array_equal(alone.high[0], together.high[at], equal_nan=True)


def test_many_subjects_are_resampled_in_blocks():
    n = 30_000
    values = np.random.default_rng(4).exponential(1, n)
    group = one_cell(np.stack([values, np.ones(n)], axis=1))
    ends = subject_intervals([group], MEAN, n_resamples=80, seed=0)
    means = all_counts(n, 80, seed=0) @ values / n
    assert ends.low[0, 0] == pytest.approx(np.percentile(means, 2.5))
    assert ends.high[0, 0] == pytest.approx(np.percentile(means, 97.5))


def test_mean_over_cells_leaves_out_cells_without_the_metric():
    sums = np.array([[[4.0, 2.0]], [[9.0, 1.0]], [[0.0, 0.0]]])
    assert ratio_means(sums, MEAN).tolist() == [[5.5]]
    assert np.isnan(ratio_means(sums[2:], MEAN)).all()


def test_cells_share_the_draws_of_their_group():
    cells = (
        Cell(subject=np.array([0, 2]), sums=np.array([[1.0, 1.0], [3.0, 1.0]])),
        Cell(subject=np.array([1, 2, 3]), sums=np.array([[5.0, 1.0], [6.0, 2.0], [1.0, 1.0]])),
    )
    group = SubjectGroup(n_subjects=4, cells=cells)
    ends = subject_intervals([group], MEAN, n_resamples=60, seed=8)
    means = []
    for counts in all_counts(4, 60, seed=8):
        ratios = []
        for cell in cells:
            numerator = denominator = 0.0
            for subject, (total, n) in zip(cell.subject, cell.sums, strict=True):
                numerator += counts[subject] * total
                denominator += counts[subject] * n
            if denominator:
                ratios.append(numerator / denominator)
        means.append(np.mean(ratios))
    assert ends.low[0, 0] == pytest.approx(np.percentile(means, 2.5))
    assert ends.high[0, 0] == pytest.approx(np.percentile(means, 97.5))
