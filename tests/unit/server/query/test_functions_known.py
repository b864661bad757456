"""Which of Log Service's functions there are, by how often published dashboards use them; and how those that are not there are refused."""

import pytest

from tailrace.errors import ApiError
from tailrace.server.query.sql.functions import FUNCTIONS, checked

OFTEN = """
count sum avg min max approx_distinct approx_percentile count_if date_trunc date_format from_unixtime to_unixtime now date_parse if
coalesce nullif regexp_like regexp_extract regexp_replace split split_part substr strpos length lower upper trim concat replace round
floor ceil mod json_extract json_extract_scalar element_at
"""
SOMETIMES = """
time_series histogram arbitrary max_by min_by array_agg map_agg stddev variance row_number rank lag lead date_add date_diff cardinality
array_join url_extract_fragment url_extract_host url_extract_parameter url_extract_path url_extract_port url_extract_protocol
url_extract_query url_decode ts_compare compare json_parse json_array_length json_format numeric_histogram geometric_mean bool_and
bool_or checksum try
"""
NOT_HERE = """
ip_to_country ip_to_province ip_to_city ip_to_provider ip_to_geo geohash mobile_carrier mobile_city mobile_province security_check_ip
security_check_domain security_check_url log_reduce ts_predicate_simple ts_cp_detect ts_smooth_simple ts_density_cluster
"""


def test_what_dashboards_use_is_there() -> None:
    assert [name for name in [*OFTEN.split(), *SOMETIMES.split()] if name not in FUNCTIONS] == []


@pytest.mark.parametrize("name", NOT_HERE.split())
def test_what_is_not_there_is_refused_by_name_with_what_it_would_take(name: str) -> None:
    with pytest.raises(ApiError, match=rf"function `{name}` is not supported: it takes \w+") as refused:
        checked(name, 1)
    assert (refused.value.status, refused.value.error_code) == (400, "ParameterInvalid")


def test_a_slip_is_told_the_nearest_name() -> None:
    with pytest.raises(ApiError, match="function `aprox_distinct` is not supported; did you mean `approx_distinct`"):
        checked("aprox_distinct", 1)
