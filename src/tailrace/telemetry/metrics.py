"""Metrics: Prometheus counters, gauges and histograms of this process, in one registry.

Names are `tailrace_<part>_<noun>_<unit|total>`; labels are few and bounded (docs/specs/telemetry.md lists both).
"""

import sys
import threading
from collections.abc import Sequence
from typing import TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.metrics import MetricWrapperBase

REGISTRY = CollectorRegistry()
LATENCY_SECS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

_Metric = TypeVar("_Metric", bound=MetricWrapperBase)
_metrics: dict[str, MetricWrapperBase] = {}
_lock = threading.Lock()

disable_created_metrics()  # a second series per counter that only OpenMetrics scrapers read
if sys.platform == "linux":
    ProcessCollector(registry=REGISTRY)


def counter(name: str, doc: str, *labels: str) -> Counter:
    """A count that only rises; `name` ends in `_total`. The same name gives the same object."""
    return _once(Counter, name, doc, labels)


def gauge(name: str, doc: str, *labels: str) -> Gauge:
    """A value that rises and falls."""
    return _once(Gauge, name, doc, labels)


def histogram(name: str, doc: str, *labels: str, buckets: Sequence[float] = LATENCY_SECS) -> Histogram:
    """A distribution; the default buckets are for seconds."""
    return _once(Histogram, name, doc, labels, buckets=tuple(buckets))


def values(name: str) -> dict[tuple[str, ...], float]:
    """What a counter or gauge shows now: values of its labels → value. Empty for a name that is not there."""
    metric = _metrics.get(name)
    samples = [sample for family in metric.collect() for sample in family.samples] if metric else []
    return {tuple(sample.labels.values()): sample.value for sample in samples if sample.name == name}


def render() -> bytes:
    """All metrics in the Prometheus text format."""
    return generate_latest(REGISTRY)


def _once(kind: type[_Metric], name: str, doc: str, labels: Sequence[str], **options: object) -> _Metric:
    with _lock:
        known = _metrics.get(name)
        if known is None:
            known = _metrics[name] = kind(name, doc, labels, registry=REGISTRY, **options)  # pyright: ignore[reportArgumentType]
        if not isinstance(known, kind):
            raise TypeError(f"metric `{name}` is a {type(known).__name__.lower()}, not a {kind.__name__.lower()}")
        return cast("_Metric", known)
