import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from fake_scores import scores
from scipy import stats

from nestbench.report.statistics.ranks import critical_difference, ranks

# Demsar, JMLR 7, 2006, table 6: AUC of C4.5 without tuning, with m, with cf, and with both, on 14 data sets. In the
# last but one the last two are printed alike, .975, and ranked second and third.
DEMSAR = """
.763 .768 .771 .798
.599 .591 .590 .569
.954 .971 .968 .967
.628 .661 .654 .657
.882 .888 .886 .898
.936 .931 .916 .931
.661 .668 .609 .685
.583 .583 .563 .625
.775 .838 .866 .875
1.0  1.0  1.0  1.0
.940 .962 .965 .962
.619 .666 .614 .669
.972 .981 .9751 .9749
.957 .978 .946 .970
"""
NAMES = ["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"]


def demsar() -> pd.DataFrame:
    table = np.array([list(map(float, line.split())) for line in DEMSAR.split("\n") if line])
    rows = [
        {"dataset": f"d{d}", "encoder": "e", "model": NAMES[m], "seed": seed, "subject": 0, "iou": table[d, m]}
        for d in range(14)
        for m in range(4)
        for seed in range(2)
    ]
    return pd.DataFrame(rows)


def test_ranks_and_critical_difference_are_those_of_demsars_example() -> None:
    found = ranks(demsar()).set_index("model")
    expected = {"C4.5": 3.143, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964}
    assert found["rank"].round(3).to_dict() == expected
    assert found["critical"].iloc[0] == pytest.approx(1.25, abs=0.005)
    assert found["datasets"].iloc[0] == 14
    assert found.index[0] == "C4.5+m+cf"


def test_friedmans_test_is_scipys() -> None:
    wide = demsar().pivot_table(index="dataset", columns="model", values="iou")
    assert ranks(demsar())["friedman"].iloc[0] == pytest.approx(stats.friedmanchisquare(*wide.to_numpy().T).pvalue)


@pytest.mark.parametrize(("members", "quantile"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_the_quantiles_are_those_of_demsars_table(members: int, quantile: float) -> None:
    scale = np.sqrt(members * (members + 1) / 60)
    assert critical_difference(members, 10) == pytest.approx(quantile * scale, abs=1e-3)


def several(gains: dict[str, float], count: int = 8) -> pd.DataFrame:
    return pd.concat([scores(gains, seeds=2, subjects=4, dataset=f"d{i}") for i in range(count)])


def test_members_share_a_letter_exactly_where_nemenyis_test_does_not_tell_them_apart() -> None:
    table = several({"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.3, "e": 0.4})
    found = ranks(table).set_index("model")
    wide = table.pivot_table(index="dataset", columns="model", values="iou")
    p = scikit_posthocs.posthoc_nemenyi_friedman(wide)
    assert found.index.tolist() == ["e", "d", "c", "b", "a"]
    assert (p < 0.05).to_numpy().any()
    for one in found.index:
        for other in found.index:
            shared = bool(set(found.loc[one, "group"]) & set(found.loc[other, "group"]))
            assert shared == (not p.loc[one, other] < 0.05)
            far = abs(found.loc[one, "rank"] - found.loc[other, "rank"]) > found["critical"].iloc[0]
            assert far != shared


def test_nobody_is_told_apart_where_friedmans_test_finds_nothing() -> None:
    table = scores({"a": 0.0, "b": 0.0, "c": 0.0}, subjects=4)
    turned = [
        table.assign(dataset=f"d{i}", iou=table["iou"].where(table["model"] != m, 1.0)) for i, m in enumerate("abc")
    ]
    found = ranks(pd.concat(turned))
    assert found["critical"].isna().all()
    assert found["group"].tolist() == ["a", "a", "a"]


def test_ranks_need_three_data_sets_and_three_members() -> None:
    assert ranks(several({"a": 0.0, "b": 0.1, "c": 0.2}, count=2)).empty
    assert ranks(several({"a": 0.0, "b": 0.1})).empty


def test_only_members_without_a_gap_are_ranked() -> None:
    table = several({"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.3})
    found = ranks(table[(table["model"] != "d") | (table["dataset"] != "d0")])
    assert set(found["model"]) == {"a", "b", "c"}
